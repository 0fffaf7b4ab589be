"""Progress: drawn over on a terminal, few lines in a log, the slow machines by name."""

import io
from collections.abc import Iterator

import pytest

from infra.local.progress import PLAIN_SECONDS, Progress, standing


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def ticking(step: float) -> Iterator[float]:
    now = 0.0
    while True:
        now += step
        yield now


def test_a_log_gets_a_line_every_few_seconds_and_only_when_something_changed() -> None:
    stream, clock = io.StringIO(), ticking(PLAIN_SECONDS / 4)
    progress = Progress(stream, clock.__next__)
    for number in range(8):
        progress.show(f"line {number}")
    for _ in range(8):
        progress.show("line 7")
    assert stream.getvalue().splitlines()[0] == "line 0"
    assert 2 <= len(stream.getvalue().splitlines()) <= 4
    assert stream.getvalue().count("line 7") <= 1


def test_a_terminal_is_drawn_over_and_lasting_lines_stay() -> None:
    stream = Terminal()
    progress = Progress(stream)
    progress.show("half")
    progress.show("most")
    progress.say("done")
    assert stream.getvalue() == "\r\x1b[Khalf\r\x1b[Kmost\r\x1b[Kdone\n"


@pytest.mark.parametrize(
    ("waiting", "names"),
    [
        ([], ""),
        (["b", "a"], "  waiting for a, b"),
        (["e", "d", "c", "b", "a"], "  waiting for a, b, c and 2 more"),
        (list("abcdef"), ""),
    ],
)
def test_the_slow_ones_are_named_once_they_are_few(waiting: list[str], names: str) -> None:
    line = standing("assess", 10, {"Succeeded": 10 - len(waiting), "under way": len(waiting)}, waiting)
    assert line.endswith(f"{', ' if waiting else ''}{f'{len(waiting)} under way' if waiting else 'Succeeded'}{names}")
    assert f"] {10 - len(waiting)}/10  " in line


def test_nothing_to_do_is_done() -> None:
    assert standing("install", 0, {}, []) == f"install      [{'#' * 24}] 0/0"
