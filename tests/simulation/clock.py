"""The simulation's one true time, which only the scheduler moves, and the clocks of instances that go wrong by it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 20, 9, tzinfo=UTC)


class WorldClock:
    """`seconds` since `start`."""

    def __init__(self, start: datetime = START) -> None:
        self.start = start
        self.seconds = 0.0

    def __call__(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds)

    def since(self, time: datetime) -> float:
        """That instant in seconds since `start`."""
        return (time - self.start).total_seconds()

    def skewed(self, seconds: float) -> Callable[[], datetime]:
        """The clock of a machine that is ahead by so many seconds."""
        start = self.start + timedelta(seconds=seconds)
        told, shown = 0.0, start

        def now() -> datetime:
            nonlocal told, shown
            if told != self.seconds:  # it is asked several times at most instants
                told = self.seconds
                shown = start + timedelta(seconds=told)
            return shown

        return now
