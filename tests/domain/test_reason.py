"""Reasons: every code that the app can give stands in the table, with one plain sentence for a person."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.domain import reason as module
from shared.domain.reason import Reason, reason

SHARED = Path(__file__).parents[2] / "shared"
SENTENCE = re.compile(r"[A-Z][^\n]*\.")
CODE = re.compile(r"([A-Z][a-z0-9]*)+")


def table() -> dict[str, str]:
    """The sentences by code, read from the source: the module offers them only one by one."""
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    tables = [node for node in ast.walk(tree) if isinstance(node, ast.Dict)]
    assert len(tables) == 1
    found: dict[str, str] = ast.literal_eval(tables[0])
    return found


def calls(tree: ast.AST, function: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == function:
            yield node


def codes(tree: ast.Module, file: str) -> Iterator[tuple[str, str]]:
    """Codes given to `reason`: written there, or handed to a function of the same module that passes them on."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name != "reason"]
    for call in calls(tree, "reason"):
        if isinstance(call.args[0], ast.Constant):
            yield str(call.args[0].value), f"{file}:{call.lineno}"
    for function in functions:
        names = [parameter.arg for parameter in function.args.args]
        passed = {call.args[0].id for call in calls(function, "reason") if isinstance(call.args[0], ast.Name)}
        for position in (names.index(name) for name in passed):
            for call in calls(tree, function.name):
                code = call.args[position]
                assert isinstance(code, ast.Constant), (
                    f"{file}:{call.lineno}: the code is not written where it is given"
                )
                yield str(code.value), f"{file}:{call.lineno}"


def all_codes() -> dict[str, str]:
    found = {}
    for path in sorted(SHARED.rglob("*.py")):
        found.update(dict(codes(ast.parse(path.read_text(encoding="utf-8")), path.name)))
    return found


def test_every_code_in_the_code_has_a_sentence() -> None:
    used = all_codes()
    assert len(used) > 15
    assert {"Throttled", "MachineBusy", "Unsent", "PoweredOff", "InventoryFailed"} <= used.keys()
    assert {code: where for code, where in used.items() if code not in table()} == {}


@pytest.mark.parametrize(("code", "sentence"), sorted(table().items()))
def test_every_sentence_is_one(code: str, sentence: str) -> None:
    assert SENTENCE.fullmatch(sentence)
    assert CODE.fullmatch(code)
    assert ". " not in sentence
    assert reason(code) == Reason(code=code, message=sentence)


def test_the_detail_is_azures_own_text() -> None:
    assert reason("StartRefused", "403 Forbidden: no.").detail == "403 Forbidden: no."


def test_an_unknown_code_is_an_error() -> None:
    with pytest.raises(KeyError):
        reason("Nonsense")


def test_no_reason_is_made_past_the_table() -> None:
    """`Reason(...)` is written once; elsewhere in the app a reason is made from its code."""
    made = [
        f"{path.relative_to(SHARED.parent)}:{call.lineno}"
        for path in sorted(SHARED.rglob("*.py"))
        for call in calls(ast.parse(path.read_text(encoding="utf-8")), "Reason")
        if path.name != "reason.py"
    ]
    assert made == []
