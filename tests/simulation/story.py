"""What happened, in order, kept as it is cheap to keep and told only when somebody asks."""

from collections import Counter
from datetime import datetime, timedelta

import msgspec

from tests.simulation.steps import Invocation, Step


class Line(msgspec.Struct, frozen=True):
    """`what` is a fault, an end, or "" for a step that was done as it should be."""

    at: float
    number: int
    function: str
    instance: str
    step: Step | None
    what: str


class Story:
    """Every step of a seed, and how many of them went wrong."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self.lines: list[Line] = []
        self.faults: Counter[str] = Counter()

    def tell(self, at: float, invocation: Invocation, what: str = "", step: Step | None = None) -> None:
        self.lines.append(Line(at, invocation.number, invocation.function, invocation.instance, step, what))

    def fault(self, name: str) -> None:
        """Counted by kind: numbers in the name do not make another one."""
        self.faults["".join(each for each in name if not each.isdigit())] += 1

    def text(self, about: str = "") -> str:
        """One line a step; only invocations that ever touched `about` when given."""
        chosen = {line.number for line in self.lines if _touches(line, about.lower())}
        return "\n".join(_told(self._start, line) for line in self.lines if line.number in chosen)


def _touches(line: Line, about: str) -> bool:
    if not about:
        return True
    return about in line.what.lower() or (line.step is not None and about in str(line.step.about).lower())


def _told(start: datetime, line: Line) -> str:
    time = (start + timedelta(seconds=line.at)).strftime("%H:%M:%S.%f")[:-3]
    done = f"{line.step.place}.{line.step.verb} {line.step.about}" if line.step else ""
    what = f"  ** {line.what}" if line.what else ""
    return f"{time} #{line.number:<5}{line.instance} {line.function:<22}{done}{what}"
