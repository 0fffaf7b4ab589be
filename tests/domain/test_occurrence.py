"""The windows of a schedule, by examples: first and last, months, several rules, and every clock change."""

import csv
import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from shared.domain.occurrence import LAST_YEAR, Occurrence, Schedule, next_occurrences, occurrence_at
from shared.domain.recurrence import FLEET, read_rule
from shared.domain.zones import zone

UPDATES = Path(__file__).parents[3] / "shared" / "data" / "windows_updates.csv"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
BERLIN, SYDNEY, LORD_HOWE = "W. Europe Standard Time", "AUS Eastern Standard Time", "Lord Howe Standard Time"

# Microsoft's release days, as its release information lists them.
PATCH_TUESDAYS = [
    "2024-07-09", "2024-08-13", "2024-09-10", "2024-10-08", "2024-11-12", "2024-12-10",
    "2025-01-14", "2025-02-11", "2025-03-11", "2025-04-08", "2025-05-13", "2025-06-10",
    "2025-07-08", "2025-08-12", "2025-09-09", "2025-10-14", "2025-11-11", "2025-12-09",
    "2026-01-13", "2026-02-10", "2026-03-10", "2026-04-14", "2026-05-12", "2026-06-09",
]  # fmt: skip


def schedule(every: str, start: str, *, zone: str = "UTC", hours: float = 3, expires: str | None = None) -> Schedule:
    return Schedule(
        rule=read_rule(every, FLEET, "recurEvery"),
        start=datetime.fromisoformat(start),
        duration=timedelta(hours=hours),
        zone=zone,
        expires=datetime.fromisoformat(expires) if expires else None,
    )


def local(*schedules: Schedule, after: datetime = LONG_AGO, count: int = 4) -> list[str]:
    """The next starts as the zone's clocks show them."""
    rules = zone(schedules[0].zone)
    return [f"{each.start.astimezone(rules):%Y-%m-%d %H:%M}" for each in next_occurrences(schedules, after, count)]


def days(*schedules: Schedule, after: datetime = LONG_AGO, count: int = 4) -> list[str]:
    return [text.split()[0] for text in local(*schedules, after=after, count=count)]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_first_window_is_the_first_match_not_the_start() -> None:
    """The documentation's example: a start on a Wednesday, every Monday."""
    assert days(schedule("Week Monday", "2024-01-17 09:00"), count=2) == ["2024-01-22", "2024-01-29"]


def test_a_start_that_matches_is_the_first_window() -> None:
    assert local(schedule("Week Wednesday", "2024-01-17 09:00"), count=1) == ["2024-01-17 09:00"]


def test_a_window_is_start_and_elapsed_duration_in_utc() -> None:
    given = schedule("Day", "2026-01-10 22:30", zone=BERLIN, hours=3.75)
    assert next_occurrences([given], LONG_AGO, 1) == [
        Occurrence(start=instant("2026-01-10 21:30"), end=instant("2026-01-11 01:15"))
    ]


def test_after_is_not_itself() -> None:
    given = schedule("Day", "2026-01-10 22:00")
    assert days(given, after=instant("2026-01-10 21:59:59.999999"), count=1) == ["2026-01-10"]
    assert days(given, after=instant("2026-01-10 22:00"), count=1) == ["2026-01-11"]


@pytest.mark.parametrize(
    ("every", "start", "expected"),
    [
        ("3Days", "2026-02-26 01:00", ["2026-02-26", "2026-03-01", "2026-03-04", "2026-03-07"]),
        ("Week", "2026-02-26 01:00", ["2026-02-26", "2026-03-05", "2026-03-12", "2026-03-19"]),
        ("2Weeks Saturday,Sunday", "2026-03-04 01:00", ["2026-03-07", "2026-03-08", "2026-03-21", "2026-03-22"]),
        # The week of the start counts, though its Monday is over: RFC 5545.
        ("2Weeks Monday", "2026-03-04 01:00", ["2026-03-16", "2026-03-30", "2026-04-13", "2026-04-27"]),
        ("2Months day1", "2026-01-15 01:00", ["2026-03-01", "2026-05-01", "2026-07-01", "2026-09-01"]),
        ("Month day15,day-1", "2026-02-01 01:00", ["2026-02-15", "2026-02-28", "2026-03-15", "2026-03-31"]),
        ("Month day28,day-1", "2026-02-01 01:00", ["2026-02-28", "2026-03-28", "2026-03-31", "2026-04-28"]),
        ("Month day31", "2026-01-01 01:00", ["2026-01-31", "2026-03-31", "2026-05-31", "2026-07-31"]),
        ("12Months day29", "2095-02-01 01:00", ["2096-02-29", "2104-02-29", "2108-02-29", "2112-02-29"]),
        ("12Months day30", "2026-02-01 01:00", []),
        ("Month First Monday", "2026-01-01 01:00", ["2026-01-05", "2026-02-02", "2026-03-02", "2026-04-06"]),
        ("Month Last Friday", "2026-01-01 01:00", ["2026-01-30", "2026-02-27", "2026-03-27", "2026-04-24"]),
        # An offset leads into the neighbouring month, and is reckoned from the anchor in its own.
        ("Month First Monday Offset-6", "2026-03-01 01:00", ["2026-03-31", "2026-04-28", "2026-05-26", "2026-06-30"]),
        ("Month Last Saturday Offset6", "2026-03-02 01:00", ["2026-03-06", "2026-04-03", "2026-05-01", "2026-06-05"]),
        ("Month Last Sunday Offset31", "2026-03-01 01:00", ["2026-03-25", "2026-04-29", "2026-05-27", "2026-07-01"]),
        ("3Months First Sunday Offset-31", "2026-03-01 01:00",
         ["2026-05-07", "2026-08-06", "2026-11-05", "2027-02-04"]),
    ],
)  # fmt: skip
def test_which_days(every: str, start: str, expected: list[str]) -> None:
    assert days(schedule(every, start)) == expected


