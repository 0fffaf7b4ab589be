"""Live progress: a bar that is drawn over on a terminal, a plain line every few seconds anywhere else."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

PLAIN_SECONDS = 5.0
"""Between two lines where nothing can be drawn over: a log stays readable."""

BAR_CHARACTERS = 24
NAMES_SHOWN = 3
"""Slow machines named; the rest is counted."""

BACK_TO_START = "\r\x1b[K"
"""Terminal: to the line's first column, and clear it."""


class Progress:
    """Writes to one stream; `clock` gives seconds."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._draws = stream.isatty()
        self._drawn = False
        self._next = 0.0
        self._last = ""

    def say(self, line: str) -> None:
        """A line that stays."""
        self._wipe()
        print(line, file=self._stream, flush=True)

    def show(self, line: str) -> None:
        """How things stand: drawn over at once on a terminal, else written now and then if it has changed."""
        if self._draws:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(BACK_TO_START + line[:width])
            self._stream.flush()
            self._drawn = True
        elif self._clock() >= self._next and line != self._last:
            self._next, self._last = self._clock() + PLAIN_SECONDS, line
            print(line, file=self._stream, flush=True)

    def _wipe(self) -> None:
        if self._drawn:
            self._stream.write(BACK_TO_START)
            self._drawn = False


def standing(phase: str, total: int, states: Mapping[str, int], waiting: Sequence[str]) -> str:
    """One line: the phase, a bar, counts by state, and who is still awaited when few are."""
    done = total - len(waiting)
    filled = BAR_CHARACTERS * done // total if total else BAR_CHARACTERS
    bar = "#" * filled + "." * (BAR_CHARACTERS - filled)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()) if count)
    return "  ".join(part for part in (f"{phase:<13}[{bar}] {done}/{total}", counts, _names(waiting, done)) if part)


def _names(waiting: Sequence[str], done: int) -> str:
    """The slow ones: those still awaited when most are done."""
    if not waiting or len(waiting) > done:
        return ""
    more = f" and {len(waiting) - NAMES_SHOWN} more" if len(waiting) > NAMES_SHOWN else ""
    return f"waiting for {', '.join(sorted(waiting)[:NAMES_SHOWN])}{more}"
