"""The dates of a maintenance window: from a recurrence to instants, by plain calendar arithmetic.

**Which days.** A rule is an endless pattern of local days, counted from the local day of `start`; its windows are
those at or after `start`, each at the time of day of `start`, so the first one is the first match, not `start`
itself. What Azure leaves open follows RFC 5545: the week (Monday to Sunday) and the month of `start` count as number
one of every N, though no window may fall into them any more. A day that a month lacks is skipped (`day31` in April),
never moved to another day; `day-1` is every month's last. `OffsetK` is added to the weekday found in its own month,
into the next or the former month if need be. Two rules that open at one instant make one window, the longer one.

**Daylight saving.** A start in the hour that a clock change leaves out is reckoned with the offset before the change,
so it moves forward by as much as the clock does (02:30 becomes 03:30). In the doubled hour a window opens once, the
first time. A duration is elapsed time: three hours are three hours in every night. Hours recur in elapsed time from
the instant of `start`, so `12Hours` from 08:00 is at 09:00 and 21:00 after the clock went forward.

**The end.** A window that would open at or after `expires` does not exist.

No recurrence library: RFC 5545 has no offset from an nth weekday and no rule for a missing hour, so a library would
give the easy half only; the tests hold this arithmetic against one, and against a walk over every day of 30 years.
"""

import heapq
from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, islice, takewhile
from operator import attrgetter

import msgspec

from shared.domain.recurrence import LAST_DAY, Rule, Unit
from shared.domain.zones import zone

LAST_YEAR = 9000  # windows are reckoned up to here; the calendar of the standard library ends with year 9999
# A rule that skips as many months in a row has no window at all (the worst with one, day29 of every 12th, skips 7).
_MOST_MISSES = 48
_WEEK = timedelta(days=7)
_DAY = timedelta(days=1)
# No offset of a zone, and no change of one, is longer; used to begin a search early enough.
_SLACK = timedelta(days=2)


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule in its zone. `start` and `expires` are local times without offset; `expires` None: never."""

    rule: Rule
    start: datetime
    duration: timedelta
    zone: str
    expires: datetime | None = None


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """One window `[start, end)`, in UTC."""

    start: datetime
    end: datetime


def next_occurrences(schedules: Sequence[Schedule], after: datetime, count: int) -> list[Occurrence]:
    """The first `count` windows that open after an instant, in order; fewer when the schedules end before."""
    return list(islice(_merged([occurrences(schedule, after) for schedule in schedules]), count))


def occurrence_at(schedules: Sequence[Schedule], now: datetime) -> Occurrence | None:
    """The window that is open at an instant, or None; of two, the one that opened last."""
    before = now - max(schedule.duration for schedule in schedules)
    found = None
    for window in _merged([occurrences(schedule, before) for schedule in schedules]):
        if window.start > now:
            break
        found = window if now < window.end else found
    return found


def local_to_utc(local: datetime, name: str) -> datetime:
    """The instant of a local time: moved forward out of a missing hour, the first of a doubled one."""
    return local.replace(tzinfo=zone(name), fold=0).astimezone(UTC)


def occurrences(schedule: Schedule, after: datetime) -> Iterator[Occurrence]:
    """All windows of one schedule that open after an instant, in order."""
    expires = local_to_utc(schedule.expires, schedule.zone) if schedule.expires else None
    starts = _hourly(schedule, after) if schedule.rule.unit is Unit.HOUR else _daily(schedule, after)
    for start in starts:
        if expires is not None and start >= expires:
            return
        if start > after:
            yield Occurrence(start=start, end=start + schedule.duration)


def local_starts(schedule: Schedule, first: date) -> Iterator[datetime]:
    """Local times, as the calendar counts them, of a rule of days, weeks or months, on or after a day."""
    begin = max(first, schedule.start.date())
    for day in takewhile(lambda day: day.year <= LAST_YEAR, _days(schedule.rule, schedule.start.date(), begin)):
        yield datetime.combine(day, schedule.start.time())


def _merged(streams: list[Iterator[Occurrence]]) -> Iterator[Occurrence]:
    """In order, one window an instant: the longest of those that open together.

    Those may even be of one rule: where a zone left out a whole day, two local days have one instant.
    """
    for _, same in groupby(heapq.merge(*streams, key=attrgetter("start")), key=attrgetter("start")):
        yield max(same, key=attrgetter("end"))


def _hourly(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    step, start = timedelta(hours=schedule.rule.every), local_to_utc(schedule.start, schedule.zone)
    at = start + max(0, (after - start) // step) * step
    while at.year <= LAST_YEAR:
        yield at
        at += step


def _daily(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    first = (after - _SLACK).date() if after.year <= LAST_YEAR else date(LAST_YEAR, 12, 31)
    return (local_to_utc(local, schedule.zone) for local in local_starts(schedule, first))


def _days(rule: Rule, start: date, begin: date) -> Iterator[date]:
    """The rule's days from `begin` on, `begin` not being before `start`."""
    if rule.unit is Unit.DAY:
        step = rule.every * _DAY
        found = _steps(start + (begin - start) // step * step, step)
    elif rule.unit is Unit.WEEK:
        found = _weekly(rule, start, begin)
    else:
        found = _monthly(rule, start, begin)
    return (day for day in found if day >= begin)


def _steps(first: date, step: timedelta) -> Iterator[date]:
    day = first
    while day.year <= LAST_YEAR:
        yield day
        day += step


def _weekly(rule: Rule, start: date, begin: date) -> Iterator[date]:
    monday, step = start - start.weekday() * _DAY, rule.every * _WEEK
    for week in _steps(monday + (begin - monday) // step * step, step):
        yield from (week + weekday * _DAY for weekday in rule.weekdays or (start.weekday(),))


def _monthly(rule: Rule, start: date, begin: date) -> Iterator[date]:
    """Months are numbered through; the search begins early enough for any offset."""
    origin, early = _month(start), _month(begin) - (2 if rule.offset else 0)
    month, misses = origin + (early - origin) // rule.every * rule.every, 0
    while month // 12 <= LAST_YEAR and misses < _MOST_MISSES:
        days = _days_in(rule, month)
        misses = 0 if days else misses + 1
        yield from days
        month += rule.every


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


def _days_in(rule: Rule, month: int) -> list[date]:
    year, number = month // 12, month % 12 + 1
    first_weekday, length = monthrange(year, number)
    if rule.nth:
        lead = (rule.weekdays[0] - first_weekday) % 7
        day = lead + 1 + 7 * (rule.nth - 1) if rule.nth > 0 else lead + 1 + (length - lead - 1) // 7 * 7
        return [date(year, number, day) + rule.offset * _DAY]
    found = {length if day == LAST_DAY else day for day in rule.days}
    return [date(year, number, day) for day in sorted(found) if day <= length]
