"""Random schedules by seed, and what others say of them: a calendar library, and a walk over every single day."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from dateutil import rrule, tz

from shared.domain.occurrence import Schedule
from shared.domain.recurrence import FLEET, NTH, WEEKDAYS, Rule, Unit, read_rule
from shared.domain.zones import zone

ZONES = [
    "UTC",
    "W. Europe Standard Time",
    "Pacific Standard Time",
    "AUS Eastern Standard Time",  # south of the equator
    "Lord Howe Standard Time",  # half an hour of daylight saving
    "India Standard Time",
    "Samoa Standard Time",  # left out a day
    "Turkey Standard Time",  # gave up daylight saving
    "Central Standard Time (Mexico)",  # likewise
    "North Korea Standard Time",  # moved by half an hour, twice
    "America/Caracas",  # likewise
    "Africa/Casablanca",  # daylight saving but for Ramadan
    "Europe/Dublin",  # winter time is the odd one
]
FREQUENCIES: dict[Unit, Literal[1, 2, 3]] = {Unit.DAY: rrule.DAILY, Unit.WEEK: rrule.WEEKLY, Unit.MONTH: rrule.MONTHLY}


def random_schedule(seed: int, *, hours: bool = True) -> Schedule:
    """Any rule in any zone; half of the starts between 0:00 and 4:00, where clocks are changed."""
    dice = random.Random(seed)
    start = datetime(dice.randint(2008, 2024), 1, 1) + timedelta(days=dice.randrange(366))  # noqa: DTZ001 - local
    clock = timedelta(minutes=15 * dice.randrange(16 if seed % 2 else 96))
    return Schedule(
        rule=read_rule(_text(dice, hours=hours), FLEET, "recurEvery"),
        start=start + clock,
        duration=timedelta(minutes=dice.randint(30, 24 * 60)),
        zone=dice.choice(ZONES),
    )


def _text(dice: random.Random, *, hours: bool) -> str:
    every = dice.choice([1, 1, 1, 2, 3, 4, 6, 12, 13, 24, 35])
    units = ["Day", "Week", "WeekDays", "MonthDays", "MonthNth", "MonthOffset"] + ["Hour"] * hours
    match dice.choice(units):
        case "WeekDays":
            return f"{every}Weeks " + ",".join(dice.sample(WEEKDAYS, dice.randint(1, 7)))
        case "MonthDays":
            days = dice.sample([*range(1, 32), -1], dice.randint(1, 6))
            return f"{every}Months " + ",".join(f"day{day}" for day in days)
        case "MonthNth":
            return f"{every}Months {dice.choice(list(NTH))} {dice.choice(WEEKDAYS)}"
        case "MonthOffset":
            return f"{every}Months {dice.choice(list(NTH))} {dice.choice(WEEKDAYS)} Offset{dice.randint(-31, 31)}"
        case unit:
            return f"{every}{unit}s"


def by_library(schedule: Schedule, years: int) -> list[datetime]:
    """The instants that dateutil gives: its RFC 5545 rules, its zones, its way out of a missing hour."""
    rule, start = schedule.rule, schedule.start
    began = start.replace(day=1) if rule.nth else start  # the anchor may lie before the start
    options: dict[str, Any] = {"bymonthday": rule.days} if rule.days else {}
    if rule.weekdays:
        options["byweekday"] = [rrule.weekday(day, rule.nth or None) for day in rule.weekdays]
    if rule.offset:
        began = _months_before(began, rule.every)
    until = start.replace(year=start.year + years, day=1)
    found = rrule.rrule(FREQUENCIES[rule.unit], began, rule.every, wkst=0, until=until, **options)
    shifted = [day + timedelta(days=rule.offset) for day in found]
    place = tz.gettz(zone(schedule.zone).key)
    return [tz.resolve_imaginary(day.replace(tzinfo=place)).astimezone(UTC) for day in shifted if day >= start]


def _months_before(first: datetime, every: int) -> datetime:
    """As many whole periods earlier as an offset of 31 days can reach."""
    month = first.year * 12 + first.month - 1 - every * (2 // every + 1)
    return first.replace(year=month // 12, month=month % 12 + 1, day=1)


def by_walking(schedule: Schedule, years: int) -> list[datetime]:
    """Every day of so many years is asked whether it belongs to the rule; every instant is found by trial."""
    start, place = schedule.start, zone(schedule.zone)
    if schedule.rule.unit is Unit.HOUR:
        step, first = timedelta(hours=schedule.rule.every), _instant(start, place)
        return [first + count * step for count in range(years * 365 * 24 // schedule.rule.every)]
    days = (start.date() + timedelta(days=count) for count in range(years * 365))
    found = [day for day in days if _belongs(day, schedule.rule, start.date())]
    return [_instant(datetime.combine(day, start.time()), place) for day in found]


def _belongs(day: date, rule: Rule, start: date) -> bool:
    if rule.unit is Unit.DAY:
        return (day - start).days % rule.every == 0
    if rule.unit is Unit.WEEK:
        weeks = ((day - timedelta(days=day.weekday())) - (start - timedelta(days=start.weekday()))).days // 7
        return weeks % rule.every == 0 and day.weekday() in (rule.weekdays or (start.weekday(),))
    anchor = day - timedelta(days=rule.offset)
    if ((anchor.year - start.year) * 12 + anchor.month - start.month) % rule.every:
        return False
    is_last = (anchor + timedelta(days=1)).month != anchor.month
    if rule.days:
        return anchor.day in rule.days or (is_last and -1 in rule.days)
    if anchor.weekday() != rule.weekdays[0]:
        return False
    is_last_of_its_kind = (anchor + timedelta(days=7)).month != anchor.month
    return is_last_of_its_kind if rule.nth == -1 else (anchor.day - 1) // 7 == rule.nth - 1


def _instant(local: datetime, place: ZoneInfo) -> datetime:
    """The earliest instant at which the clocks show this time; else what the clock before the change would show."""
    as_if_utc = local.replace(tzinfo=UTC)
    offsets = sorted(_offsets(as_if_utc, place), reverse=True)
    for offset in offsets:
        if (as_if_utc - offset).astimezone(place).replace(tzinfo=None) == local:
            return as_if_utc - offset
    before = (as_if_utc - timedelta(days=1, hours=1)).astimezone(place).utcoffset()
    assert before is not None
    return as_if_utc - before


def _offsets(around: datetime, place: ZoneInfo) -> Iterator[timedelta]:
    for hours in (-30, 0, 30):
        offset = (around + timedelta(hours=hours)).astimezone(place).utcoffset()
        assert offset is not None
        yield offset