def test_real_patch_tuesdays() -> None:
    assert days(schedule("Month Second Tuesday", "2024-07-01 18:00"), count=24) == PATCH_TUESDAYS


def test_microsofts_releases_came_on_patch_tuesdays() -> None:
    if not UPDATES.is_file():
        pytest.skip("no catalogue of updates beside the project")
    with UPDATES.open(encoding="utf-8", newline="") as text:
        released = {row["publish_date"] for row in csv.DictReader(text) if row["release_type"] == "Standard"}
    first, last = min(released), max(released)
    expected = days(schedule("Month Second Tuesday", f"{first} 00:00"), count=60)
    assert sorted(released) == [day for day in expected if day <= last]


@pytest.mark.parametrize("offset", [*range(-6, 7), -31, -17, 18, 31])
def test_24_months_of_patch_tuesday_with_an_offset(offset: int) -> None:
    """Anchors one month before and after, so that none is missing at either end."""
    given = schedule(f"Month Second Tuesday Offset{offset}", "2024-05-01 18:00")
    expected = [str(date.fromisoformat(day) + timedelta(days=offset)) for day in PATCH_TUESDAYS]
    assert [day for day in days(given, count=40) if expected[0] <= day <= expected[-1]] == expected


def test_no_window_opens_at_or_after_the_expiration() -> None:
    given = schedule("Day", "2026-01-10 22:00", expires="2026-01-12 22:00")
    assert days(given) == ["2026-01-10", "2026-01-11"]
    assert days(schedule("6Hours", "2026-01-10 22:00", expires="2026-01-11 10:00"), count=9) == [
        "2026-01-10",
        "2026-01-11",
    ]
    assert days(schedule("Day", "2026-01-10 22:00", expires="2026-01-10 22:00")) == []


def test_an_expiration_within_a_clock_change_counts_as_the_instant_it_is() -> None:
    """02:30 opens at 03:30 that night, which is after 03:10."""
    assert local(schedule("Day", "2026-03-28 02:30", zone=BERLIN, expires="2026-03-29 03:10")) == ["2026-03-28 02:30"]


def test_the_calendar_ends() -> None:
    near = datetime(LAST_YEAR, 12, 30, tzinfo=UTC)
    for every in ("Day", "6Hours", "Week", "Month day-1", "Month Last Sunday Offset31"):
        given = schedule(every, "2026-01-01 00:00")
        assert all(each.start.year <= LAST_YEAR for each in next_occurrences([given], near, 100))
        assert next_occurrences([given], datetime(9999, 12, 31, tzinfo=UTC), 1) == []


def test_several_rules_are_one_sequence() -> None:
    given = [schedule("Week Saturday", "2026-08-01 02:00"), schedule("Month day1", "2026-08-01 02:00", hours=5)]
    found = next_occurrences(given, LONG_AGO, 6)
    assert [f"{each.start:%m-%d}" for each in found] == ["08-01", "08-08", "08-15", "08-22", "08-29", "09-01"]
    assert found[0].end - found[0].start == timedelta(hours=5), "of two that open together, the longer"


def test_the_window_that_is_open() -> None:
    given = [schedule("Day", "2026-01-10 22:00"), schedule("Week Monday", "2026-01-10 08:00", hours=1)]
    daily = Occurrence(start=instant("2026-01-11 22:00"), end=instant("2026-01-12 01:00"))
    assert occurrence_at(given, instant("2026-01-11 21:59:59")) is None
    assert occurrence_at(given, instant("2026-01-11 22:00")) == daily
    assert occurrence_at(given, instant("2026-01-12 00:59:59")) == daily
    assert occurrence_at(given, instant("2026-01-12 01:00")) is None
    monday = occurrence_at(given, instant("2026-01-12 08:30"))
    assert monday is not None
    assert monday.start == instant("2026-01-12 08:00")


