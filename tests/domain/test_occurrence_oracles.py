"""Random rules by seed against two other calendars, and what must hold of every sequence of windows."""

import random
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise

import pytest
from msgspec.structs import replace

from shared.domain.occurrence import Schedule, local_to_utc, next_occurrences, occurrence_at
from tests.domain.calendars import by_library, by_walking, random_schedule

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
SHARES = 10
"""Parts that the seeds are tested in, so that a failure names its hundredth and not the whole."""


def seeds(share: int, count: int) -> range:
    return range(share, count, SHARES)


def starts(schedule: Schedule, before: datetime) -> list[datetime]:
    found = next_occurrences([schedule], BEGINNING, 400_000)
    return [window.start for window in found if window.start < before]


def same(instants: list[datetime], before: datetime) -> list[datetime]:
    return [instant for instant, _ in groupby(sorted(instants)) if instant < before]


@pytest.mark.parametrize("share", range(SHARES))
def test_against_a_calendar_library(share: int) -> None:
    """300 rules, 12 years each: dateutil's zones end in 2037."""
    for seed in seeds(share, 300):
        schedule = replace(random_schedule(seed, hours=False), expires=None)
        before = local_to_utc(schedule.start.replace(year=schedule.start.year + 12, day=1), "UTC") - timedelta(days=40)
        bounded = replace(schedule, expires=before.replace(tzinfo=None) + timedelta(days=3))
        assert starts(bounded, before) == same(by_library(schedule, 12), before), (seed, schedule)


@pytest.mark.parametrize("share", range(SHARES))
def test_against_every_day_of_thirty_years(share: int) -> None:
    """60 rules, hours among them."""
    for seed in seeds(share, 60):
        schedule = random_schedule(10_000 + seed)
        walked = by_walking(schedule, 30)
        before = schedule.start.replace(tzinfo=UTC) + timedelta(days=30 * 365 - 40)
        bounded = replace(schedule, expires=before.replace(tzinfo=None) + timedelta(days=3))
        assert starts(bounded, before) == same(walked, before), (seed, schedule)


@pytest.mark.parametrize("share", range(SHARES))
def test_what_holds_of_every_sequence(share: int) -> None:
    for seed in seeds(share, 300):
        dice, schedule = random.Random(seed), random_schedule(20_000 + seed)
        first = local_to_utc(schedule.start, schedule.zone)
        whole = next_occurrences([schedule], BEGINNING, 60)
        assert all(a.start < b.start for a, b in pairwise(whole))
        assert all(window.start >= first for window in whole)
        assert {window.end - window.start for window in whole} <= {schedule.duration}
        for skipped in dice.sample(range(len(whole)), min(5, len(whole))):
            just_before = whole[skipped].start - timedelta.resolution
            assert next_occurrences([schedule], just_before, 60 - skipped) == whole[skipped:], (seed, schedule)
            assert next_occurrences([schedule], whole[skipped].start, 59 - skipped) == whole[skipped + 1 :]
            found = occurrence_at([schedule], whole[skipped].start)
            assert found == whole[skipped]


@pytest.mark.parametrize("share", range(SHARES))
def test_what_holds_of_several_rules(share: int) -> None:
    """The sequence is the union of each rule's own, whatever their order."""
    for seed in seeds(share, 100):
        dice = random.Random(seed)
        given = [replace(random_schedule(30_000 + 3 * seed + n), zone="Europe/Dublin") for n in range(3)]
        after = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=dice.randrange(2000))
        found = next_occurrences(given, after, 40)
        assert found == next_occurrences(given[::-1], after, 40)
        last = found[-1].start
        each = [window for one in given for window in next_occurrences([one], after, 40) if window.start <= last]
        longest: dict[datetime, datetime] = {}
        for window in each:
            longest[window.start] = max(window.end, longest.get(window.start, window.end))
        assert {window.start: window.end for window in found} == longest
