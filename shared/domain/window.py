"""Azure's `maintenanceWindow`: when a configuration's windows open, checked field by field and normalised once.

Local times have no offset; `timeZone` says whose they are. Where Azure's own bounds end, `properties.fleet` goes on:
with that block present the wider limits of `shared/domain/recurrence.py` hold, and the start may lie in the past.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
from msgspec.structs import replace

from shared.domain.occurrence import LAST_YEAR, Occurrence, Schedule, local_to_utc, next_occurrences
from shared.domain.recurrence import AZURE, Limits, read_rule, window_error
from shared.domain.zones import zone, zone_name

AT = "properties.maintenanceWindow"
RULES_AT = "properties.fleet.rules"
# "If not provided, it will be set to the maximum datetime." Source: specification. Any day of that year means never.
NEVER = "9999-12-31 23:59:59"
# Azure's default depends on the scope and is not published for guest patching; ours is the longest window it takes.
DEFAULT_DURATION = AZURE.longest
# A new configuration starts at least this much later. Source: documentation of maintenance configurations.
LEAD = timedelta(minutes=15)
FIRST_YEAR = 2000  # ours: no configuration is older than the service
# How many windows are looked at for two that overlap (ours): four years of a window a week.
_LOOKED_AT = 200

_LOCAL = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.0+)?")
_DURATION = re.compile(r"([0-9]{1,2}):([0-5][0-9])(?::00)?")


class Window(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Azure's fields, each in its own form: `YYYY-MM-DD hh:mm`, `HH:mm`, a zone's name, a recurrence."""

    start_date_time: str | None = None
    expiration_date_time: str | None = None
    duration: str | None = None
    time_zone: str | None = None
    recur_every: str | None = None