@pytest.mark.parametrize(
    ("name", "start", "expected"),
    [
        # Forward at 02:00: the start moves with the clock, that night only.
        (BERLIN, "2026-03-28 02:30", ["2026-03-28 02:30", "2026-03-29 03:30", "2026-03-30 02:30"]),
        (BERLIN, "2026-03-28 02:00", ["2026-03-28 02:00", "2026-03-29 03:00", "2026-03-30 02:00"]),
        (BERLIN, "2026-03-28 03:00", ["2026-03-28 03:00", "2026-03-29 03:00", "2026-03-30 03:00"]),
        (BERLIN, "2026-10-24 02:30", ["2026-10-24 02:30", "2026-10-25 02:30", "2026-10-26 02:30"]),
        (SYDNEY, "2026-10-03 02:30", ["2026-10-03 02:30", "2026-10-04 03:30", "2026-10-05 02:30"]),
        (LORD_HOWE, "2026-10-03 02:15", ["2026-10-03 02:15", "2026-10-04 02:45", "2026-10-05 02:15"]),
        (LORD_HOWE, "2026-10-03 02:30", ["2026-10-03 02:30", "2026-10-04 02:30", "2026-10-05 02:30"]),
        # Midnight does not exist that day.
        ("America/Asuncion", "2023-09-30 00:00", ["2023-09-30 00:00", "2023-10-01 01:00", "2023-10-02 00:00"]),
        # Samoa left out 30 December 2011: one window where the calendar of the place has one day.
        ("Samoa Standard Time", "2011-12-29 10:00", ["2011-12-29 10:00", "2011-12-31 10:00", "2012-01-01 10:00"]),
    ],
)
def test_a_start_in_a_missing_hour_moves_forward(name: str, start: str, expected: list[str]) -> None:
    assert local(schedule("Day", start, zone=name), count=3) == expected


@pytest.mark.parametrize(
    ("name", "start", "first"),
    [
        (BERLIN, "2026-10-25 02:30", "2026-10-25 00:30"),
        ("Pacific Standard Time", "2026-11-01 01:30", "2026-11-01 08:30"),
        (SYDNEY, "2026-04-05 02:30", "2026-04-04 15:30"),
        (LORD_HOWE, "2026-04-05 01:45", "2026-04-04 14:45"),
    ],
)
def test_a_start_in_a_doubled_hour_opens_once_the_first_time(name: str, start: str, first: str) -> None:
    found = next_occurrences([schedule("Day", start, zone=name)], LONG_AGO, 2)
    assert found[0].start == instant(first)
    assert found[1].start - found[0].start > timedelta(hours=24)


@pytest.mark.parametrize("night", ["2026-03-28 23:00", "2026-10-24 23:00"])
def test_a_duration_is_elapsed_time(night: str) -> None:
    found = next_occurrences([schedule("Day", night, zone=BERLIN, hours=5)], LONG_AGO, 1)[0]
    assert found.end - found.start == timedelta(hours=5)
    shown = {"2026-03-28 23:00": "05:00", "2026-10-24 23:00": "03:00"}
    assert f"{found.end.astimezone(zone(BERLIN)):%H:%M}" == shown[night]


def test_hours_recur_in_elapsed_time() -> None:
    given = schedule("12Hours", "2026-03-28 08:00", zone=BERLIN)
    assert local(given) == ["2026-03-28 08:00", "2026-03-28 20:00", "2026-03-29 09:00", "2026-03-29 21:00"]
    found = next_occurrences([given], instant("2026-09-01 00:00"), 300)
    assert {b.start - a.start for a, b in pairwise(found)} == {timedelta(hours=12)}
    assert local(schedule("6Hours", "2026-03-29 02:30", zone=BERLIN), count=1) == ["2026-03-29 03:30"]


def test_rules_of_a_zone_that_changed_are_followed() -> None:
    """Mexico gave up daylight saving in October 2022; Turkey stays at UTC+3 since 2016."""
    mexico = schedule("12Months day1", "2021-07-01 12:00", zone="Central Standard Time (Mexico)")
    assert [each.start.hour for each in next_occurrences([mexico], LONG_AGO, 4)] == [17, 17, 18, 18]
    turkey = schedule("12Months day1", "2014-12-01 12:00", zone="Turkey Standard Time")
    assert [each.start.hour for each in next_occurrences([turkey], LONG_AGO, 4)] == [10, 10, 9, 9]


def test_twelve_windows_of_a_thousand_configurations_are_quick() -> None:
    """By the processor's time; years after the start, so that skipping ahead is measured too."""
    texts = ["6Hours", "Day", "2Weeks Saturday,Sunday", "Month day31", "Month Second Tuesday Offset4"]
    schedules = [schedule(texts[index % 5], "2015-01-01 02:30", zone=BERLIN) for index in range(1000)]
    began = time.process_time()
    found = [next_occurrences([each], instant("2026-03-01 00:00"), 12) for each in schedules]
    took = time.process_time() - began
    assert all(len(windows) == 12 for windows in found)
    assert took < 0.9
