"""NCRONTAB schedules as the timer extension of Azure's host reads them: six fields, UTC. Pure.

Source: "Timer trigger for Azure Functions", NCRONTAB expressions. The calendar walk is cronsim's; what cronsim accepts
beyond NCRONTAB (five fields, L, W, #, a seventh weekday) is refused, and both day fields must hold, as in NCRONTAB.
"""

import re
from datetime import datetime, timedelta
from typing import Final

from cronsim import CronSim, CronSimError

_FIELD: Final = re.compile(r"[0-9A-Za-z*,/-]+")
_TIME_SPAN: Final = re.compile(r"(\d+\.)?\d{1,2}:\d{2}(:\d{2})?")
_WEEKDAYS: Final = re.compile(r"(SUN|MON|TUE|WED|THU|FRI|SAT|[0-6*,/-])+", re.IGNORECASE)
_NO_MORE_NAMES: Final = re.compile(r"[0-9*,/-]+")


class BadSchedule(Exception):
    """The expression is no NCRONTAB expression; the text says what is wrong."""


class Schedule:
    """A checked expression."""

    def __init__(self, expression: str) -> None:
        """Raises BadSchedule."""
        self._expression = expression
        _check(expression)

    def next_after(self, moment: datetime) -> datetime:
        """The first occurrence later than this UTC time. Raises BadSchedule when there is none in the next 50 years."""
        try:
            walk = CronSim(self._expression, moment)
            walk.day_and = True
            return next(walk)
        except (CronSimError, StopIteration) as error:
            raise BadSchedule(f"the schedule {self._expression!r} never occurs") from error

    def shorter_than_a_minute(self, moment: datetime) -> bool:
        """Whether its next two occurrences are less than a minute apart."""
        first = self.next_after(moment)
        return self.next_after(first) - first < timedelta(minutes=1)


def _check(expression: str) -> None:
    if _TIME_SPAN.fullmatch(expression.strip()):
        raise BadSchedule(f"the schedule {expression!r} is a time span, which works on dedicated plans only")
    fields = expression.split()
    if len(fields) != 6:
        raise BadSchedule(f"the schedule {expression!r} has {len(fields)} fields, NCRONTAB has six")
    for field in fields:
        if not _FIELD.fullmatch(field):
            raise BadSchedule(f"the schedule {expression!r} has a bad field {field!r}")
    if not _WEEKDAYS.fullmatch(fields[5]) or not _NO_MORE_NAMES.fullmatch(fields[3]):
        raise BadSchedule(f"the schedule {expression!r} has a day that NCRONTAB does not know")
    try:
        CronSim(expression, datetime(2000, 1, 1))  # noqa: DTZ001 - only parsed, no time of day is used
    except CronSimError as error:
        raise BadSchedule(f"the schedule {expression!r} is wrong: {error}") from error
