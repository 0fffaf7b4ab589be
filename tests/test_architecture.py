"""The walls of the house and the budgets of its style, held by reading the source with `ast`."""

import ast
import fnmatch
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import functions
import shared

ROOT = Path(__file__).parents[1]
SKIPPED = {"node_modules", "__pycache__"}

# Which room may import which; a room may always import itself.
ARROWS: dict[str, set[str]] = {
    "function_app": {"functions"},
    "functions": {"shared.workflows", "shared.domain", "shared.wiring", "shared.settings"},
    "shared.workflows": {"shared.cloud", "shared.store", "shared.domain"},
    "shared.cloud": {"shared.domain"},
    "shared.store": {"shared.domain"},
    "shared.domain": set(),
    "shared.settings": set(),
    "shared.wiring": {"shared.cloud", "shared.store", "shared.domain", "shared.settings"},
}
ROOMS = {*ARROWS, "infra", "tests", "dev"}

# Which deployed modules may import which package of Azure's, at all; a folder stands for everything in it.
SDK_HOMES: dict[str, set[str]] = {
    "azure.functions": {"function_app.py", "functions"},
    "azure.mgmt": {"shared/cloud"},
    "azure.eventgrid": {"shared/cloud"},
    "azure.identity": {"shared/cloud", "shared/wiring.py"},
    "azure.core": {"shared/cloud", "shared/wiring.py", "shared/store"},
    "azure.data": {"shared/store/table.py"},
    "azure.storage": {"shared/store/queue.py"},
}
# A policy of the SDK's pipeline has to be a class of the SDK's; azure.py imports this module when it builds a client.
IMPORTS_SDK_AT_THE_TOP = {("shared/cloud/gate.py", "azure.core")}

# What a pure module can need. A module that reads the world (os, time, random, socket, logging ...) is not here.
PURE = {"calendar", "collections", "dataclasses", "datetime", "enum", "functools", "hashlib", "heapq", "itertools",
        "math", "msgspec", "operator", "re", "shared", "typing", "uuid", "zoneinfo"}  # fmt: skip
GUARDS = {"shared/domain/prepared.py": {"threading"}}
"""A lock around a fault of msgspec, that every room needs and that decides nothing."""

IMPURE_CALLS = {"now", "utcnow", "today", "uuid1", "uuid4", "open", "print", "input", "__import__", "getenv"}

MOST_LINES, MOST_FUNCTION_LINES, MOST_PARAMETERS = 300, 40, 6
V1_FILES = {"function.json", "proxies.json"}


class Import(NamedTuple):
    """One import statement's module; `top` when it runs as soon as the importing module is imported."""

    file: str
    module: str
    top: bool

    def __str__(self) -> str:
        return f"{self.file} imports {self.module}"


def python_files(*places: str) -> list[Path]:
    found = [ROOT / place for place in places if place.endswith(".py")]
    for folder in (ROOT / place for place in places if not place.endswith(".py")):
        found += [path for path in folder.rglob("*.py") if not SKIPPED & set(path.parts)]
    return sorted(found)


DEPLOYED = python_files("function_app.py", "functions", "shared")
EVERYTHING = [*DEPLOYED, *python_files("dev.py", "infra", "tests")]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[Import]:
    yield from _imports(parsed(path), name(path), top=True)


