"""The time as Azure has it: the local clock, corrected by the `Date` header of Azure's own answers."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache

# A `Date` header has whole seconds and travels; a difference below this is noise (ours), not a wrong clock.
NOISE = timedelta(seconds=2)


def system_time() -> datetime:
    """The machine's own clock, UTC."""
    return datetime.now(UTC)


@lru_cache(maxsize=16)
def _instant(date: str) -> datetime | None:
    """What a `Date` header says, None when it is not a date. Many answers carry the same: it has whole seconds."""
    try:
        seen = parsedate_to_datetime(date)
    except ValueError:
        return None
    return seen if seen.tzinfo else None  # "-0000": a time whose zone is not known


class Clock:
    """`now()` in UTC. Starts out trusting the local clock."""

    def __init__(self, local: Callable[[], datetime] = system_time) -> None:
        self._local = local
        self._offset = timedelta()

    def now(self) -> datetime:
        return self._local() + self._offset

    def local(self) -> datetime:
        """The uncorrected clock, to time a request with."""
        return self._local()

    def observe(self, date: str, asked: datetime) -> None:
        """Take the `Date` header of an answer that has just arrived to a request sent at `asked` (local time).

        A slow answer says nothing about the time, and what is not a date is ignored.
        """
        if self._local() - asked > NOISE:
            return
        seen = _instant(date)
        if seen is None:
            return
        difference = seen - self._local()
        self._offset = difference if abs(difference) > NOISE else timedelta()
