"""What a run's alarm is set for, and who makes up for one that is lost."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.cloud.clock import Clock
from shared.domain.alarm import PATIENCE
from shared.domain.machine import Outcome
from shared.domain.messages import AdvanceRun
from shared.domain.reason import reason
from shared.domain.run import MOST_CHANGES, PERMIT_LIFE, Step
from shared.workflows.runs import advance_run
from tests.domain.samples import NOW, RUN, minutes
from tests.workflows.house import House
from tests.workflows.opened_runs import (
    ALARM,
    OPEN,
    SECOND,
    Told,
    accepted,
    alarms,
    done,
    failed,
    load,
    moved,
    opened,
    part,
    refused,
    sent,
    step_of,
)


def test_a_permit_after_an_alarm_that_found_nothing_due_has_one_of_its_own(house: House) -> None:
    store, one, clock = house.store, part(0, Step.PERMITTED, permit=False), Told(OPEN)
    opened(store, one)
    moved(store, one, sent)
    advance_run(store, ALARM, clock)
    assert (step_of(store, one), alarms(house)) == (Step.RUNNING, [])
    moved(store, one, refused)
    clock.at = OPEN + 7 * SECOND
    advance_run(store, AdvanceRun(run=RUN, machine=one.machine), clock)
    assert step_of(store, one) is Step.PERMITTED
    assert alarms(house) == [replace(ALARM, alarm=8)]


def test_the_alarm_sees_a_start_that_was_refused_though_its_message_came_too_early(house: House) -> None:
    """By the clock of another instance it waits for a second still."""
    store, one, clock = house.store, part(0, Step.RUNNING), Told(OPEN + 5 * SECOND)
    begun = opened(store, one)
    store.runs.save(load(store), replace(begun, alarm_at=None), [])
    moved(store, one, sent, refused)
    advance_run(store, AdvanceRun(run=RUN, machine=one.machine), clock)
    (alarm,) = alarms(house)
    clock.at = OPEN + 8 * SECOND
    advance_run(store, alarm, clock)
    (again,) = load(store).machines
    assert again.permit_until == clock.at + PERMIT_LIFE


def test_an_alarm_that_is_lost_is_made_up_for_at_once_by_whoever_comes_next(house: House) -> None:
    """Not by one for something far off, which the lost one would then be outdated by."""
    store, one, other, clock = house.store, part(0, Step.PERMITTED, permit=False), part(1, Step.RUNNING), Told(OPEN)
    opened(store, one, other, replace(part(2, Step.WAITING), wave=1))
    moved(store, other, sent, accepted, done)
    clock.at = OPEN + PATIENCE + SECOND
    advance_run(store, AdvanceRun(run=RUN, machine=other.machine), clock)
    (alarm,) = alarms(house)
    assert load(store).run.alarm_at == clock.at
    advance_run(store, alarm, clock)
    (again, *_) = load(store).machines
    assert again.permit_until == clock.at + PERMIT_LIFE


def test_a_step_that_goes_on_at_once_is_set_going_though_its_sender_died_just_now(house: House) -> None:
    store = house.store
    begun = opened(store)
    for first in range(0, 150, 50):
        parts = [part(number, Step.WAITING) for number in range(first, first + 50)]
        store.runs.save(load(store), begun, parts)
    stopped = replace(begun, stopped_because=reason("FailureBudgetUsed"), alarm=8, alarm_at=OPEN)
    store.runs.save(load(store), stopped, [])
    house.lose()
    advance_run(store, AdvanceRun(run=RUN), Clock(lambda: OPEN))
    assert sum(each.is_ended for each in load(store).machines) == MOST_CHANGES
    assert alarms(house) == [replace(ALARM, alarm=9, heals=True)]


def test_an_end_that_only_stops_the_run_is_seen_by_the_step_after_it(house: House) -> None:
    """The machine's own message is spent on the stop."""
    store, one, other = house.store, part(0, Step.RUNNING), part(1, Step.WAITING)
    begun = opened(store, one, other)
    assert begun.plan
    store.runs.save(load(store), replace(begun, plan=replace(begun.plan, failures=1)), [])
    moved(store, one, sent, accepted, failed)
    house.lose()
    advance_run(store, AdvanceRun(run=RUN, machine=one.machine), Clock(lambda: OPEN))
    assert step_of(store, one) is Step.RUNNING
    (alarm,) = alarms(house)
    advance_run(store, alarm, Clock(lambda: OPEN))
    assert load(store).run.closed


def test_a_permit_that_ran_out_while_there_was_no_room_is_looked_at_when_there_is(house: House) -> None:
    store, one, other, clock = house.store, part(0, Step.PERMITTED, permit=False), part(1, Step.RUNNING), Told(OPEN)
    begun = opened(store, one, other)
    assert begun.plan
    limited = replace(begun, plan=replace(begun.plan, concurrency=1), alarm_at=OPEN + minutes(80))
    store.runs.save(load(store), limited, [])
    moved(store, other, sent, accepted, done)
    house.lose()
    advance_run(store, AdvanceRun(run=RUN, machine=other.machine), clock)
    (alarm,) = alarms(house)
    clock.at = OPEN + 2 * SECOND
    advance_run(store, alarm, clock)
    assert next(each.permit_until for each in load(store).machines if each.machine == one.machine) == (
        clock.at + PERMIT_LIFE
    )


@pytest.mark.parametrize(("late", "taken"), [(PATIENCE - SECOND, False), (PATIENCE, True)])
def test_a_message_of_an_end_sets_an_alarm_that_whoever_took_the_step_never_sent(
    house: House, late: timedelta, taken: bool
) -> None:
    store, one = house.store, replace(part(0, Step.ENDED), outcome=Outcome.SUCCEEDED, ended=NOW)
    opened(store, one, part(1, Step.PERMITTED))
    advance_run(store, AdvanceRun(run=RUN, machine=one.machine), Clock(lambda: OPEN + late))
    assert bool(alarms(house)) is taken
