"""Ends that are on record in the run's rows: one step takes many along, and none of them keeps the others."""

import pytest
from msgspec.structs import replace

from shared.cloud.clock import Clock
from shared.domain.machine import Outcome
from shared.domain.messages import AdvanceRun, FollowOperation, StartInstallation
from shared.domain.operation import Operation, end
from shared.domain.reason import reason
from shared.domain.resource_id import parse_machine_id
from shared.domain.run import Run, RunMachine, Step
from shared.domain.wave import Plan
from shared.store.store import Store
from shared.store.table import LARGEST_KEY, Merge, Row
from shared.workflows.operations import follow
from shared.workflows.run_reading import TAKEN_ALONG
from shared.workflows.runs import advance_run
from shared.workflows.sending import go_on
from tests.domain.samples import RUN
from tests.workflows.house import House
from tests.workflows.opened_runs import (
    ALARM,
    OPEN,
    Crossed,
    accepted,
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

NOW = Clock(lambda: OPEN)


def running(store: Store, count: int) -> list[RunMachine]:
    """A run of machines that are under way, in the order of its rows."""
    opened(store, *(part(number, Step.RUNNING) for number in range(count)))
    return list(load(store).machines)


def over(store: Store, machine: RunMachine, outcome: Outcome = Outcome.SUCCEEDED) -> None:
    """Its attempt has ended, and the run's rows say so."""
    moved(store, machine, sent, accepted, {Outcome.SUCCEEDED: done, Outcome.FAILED: failed}[outcome])
    store.runs.mark_over(RUN, machine.machine, failed=outcome is Outcome.FAILED)


def message(machine: RunMachine) -> AdvanceRun:
    return AdvanceRun(run=RUN, machine=machine.machine)


def ended(store: Store) -> set[str]:
    return {each.machine for each in load(store).machines if each.is_ended}


def test_who_sees_a_machine_over_says_so_in_the_runs_rows(house: House) -> None:
    one, other = running(house.store, 2)
    for each, changes in ((one, (sent, accepted, done)), (other, (sent, refused))):
        moved(house.store, each, *changes)
        attempt = house.store.operations.attempt(parse_machine_id(each.machine), RUN)
        assert attempt is not None
        go_on(house.store, attempt, 0)
    assert load(house.store).marked == {one.machine: False}
    assert load(house.store).machines == (one, other)
    assert {letter.message for letter in house.waiting()} == {message(one), message(other)}


def test_a_step_takes_along_whose_end_is_on_record(house: House) -> None:
    """Their own messages then have nothing to do. So many that a step takes no longer than it would anyway."""
    first, *others = running(house.store, TAKEN_ALONG + 3)
    for each in others:
        over(house.store, each)
    advance_run(house.store, message(others[-1]), NOW)
    assert ended(house.store) == {each.machine for each in [others[-1], *others[: TAKEN_ALONG - 1]]}
    house.lose()
    clock = Crossed(lambda: None)
    advance_run(house.store, message(others[0]), clock)
    assert (clock.readings, house.waiting()) == (1, [])
    advance_run(house.store, message(others[-2]), NOW)
    assert ended(house.store) == {each.machine for each in others}
    assert step_of(house.store, first) is Step.RUNNING


def test_steps_that_meet_take_different_machines_along(house: House) -> None:
    machines = running(house.store, 2 * TAKEN_ALONG)
    for each in machines:
        over(house.store, each)
    advance_run(house.store, message(machines[0]), NOW)
    advance_run(house.store, message(machines[TAKEN_ALONG]), NOW)
    assert len(ended(house.store)) == 2 * TAKEN_ALONG


def test_failures_are_seen_before_more_is_started(house: House) -> None:
    """Whatever their names, and whoever's message comes first: the budget counts them."""
    machines = [part(number, Step.RUNNING) for number in range(TAKEN_ALONG + 3)]
    begun = opened(house.store, *machines, part(99, Step.WAITING))
    house.store.runs.save(load(house.store), with_budget(begun, 2), [])
    *good, bad, worse, last, _ = load(house.store).machines
    for each in [*good, last]:
        over(house.store, each)
    for each in (bad, worse):
        over(house.store, each, Outcome.FAILED)
    advance_run(house.store, message(good[0]), NOW)
    stopped = load(house.store).run.stopped_because
    assert stopped is not None
    assert stopped.code == "FailureBudgetUsed"
    assert not [each for each in load(house.store).machines if each.step is Step.PERMITTED]


def with_budget(run: Run, failures: int) -> Run:
    assert run.plan is not None
    return replace(run, plan=Plan(begin_by=run.plan.begin_by, failures=failures))


def test_ends_without_a_result_of_azures_are_not_marked(house: House) -> None:
    """The step writes them down itself, machine by machine, while the permits live that it grants."""

    def unstarted(operation: Operation) -> Operation:
        return end(operation, Outcome.NOT_STARTED, reason("PoweredOff"), OPEN)

    (one,) = running(house.store, 1)
    moved(house.store, one, unstarted)
    attempt = house.store.operations.attempt(parse_machine_id(one.machine), RUN)
    assert attempt is not None
    go_on(house.store, attempt, 0)
    assert load(house.store).marked == {}
    assert [letter.message for letter in house.waiting()] == [message(one)]


@pytest.mark.parametrize("alarm", [True, False])
def test_a_machine_whose_row_is_broken_keeps_no_other_one(house: House, alarm: bool) -> None:
    """Nor does it keep failures from being counted."""
    store, waits = house.store, part(3, Step.PERMITTED, permit=False)
    begun = opened(store, *(part(number, Step.RUNNING) for number in range(3)), waits)
    store.runs.save(load(store), with_budget(begun, 1), [])
    broken, good, bad, _ = load(store).machines
    for each in (broken, good):
        over(store, each)
    over(store, bad, Outcome.FAILED)
    address = parse_machine_id(broken.machine)
    store.operations._table.write(Merge(Row(partition=address.key, key=f"attempt|{RUN}", values={"operation": "{"})))
    step, stop = (ALARM if alarm else message(good)), AdvanceRun(run=RUN, alarm=8)
    advance_run(store, step, NOW)
    advance_run(store, stop, NOW)
    assert ended(store) >= {good.machine, bad.machine}
    assert load(store).run.stopped_because is not None
    assert not [each for each in house.waiting() if isinstance(each.message, StartInstallation)]
    with pytest.raises(ValueError, match="truncated"):
        advance_run(store, message(broken), NOW)


def test_a_mark_that_cannot_be_written_keeps_no_message(house: House) -> None:
    (one,) = running(house.store, 1)
    moved(house.store, one, sent, accepted, done)
    attempt = house.store.operations.attempt(parse_machine_id(one.machine), RUN)
    assert attempt is not None
    go_on(house.store, replace(attempt, machine=attempt.machine + LARGEST_KEY * "x"), 0)
    assert len(house.waiting()) == 1


def test_any_mark_is_one(house: House) -> None:
    (one,) = running(house.store, 1)
    address = parse_machine_id(one.machine)
    house.store.runs._table.write(Merge(Row(partition=RUN, key=f"m|{address.key}", values={"over": True})))
    assert load(house.store).marked == {one.machine: False}


def test_a_mark_without_a_run_is_no_machine(house: House) -> None:
    """As where tables were restored to different instants."""
    lost, machine = part(0, Step.RUNNING), part(1, Step.RUNNING)
    house.store.runs.mark_over(RUN, lost.machine, failed=True)
    assert house.store.runs.load(RUN) is None
    opened(house.store, machine)
    assert load(house.store).machines == (machine,)
    assert load(house.store).marked == {}
    assert house.store.runs.machine(RUN, lost.machine) is None
    assert house.store.runs.page(RUN, "", 5) == ([machine], "")


def test_the_end_of_an_installation_is_told_again_when_its_message_comes_again(house: House) -> None:
    """Whoever saved it may have died before the run was told."""
    (one,) = running(house.store, 1)
    moved(house.store, one, sent, accepted, done)
    follow(house.azure, house.store, FollowOperation(machine=one.machine, attempt=RUN, look=0))
    assert [letter.message for letter in house.waiting()] == [message(one)]
    assert load(house.store).marked == {one.machine: False}