def _imports(node: ast.AST, file: str, *, top: bool) -> Iterator[Import]:
    """All imports but those that only a type checker follows."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (Import(file, alias.name, top) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{file}: relative import"
            module = child.module or ""
            yield from (Import(file, f"{module}.{alias.name}", top) for alias in child.names)
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _imports(child, file, top=top and not inside)


def room(module: str) -> str | None:
    """The room a module of ours belongs to; None for a library."""
    parts = module.split(".")
    known = (".".join(parts[:depth]) for depth in (2, 1))
    return next((each for each in known if each in ROOMS), None)


def module_of(path: Path) -> str:
    return name(path).removesuffix(".py").replace("/", ".")


def lives_in(file: str, homes: set[str]) -> bool:
    return any(file == home or file.startswith(f"{home}/") for home in homes)


def of_package(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def test_arrows_run_one_way() -> None:
    wrong = []
    for path in DEPLOYED:
        here = room(module_of(path))
        for each in imports(path):
            there = room(each.module)
            if here and there and there != here and there not in ARROWS[here]:
                wrong.append(str(each))
    assert wrong == []


def test_every_deployed_module_belongs_to_a_room() -> None:
    homeless = [name(path) for path in DEPLOYED if room(module_of(path)) is None and path.parent.name != "shared"]
    assert homeless == []


def test_the_sdks_stay_in_their_rooms() -> None:
    wrong = []
    for each in (each for path in DEPLOYED for each in imports(path) if each.module.startswith("azure")):
        homes = [homes for package, homes in SDK_HOMES.items() if of_package(each.module, package)]
        if not homes or not lives_in(each.file, homes[0]):
            wrong.append(str(each))
    assert wrong == []


def test_no_sdk_is_imported_at_the_top() -> None:
    top = {each for path in DEPLOYED for each in imports(path) if each.top and of_package(each.module, "azure")}
    allowed = {each for each in top if of_package(each.module, "azure.functions")}
    allowed |= {e for e in top for file, package in IMPORTS_SDK_AT_THE_TOP
                if e.file == file and of_package(e.module, package)}  # fmt: skip
    assert [str(each) for each in sorted(top - allowed)] == []


def test_importing_the_app_loads_no_sdk() -> None:
    """The same, judged by what Python did: also through a module that imports another one."""
    code = "import function_app, sys; print(*sorted(sys.modules), sep='\\n')"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = run.stdout.split()
    assert "shared.store.table" in loaded
    packages = [package for package in SDK_HOMES if package != "azure.functions"]
    assert [module for module in loaded if any(of_package(module, package) for package in packages)] == []


def test_the_environment_is_read_in_one_place() -> None:
    readers = set()
    for path in DEPLOYED:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv", "getenvb"):
                readers.add(name(path))
        if any(of_package(each.module, "os.environ") or each.module == "os.getenv" for each in imports(path)):
            readers.add(name(path))
    assert readers == {"shared/settings.py"}


def test_nothing_imports_tests_and_nothing_deployed_imports_infra() -> None:
    products = [*DEPLOYED, *python_files("dev.py", "infra")]
    assert [str(each) for path in products for each in imports(path) if of_package(each.module, "tests")] == []
    local = ("infra", "dev")
    wrong = [e for path in DEPLOYED for e in imports(path) if any(of_package(e.module, place) for place in local)]
    assert wrong == []


def test_the_domain_is_pure() -> None:
    wrong = []
    for path in python_files("shared/domain"):
        allowed = PURE | GUARDS.get(name(path), set())
        wrong += [str(each) for each in imports(path) if each.module.split(".")[0] not in allowed]
        for call in (node for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)):
            called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if called in IMPURE_CALLS:
                wrong.append(f"{name(path)}:{call.lineno} calls {called}")
    assert wrong == []


def test_no_folder_shadows_the_sdk() -> None:
    visible = [folder for folder in ROOT.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
    found = [path for folder in visible for path in (folder, *folder.rglob("azure"))]
    folders = {name(path) for path in found if path.name == "azure" and path.is_dir()}
    assert {folder for folder in folders if not folder.startswith("infra/")} == set()


def test_our_packages_are_the_ones_imported() -> None:
    """`shared` and `functions` are ordinary names: an installed package could shadow them."""
    assert shared.__file__ == str(ROOT / "shared" / "__init__.py")
    assert functions.__file__ == str(ROOT / "functions" / "__init__.py")


def test_there_are_no_files_of_the_old_programming_model() -> None:
    assert not list((ROOT / "functions").rglob("function.json"))
    assert [path.name for path in ROOT.iterdir() if path.name in V1_FILES] == []
    mains = [f for path in DEPLOYED for f in parsed(path).body if isinstance(f, ast.FunctionDef) and f.name == "main"]
    assert mains == []


def test_the_deployment_leaves_out_tests_and_tools() -> None:
    lines = (ROOT / ".funcignore").read_text(encoding="utf-8").split()
    patterns = [line.strip("/") for line in lines if not line.startswith("#")]

    def dropped(entry: str) -> bool:
        return any(fnmatch.fnmatch(entry, pattern) for pattern in patterns)

    assert [entry for entry in ("tests", "infra", ".venv", ".local", ".git", "dev.py") if not dropped(entry)] == []
    needed = ("function_app.py", "functions", "shared", "host.json", "requirements.txt")
    assert [entry for entry in needed if dropped(entry)] == []


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return [each for each in every if each.arg not in ("self", "cls")]


@pytest.mark.parametrize("path", EVERYTHING, ids=name)
def test_budgets(path: Path) -> None:
    """Every module opens with its purpose, is short, and so are its functions; everything is annotated."""
    tree, wrong = parsed(path), []
    if not ast.get_docstring(tree):
        wrong.append("no docstring")
    if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES:
        wrong.append(f"{lines} lines")
    for function in _functions(path):
        parameters = _parameters(function)
        if (length := (function.end_lineno or 0) - function.lineno + 1) > MOST_FUNCTION_LINES:
            wrong.append(f"{function.name} has {length} lines")
        if len(parameters) > MOST_PARAMETERS:
            wrong.append(f"{function.name} has {len(parameters)} parameters")
        if function.returns is None or any(parameter.annotation is None for parameter in parameters):
            wrong.append(f"{function.name} is not annotated")
    assert wrong == []
