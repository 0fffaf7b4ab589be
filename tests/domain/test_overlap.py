"""Overlapping windows of several configurations: by example, and against a look at every pair."""

import random
from datetime import UTC, datetime

from msgspec.structs import replace

from shared.domain.configuration import Configuration, next_windows
from shared.domain.maintenance_id import configuration_id
from shared.domain.overlap import Overlap, overlaps
from tests.domain.maintenance import fleet, put
from tests.domain.samples import NOW, SUBSCRIPTION


def configuration(name: str, *, enabled: bool = True, **window: object) -> Configuration:
    given = put(fleet({"enabled": enabled}, timeZone="UTC", **window))
    return replace(given, id=configuration_id(SUBSCRIPTION, "ops", name))


def test_the_time_that_two_windows_share() -> None:
    early = configuration("early", recurEvery="Week Saturday", startDateTime="2026-03-14 22:00", duration="03:00")
    late = configuration("late", recurEvery="Day", startDateTime="2026-03-14 23:30", duration="12:00")
    assert overlaps([late, early], NOW, 1) == [
        Overlap(
            first=early.id,
            second=late.id,
            start=datetime(2026, 3, 14, 23, 30, tzinfo=UTC),
            end=datetime(2026, 3, 15, 1, 0, tzinfo=UTC),
        )
    ]


def test_windows_that_only_touch_do_not_overlap() -> None:
    one = configuration("one", startDateTime="2026-03-14 22:00", duration="02:00")
    other = configuration("other", startDateTime="2026-03-15 00:00", duration="02:00", recurEvery="Week Sunday")
    assert overlaps([one, other], NOW, 1) == []


def test_a_disabled_configuration_meets_nobody() -> None:
    assert len(overlaps([configuration("one"), configuration("other")], NOW, 1)) == 1
    assert overlaps([configuration("one"), configuration("other", enabled=False)], NOW, 1) == []


def test_against_every_pair() -> None:
    dice, met = random.Random(3), 0
    for _ in range(60):
        given = [
            configuration(
                name,
                recurEvery=dice.choice(["Day", "2Days", "Week Monday,Friday", "12Hours", "Month day1,day15"]),
                startDateTime=f"2026-03-{dice.randint(10, 28)} {dice.randint(0, 23):02}:30",
                duration=f"{dice.randint(1, 11):02}:00",
            )
            for name in "abc"
        ]
        windows = [(window, each.id) for each in given for window in next_windows(each, NOW, 8)]
        expected = {
            (max(a.start, b.start), min(a.end, b.end))
            for a, one in windows
            for b, other in windows
            if one.key < other.key and a.start < b.end and b.start < a.end
        }
        found = overlaps(given, NOW, 8)
        assert {(each.start, each.end) for each in found} == expected
        assert [each.start for each in found] == sorted(each.start for each in found)
        met += len(found)
    assert met > 100
