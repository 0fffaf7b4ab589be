"""The simulation's one true time, which only the scheduler moves, and the clocks of instances that go wrong by it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 20, 9, tzinfo=UTC)


class WorldClock:
    """`seconds` since START."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def skewed(self, seconds: float) -> Callable[[], datetime]:
        """The clock of a machine that is ahead by so many seconds."""
        start = START + timedelta(seconds=seconds)
        return lambda: start + timedelta(seconds=self.seconds)


def since_start(time: datetime) -> float:
    return (time - START).total_seconds()
