"""When a run's alarm is set anew, and which alarms have nothing to say any more."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.domain.alarm import PATIENCE, is_outdated, is_spent, with_alarm, without_alarm
from shared.domain.messages import AdvanceRun
from tests.domain.samples import NOW, run

SECOND = timedelta(seconds=1)
PENDING = replace(run(), alarm=3, alarm_at=NOW + 10 * SECOND)


def test_a_run_without_one_gets_the_first() -> None:
    assert with_alarm(run(), NOW, NOW, spent=False) == replace(run(), alarm=1, alarm_at=NOW)


@pytest.mark.parametrize(("after", "stands"), [(9, False), (10, True), (11, True)])
def test_it_stands_until_something_is_due_before_it(after: int, stands: bool) -> None:
    at = NOW + after * SECOND
    assert with_alarm(PENDING, at, NOW, spent=False) == (PENDING if stands else replace(PENDING, alarm=4, alarm_at=at))


@pytest.mark.parametrize(("late", "stands"), [(timedelta(), True), (PATIENCE - SECOND, True), (PATIENCE, False)])
def test_a_late_one_is_waited_for_and_then_made_up_for_at_once(late: timedelta, stands: bool) -> None:
    now = NOW + 10 * SECOND + late
    at = now + SECOND
    assert with_alarm(PENDING, at, now, spent=False) == (PENDING if stands else replace(PENDING, alarm=4, alarm_at=now))


def test_one_that_has_come_is_replaced_by_a_later_one() -> None:
    at = NOW + 60 * SECOND
    assert with_alarm(PENDING, at, NOW, spent=True) == replace(PENDING, alarm=4, alarm_at=at)


@pytest.mark.parametrize(
    ("message", "spent", "outdated"),
    [
        (AdvanceRun(run="r", alarm=3), True, False),
        (AdvanceRun(run="r", alarm=2), False, True),
        (AdvanceRun(run="r", alarm=2, heals=True), False, False),
        (AdvanceRun(run="r", machine="m"), False, False),
        (AdvanceRun(run="r"), False, False),
    ],
)
def test_only_an_alarm_that_was_replaced_has_nothing_to_say(message: AdvanceRun, spent: bool, outdated: bool) -> None:
    assert (is_spent(PENDING, message), is_outdated(PENDING, message, NOW)) == (spent, outdated)


def test_one_that_has_come_where_nothing_is_due_is_pending_no_more() -> None:
    after = without_alarm(PENDING)
    assert with_alarm(after, NOW + 60 * SECOND, NOW, spent=False).alarm_at == NOW + 60 * SECOND


def test_one_to_the_second_is_not_put_off_for_one_that_was_rounded_up() -> None:
    at = NOW + 10 * SECOND
    assert not is_outdated(PENDING, AdvanceRun(run="r", alarm=2), at - SECOND)
    assert is_outdated(PENDING, AdvanceRun(run="r", alarm=2), at - 1.1 * SECOND)


def test_it_speaks_for_one_that_should_have_come() -> None:
    """Whoever set that one may have died before it was sent."""
    assert not is_outdated(PENDING, AdvanceRun(run="r", alarm=2), NOW + 10 * SECOND)
