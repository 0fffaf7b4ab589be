"""How a maintenance window recurs: Azure's `recurEvery` text, read into a rule.

    recurEvery := [N]Hour[s] | [N]Day[s] | [N]Week[s] [weekday,weekday ...]
                | [N]Month[s] dayD[,dayD ...] | [N]Month[s] nth weekday [OffsetK]
    D          := 1..31, or -1 for the last day     nth := First Second Third Fourth Last

Any case; blanks around commas and at the ends do not matter. Source: Microsoft.Maintenance specification and the
documentation of maintenance configurations; `Hour` and `day-1` stand in the documentation only. Refused as Azure
refuses it: a bare `Month`, which the specification calls valid. What a rule means as dates is in `occurrence.py`.
"""

import re
from datetime import timedelta
from enum import StrEnum

import msgspec

from shared.domain.errors import RequestError

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# `Last` counts from the end, as -1 does in `day-1`.
NTH = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
LAST_DAY = -1
LONGEST_TEXT = 400  # characters; every day of a month written out has 300


class Unit(StrEnum):
    HOUR = "Hour"
    DAY = "Day"
    WEEK = "Week"
    MONTH = "Month"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule and its window may be: Azure's own bounds, or the wider ones under `properties.fleet`."""

    least_hours: int
    offset: int  # days before or after the weekday it belongs to
    shortest: timedelta
    longest: timedelta
    most_every: int = 35  # of any unit. Source: Update Manager documentation, migration guidance, "recurrence"


# Source: documentation of maintenance configurations (guest scope) and the specification (offset).
AZURE = Limits(least_hours=6, offset=6, shortest=timedelta(minutes=90), longest=timedelta(minutes=235))
# Ours, allowed where the configuration has the block `properties.fleet`.
FLEET = Limits(least_hours=1, offset=31, shortest=timedelta(minutes=30), longest=timedelta(hours=24))


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One recurrence. Weeks have `weekdays` (Monday = 0); months have `days`, or `nth`, one weekday and `offset`."""

    unit: Unit
    every: int = 1
    weekdays: tuple[int, ...] = ()
    days: tuple[int, ...] = ()
    nth: int = 0
    offset: int = 0


_HEAD = re.compile(r"([0-9]{1,4})?(hour|day|week|month)s?(?: (.+))?")
_OFFSET = re.compile(r"offset([+-]?[0-9]{1,4})")
_DAY = re.compile(r"day(-1|[0-9]{1,2})")
_HINT = "write it like 6Hours, Day, 2Weeks Saturday,Sunday, Month day15,day-1 or Month Second Tuesday Offset4"


def window_error(target: str, message: str) -> RequestError:
    """A maintenance window that cannot be: 400 `InvalidMaintenanceWindow`, worded as Azure words it."""
    return RequestError(400, "InvalidMaintenanceWindow", f"Invalid maintenance window. Error: {message}", target)


def read_rule(text: str, limits: Limits, target: str) -> Rule:
    """The rule that a `recurEvery` text states. Raises RequestError 400 `InvalidMaintenanceWindow` naming `target`."""
    plain = re.sub(r" ?, ?", ",", " ".join(text.split())).lower()
    head = _HEAD.fullmatch(plain) if len(text) <= LONGEST_TEXT else None
    if head is None:
        raise window_error(target, f"'{text[:LONGEST_TEXT]}' is not a recurrence; {_HINT}.")
    number, unit, rest = head.groups()
    rule = Rule(unit=Unit(unit.capitalize()), every=int(number or 1))
    _check_every(rule, limits, target)
    if rule.unit is Unit.MONTH:
        return _monthly(rule, rest or "", limits, target)
    if rule.unit is Unit.WEEK and rest:
        days = sorted({_weekday(word, target) for word in rest.split(",")})
        return msgspec.structs.replace(rule, weekdays=tuple(days))
    if rest:
        raise window_error(target, f"'{rest}' has no meaning after {rule.unit}; {_HINT}.")
    return rule


def _check_every(rule: Rule, limits: Limits, target: str) -> None:
    least = limits.least_hours if rule.unit is Unit.HOUR else 1
    if not least <= rule.every <= limits.most_every:
        wider = (
            f"; from {FLEET.least_hours} with properties.fleet" if rule.unit is Unit.HOUR and limits is AZURE else ""
        )
        allowed = f"{least} to {limits.most_every} {rule.unit}s may lie between two windows{wider}"
        raise window_error(target, f"{rule.every} {rule.unit}s are out of range; {allowed}.")


def _monthly(rule: Rule, rest: str, limits: Limits, target: str) -> Rule:
    if not rest:
        fix = "Add days such as day15,day-1, or a weekday such as Second Tuesday."
        raise window_error(target, f"Monthly maintenance window is missing day of month or week of month. {fix}")
    if rest.startswith("day"):
        days = sorted({_month_day(word, target) for word in rest.split(",")})
        return msgspec.structs.replace(rule, days=tuple(days))
    words = rest.split(" ")
    if len(words) not in (2, 3) or words[0] not in NTH:
        raise window_error(target, f"'{rest}' is neither a list of days nor a weekday of a month; {_HINT}.")
    offset = _offset(words[2], limits, target) if words[2:] else 0
    return msgspec.structs.replace(rule, nth=NTH[words[0]], weekdays=(_weekday(words[1], target),), offset=offset)


def _weekday(word: str, target: str) -> int:
    if word.capitalize() not in WEEKDAYS:
        raise window_error(target, f"'{word}' is not a weekday; use {', '.join(WEEKDAYS)}.")
    return WEEKDAYS.index(word.capitalize())


def _month_day(word: str, target: str) -> int:
    match = _DAY.fullmatch(word)
    day = int(match.group(1)) if match else 0
    if day != LAST_DAY and not 1 <= day <= 31:
        raise window_error(target, f"'{word}' is not a day of a month; use day1 to day31, or day-1 for the last one.")
    return day


def _offset(word: str, limits: Limits, target: str) -> int:
    match = _OFFSET.fullmatch(word)
    if match is None:
        raise window_error(target, f"'{word}' is not an offset; write it like Offset4 or Offset-3.")
    days = int(match.group(1))
    if abs(days) > limits.offset:
        wider = f", or {-FLEET.offset} to {FLEET.offset} with properties.fleet" if limits is AZURE else ""
        raise window_error(
            target, f"Offset{days} is out of range; use {-limits.offset} to {limits.offset} days{wider}."
        )
    return days
