"""Queue triggers read the message they are for, and name the queue they are on: both are words in their source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import msgspec

from shared.domain.messages import POISON_SUFFIX, QUEUES

FUNCTIONS = Path(__file__).parents[2] / "functions"
KINDS = {kind.__name__: queue for kind, queue in QUEUES.items()}


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """One queue trigger: its function, its queue as text or f-string source, and the call in its body."""

    function: str
    queue: str
    calls: str
    words: list[str]


def readers() -> Iterator[Reader]:
    for path in sorted(FUNCTIONS.glob("*.py")):
        for function in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(function, ast.FunctionDef):
                yield from _readers(function)


def _readers(function: ast.FunctionDef) -> Iterator[Reader]:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "blueprint.queue_trigger":
            queue = next(each.value for each in decorator.keywords if each.arg == "queue_name")
            (call,) = (node for node in ast.walk(function) if isinstance(node, ast.Call) and node is not decorator)
            words = [ast.unparse(each).strip("'") for each in call.args]
            yield Reader(function=function.name, queue=_text(queue), calls=ast.unparse(call.func), words=words)


def _text(node: ast.expr) -> str:
    """A constant, or an f-string over POISON_SUFFIX."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.JoinedStr)
    return "".join(str(each.value) if isinstance(each, ast.Constant) else POISON_SUFFIX for each in node.values)


def test_each_reader_takes_the_message_of_its_queue() -> None:
    work = [each for each in readers() if each.calls == "handle"]
    assert len(work) == len(QUEUES)
    for each in work:
        message, queue, kind, _ = each.words
        assert (message, queue) == ("msg", each.queue), each.function
        assert KINDS[kind] == each.queue, each.function


def test_each_poison_reader_parks_under_the_queue_it_came_from() -> None:
    parking = [each for each in readers() if each.calls == "_park"]
    assert len(parking) == len(QUEUES)
    for each in parking:
        assert each.queue == f"{each.words[0]}{POISON_SUFFIX}", each.function


def test_there_is_no_other_reader() -> None:
    assert {each.calls for each in readers()} == {"handle", "_park"}