class ExtraRule(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """One more recurrence of the same configuration (ours); what it leaves out is as in the maintenance window."""

    recur_every: str
    start_date_time: str | None = None
    duration: str | None = None


def read_window(given: Window | None, limits: Limits) -> Window:
    """The window with every field filled in and in its own spelling.

    Raises RequestError 400 `InvalidMaintenanceWindow` naming the field to mend.
    """
    if given is None:
        raise window_error(AT, "maintenanceWindow is required: startDateTime, timeZone and recurEvery say when.")
    start = _start(_required(given.start_date_time, "startDateTime"), f"{AT}.startDateTime")
    name = zone_name(_required(given.time_zone, "timeZone"), f"{AT}.timeZone")
    every = " ".join(_required(given.recur_every, "recurEvery").split())
    read_rule(every, limits, f"{AT}.recurEvery")
    duration = _duration(given.duration, limits, f"{AT}.duration") if given.duration else DEFAULT_DURATION
    return Window(
        start_date_time=_shown(start),
        expiration_date_time=_expiration(given.expiration_date_time, start),
        duration=show_duration(duration),
        time_zone=name,
        recur_every=every,
    )


def read_rules(given: Sequence[ExtraRule], limits: Limits) -> tuple[ExtraRule, ...]:
    """The further rules, likewise. Raises RequestError 400 `InvalidMaintenanceWindow`."""
    return tuple(_extra(rule, limits, f"{RULES_AT}[{index}]") for index, rule in enumerate(given))


def schedules(window: Window, rules: Sequence[ExtraRule], limits: Limits) -> tuple[Schedule, ...]:
    """All rules of a window that `read_window` gave out; the first is Azure's own."""
    start, every = window.start_date_time or "", window.recur_every or ""
    first = Schedule(
        rule=read_rule(every, limits, f"{AT}.recurEvery"),
        start=_local(start, AT),
        duration=_duration(window.duration or "", limits, AT),
        zone=window.time_zone or "",
        expires=expires(window),
    )
    return (first, *(_schedule(rule, first, limits, f"{RULES_AT}[{i}]") for i, rule in enumerate(rules)))


def expires(window: Window) -> datetime | None:
    """The local time at which the configuration ends; None: never."""
    end = _local(window.expiration_date_time or NEVER, f"{AT}.expirationDateTime")
    return None if end.year > LAST_YEAR else end


def check_windows(given: Sequence[Schedule]) -> None:
    """Raises RequestError 400 when no window would ever open, or when one would open within another.

    Judged by the calendar, without clock changes: the one hour by which a 24 hour window overlaps the next in the night
    of a change is no mistake of the caller's.
    """
    found = _by_calendar(given)
    if not found:
        raise window_error(f"{AT}.recurEvery", "No window would ever open: the recurrence meets no day in time.")
    for one, other in pairwise(found):
        if other.start < one.end:
            text = f"The window of {one.start:%Y-%m-%d %H:%M} would last into that of {other.start:%Y-%m-%d %H:%M}"
            raise window_error(f"{AT}.duration", f"{text}; shorten it, or let them recur less often.")


def closest(given: Sequence[Schedule]) -> timedelta | None:
    """The shortest time from one window's start to the next one's, by the calendar; None where there is no second."""
    return min((other.start - one.start for one, other in pairwise(_by_calendar(given))), default=None)


def check_start(window: Window, before: Window | None, now: datetime) -> None:
    """Azure's rules on the start, for one that is new or changed. Raises RequestError 400 `InvalidMaintenanceWindow`.

    A new configuration: 15 minutes from now at the earliest. A changed start: today or later, in its own zone.
    """
    start, name = _local(window.start_date_time or "", AT), window.time_zone or ""
    same = before and (before.start_date_time, before.time_zone) == (window.start_date_time, window.time_zone)
    earliest = now + LEAD if before is None else local_to_utc(_midnight(now, name), name)
    if not same and local_to_utc(start, name) < earliest:
        rule = "at least 15 minutes from now" if before is None else "today or later"
        text = f"startDateTime must be {rule}; only with properties.fleet may it lie in the past."
        raise window_error(f"{AT}.startDateTime", text)


def check_expiration(window: Window, before: Window | None, now: datetime) -> None:
    """Raises RequestError 400 for an expiration that is new or changed and not in the future."""
    end = expires(window)
    changed = before is None or before.expiration_date_time != window.expiration_date_time
    if changed and end is not None and local_to_utc(end, window.time_zone or "") <= now:
        raise window_error(f"{AT}.expirationDateTime", "expirationDateTime must be in the future.")


def show_duration(span: timedelta) -> str:
    """Azure's `HH:mm`."""
    minutes = int(span.total_seconds()) // 60
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _extra(rule: ExtraRule, limits: Limits, at: str) -> ExtraRule:
    every = " ".join(rule.recur_every.split())
    read_rule(every, limits, f"{at}.recurEvery")
    start = _shown(_start(rule.start_date_time, f"{at}.startDateTime")) if rule.start_date_time else None
    duration = show_duration(_duration(rule.duration, limits, f"{at}.duration")) if rule.duration else None
    return ExtraRule(recur_every=every, start_date_time=start, duration=duration)


def _schedule(rule: ExtraRule, first: Schedule, limits: Limits, at: str) -> Schedule:
    return replace(
        first,
        rule=read_rule(rule.recur_every, limits, at),
        start=_local(rule.start_date_time, at) if rule.start_date_time else first.start,
        duration=_duration(rule.duration, limits, at) if rule.duration else first.duration,
    )


def _by_calendar(given: Sequence[Schedule]) -> list[Occurrence]:
    plain = [replace(schedule, zone="UTC") for schedule in given]
    return next_occurrences(plain, datetime(FIRST_YEAR - 1, 1, 1, tzinfo=UTC), _LOOKED_AT)


def _required(text: str | None, field: str) -> str:
    if not text or not text.strip():
        raise window_error(f"{AT}.{field}", f"{field} is required.")
    return text


def _local(text: str, target: str) -> datetime:
    match = _LOCAL.fullmatch(text.strip())
    try:
        read = datetime.fromisoformat(" ".join(match.groups())) if match else None
    except ValueError:
        read = None  # the right form, but no such day or hour: one answer for both
    if read is None or read.year < FIRST_YEAR:
        raise window_error(target, f"'{text}' is not a local time; write YYYY-MM-DD hh:mm, without an offset.")
    return read


def _start(text: str, target: str) -> datetime:
    start = _local(text, target)
    if start.year > LAST_YEAR:
        raise window_error(target, f"startDateTime must not be later than the year {LAST_YEAR}.")
    return start


def _expiration(text: str | None, start: datetime) -> str:
    end = _local(text or NEVER, f"{AT}.expirationDateTime")
    if end <= start:
        raise window_error(f"{AT}.expirationDateTime", "expirationDateTime must be later than startDateTime.")
    return _shown(end)


def _shown(local: datetime) -> str:
    return f"{local:%Y-%m-%d %H:%M:%S}" if local.second else f"{local:%Y-%m-%d %H:%M}"


def _duration(text: str, limits: Limits, target: str) -> timedelta:
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise window_error(target, f"'{text}' is not a duration; write hours and minutes, like 03:55.")
    span = timedelta(hours=int(match.group(1)), minutes=int(match.group(2)))
    if not limits.shortest <= span <= limits.longest:
        allowed = f"{show_duration(limits.shortest)} to {show_duration(limits.longest)}"
        wider = "; 00:30 to 24:00 with properties.fleet" if limits is AZURE else ""
        raise window_error(target, f"A window of {text} is out of range; use {allowed}{wider}.")
    return span


def _midnight(now: datetime, name: str) -> datetime:
    return now.astimezone(zone(name)).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
