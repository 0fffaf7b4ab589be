"""No type is decoded before it is prepared: first decodings that meet would end the worker."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DECODINGS = ("msgspec.json.decode", "msgspec.msgpack.decode", "msgspec.convert")
PLAIN = ("timedelta", "list[int]", "list[msgspec.Raw]", "dict[str, Any]")
"""Nothing in them is learnt by msgspec."""

MEETINGS = """
import enum, sys, threading
import msgspec
from shared.domain.prepared import prepared

sys.setswitchinterval(1e-6)
BODY = b"{" + b",".join(b'"field%d":"a"' % number for number in range(8)) + b"}"


def decode(kind, start):
    start.wait()
    msgspec.json.decode(BODY, type=KIND)


for _ in range(300):
    fields = [(f"field{n}", enum.StrEnum(f"Kind{n}", {"a": "a", "b": "b"})) for n in range(8)]
    kind, start = msgspec.defstruct("Fresh", fields, frozen=True), threading.Barrier(6)
    threads = [threading.Thread(target=decode, args=(kind, start)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def meetings(kind: str) -> int:
    """Exit code of a process in which six threads decode one new type at once, three hundred times."""
    code = MEETINGS.replace("KIND", kind)
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=120).returncode


@pytest.mark.skipif(sys.platform == "win32", reason="Signals as exit codes are POSIX's.")
def test_first_decodings_that_meet() -> None:
    assert meetings("prepared(kind)") == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Signals as exit codes are POSIX's.")
def test_without_preparing_they_end_the_process() -> None:
    """When this fails, msgspec has mended it: `prepared` can go."""
    assert any(meetings("kind") < 0 for _ in range(5))


@pytest.mark.parametrize("room", ["shared", "functions"])
def test_every_decoding_prepares_its_type(room: str) -> None:
    found = {f"{file.relative_to(ROOT)}: {kind}" for file in (ROOT / room).rglob("*.py") for kind in decoded(file)}
    assert {each for each in found if not allowed(each.partition(": ")[2])} == set()
    assert any("prepared(" in each for each in found)


def allowed(kind: str) -> bool:
    return kind in PLAIN or kind.startswith("prepared(")


def decoded(file: Path) -> Iterator[str]:
    """The types that this module decodes, as written; nothing for plain JSON."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in DECODINGS:
            named = [keyword.value for keyword in node.keywords if keyword.arg == "type"]
            yield from (ast.unparse(kind) for kind in [*node.args[1:2], *named])
