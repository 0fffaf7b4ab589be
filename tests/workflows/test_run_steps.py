"""Steps of a large run: which attempts each reads, and what becomes of one that another step crosses."""

from datetime import timedelta

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient
from msgspec.structs import replace

from infra.local.azurite import Azurite
from shared.cloud.clock import Clock
from shared.domain.machine import Outcome
from shared.domain.messages import AdvanceRun
from shared.domain.phase import Phase
from shared.domain.reason import reason
from shared.domain.resource_id import parse_machine_id
from shared.domain.run import PERMIT_LIFE, Step, selected
from shared.domain.wave import Plan
from shared.workflows.runs import advance_run
from tests.domain.samples import NOW, RUN, minutes, run, run_machine
from tests.store.wire import Wire
from tests.workflows.house import House
from tests.workflows.opened_runs import (
    ALARM,
    OPEN,
    SECOND,
    Crossed,
    accepted,
    done,
    load,
    moved,
    opened,
    part,
    sent,
    step_of,
)
from tests.workflows.storage import on_azurite


@pytest.fixture
def wired(azurite: Azurite) -> tuple[House, Wire]:
    wire = Wire()
    storage = on_azurite(
        TableServiceClient.from_connection_string(azurite.connection_string, transport=wire),
        QueueServiceClient.from_connection_string(azurite.connection_string, transport=wire),
    )
    return House(storage), wire


@pytest.mark.azurite
@pytest.mark.parametrize(
    ("message", "read"),
    [
        (ALARM, {"ran out"}),
        (replace(ALARM, heals=True), {"ran out", "lives", "runs"}),
        (AdvanceRun(run=RUN), {"ran out", "lives", "runs"}),
        (replace(ALARM, alarm=6), {"ran out"}),  # the pending one should have come
        (AdvanceRun(run=RUN, machine=run_machine(2).machine), {"runs"}),
    ],
)
def test_a_step_reads_the_attempts_that_it_is_for(
    wired: tuple[House, Wire], message: AdvanceRun, read: set[str]
) -> None:
    house, wire = wired
    machines = {"ran out": part(0, Step.PERMITTED, permit=False), "lives": part(1, Step.PERMITTED),
                "runs": part(2, Step.RUNNING), "waits": part(3, Step.WAITING)}  # fmt: skip
    opened(house.store, *machines.values())
    wire.seen.clear()
    advance_run(house.store, message, Clock(lambda: OPEN))
    asked = "".join(each.path for each in wire.seen if each.method == "GET" and "operations" in each.path)
    names = {name: parse_machine_id(each.machine).name for name, each in machines.items()}
    assert {name for name, of in names.items() if f"{of}'" in asked} == read


def test_an_alarm_before_the_pending_one_reads_one_row_and_does_nothing(house: House) -> None:
    one = part(0, Step.PERMITTED, permit=False)
    begun = opened(house.store, one)
    advance_run(house.store, replace(ALARM, alarm=6), Clock(lambda: OPEN - timedelta(seconds=2)))
    assert load(house.store).run == begun
    assert house.waiting() == []


def test_a_step_that_another_crosses_is_taken_at_once_with_what_it_has_read(house: House) -> None:
    store, one, other = house.store, part(0, Step.RUNNING), part(1, Step.RUNNING)
    opened(store, one, other, part(2, Step.RUNNING))
    for each in (one, other):
        moved(store, each, sent, accepted, done)

    def cross() -> None:
        advance_run(store, AdvanceRun(run=RUN, machine=other.machine), Clock(lambda: OPEN))

    advance_run(store, AdvanceRun(run=RUN, machine=one.machine), Crossed(cross))
    assert (step_of(store, one), step_of(store, other)) == (Step.ENDED, Step.ENDED)
    assert not [each for each in house.waiting() if each.message == AdvanceRun(run=RUN, machine=one.machine)]


def test_a_machine_that_another_step_has_moved_is_looked_at_again(house: House) -> None:
    """It was read before it ended; the step that crosses it has seen no end either."""
    store, one = house.store, part(0, Step.PERMITTED, permit=False)
    opened(store, one, part(1, Step.RUNNING))
    moved(store, one, sent, accepted)

    def cross() -> None:
        advance_run(store, ALARM, Clock(lambda: OPEN))
        assert step_of(store, one) is Step.RUNNING
        moved(store, one, done)

    advance_run(store, AdvanceRun(run=RUN, machine=one.machine), Crossed(cross))
    assert step_of(store, one) is Step.ENDED


def test_a_machine_that_was_not_read_and_is_moved_meanwhile_stays_as_the_other_step_left_it(house: House) -> None:
    """It may be under way by now."""
    store, one, other = house.store, part(0, Step.PERMITTED, permit=False), part(1, Step.RUNNING)
    opened(store, one, other)
    moved(store, other, sent, accepted, done)

    def cross() -> None:
        advance_run(store, ALARM, Clock(lambda: OPEN))

    advance_run(store, AdvanceRun(run=RUN, machine=other.machine), Crossed(cross))
    (again,) = [each for each in load(store).machines if each.machine == one.machine]
    assert (again.step, again.permit_until is not None and again.permit_until > OPEN) == (Step.PERMITTED, True)
    assert step_of(store, other) is Step.ENDED
    assert sum(each.message == AdvanceRun(run=RUN, machine=other.machine) for each in house.waiting()) == 0


def test_where_steps_meet_one_takes_permits_along_that_ran_out(house: House) -> None:
    """Else permits that ran out would wait for the alarm, which comes after hundreds of ends."""
    store, one, other = house.store, part(0, Step.RUNNING), part(1, Step.RUNNING)
    third, free, lives = part(2, Step.RUNNING), part(3, Step.PERMITTED, permit=False), part(4, Step.PERMITTED)
    opened(store, one, other, third, free, lives)
    for each in (one, other):
        moved(store, each, sent, accepted, done)

    def cross() -> None:
        advance_run(store, AdvanceRun(run=RUN, machine=other.machine), Clock(lambda: OPEN))

    advance_run(store, AdvanceRun(run=RUN, machine=one.machine), Crossed(cross))
    known = {each.machine: each for each in load(store).machines}
    assert {known[each.machine].step for each in (one, other)} == {Step.ENDED}
    assert known[free.machine].permit_until == OPEN + PERMIT_LIFE
    assert (known[third.machine], known[lives.machine]) == (third, lives)


def test_a_step_whose_machine_another_has_seen_end_is_not_decided_anew(house: House) -> None:
    """What it came for is done; what else is due has its own messages."""
    store, one, waits = house.store, part(0, Step.RUNNING), part(1, Step.PERMITTED)
    opened(store, one, waits)
    moved(store, one, sent, accepted, done)
    message = AdvanceRun(run=RUN, machine=one.machine)
    clock = Crossed(lambda: advance_run(store, message, Clock(lambda: OPEN)))
    advance_run(store, message, clock)
    assert step_of(store, one) is Step.ENDED
    assert clock.readings <= 4  # one step's


def test_a_step_for_a_machine_that_has_ended_reads_one_row_and_does_nothing(house: House) -> None:
    one, other = replace(part(0, Step.ENDED), outcome=Outcome.SUCCEEDED, ended=NOW), part(1, Step.WAITING)
    begun = selected(replace(run(), request=None, phase=Phase.SELECTING), Plan(begin_by=NOW + minutes(10)))
    begun = replace(begun, phase=Phase.OPEN)
    assert house.store.runs.create(begun, [one, other])
    advance_run(house.store, AdvanceRun(run=RUN, machine=one.machine), Clock(lambda: OPEN))
    assert step_of(house.store, other) is Step.WAITING
    advance_run(house.store, AdvanceRun(run=RUN), Clock(lambda: OPEN))
    assert step_of(house.store, other) is Step.PERMITTED


def test_a_machine_that_is_being_started_puts_the_step_off_and_repeats_nothing(house: House) -> None:
    """Its run's rows have not moved: decided anew at once it would end the same way."""
    store, one, other = house.store, part(0, Step.PERMITTED, permit=False), part(1, Step.WAITING)
    begun = opened(store, one, other)
    store.runs.save(load(store), replace(begun, stopped_because=reason("FailureBudgetUsed")), [])
    clock = Crossed(lambda: moved(store, one, sent))
    advance_run(store, AdvanceRun(run=RUN), clock)
    assert step_of(store, one) is Step.PERMITTED
    assert clock.readings <= 5  # one step's
    assert [letter.message for letter in house.lose()] == [AdvanceRun(run=RUN)]
    advance_run(store, AdvanceRun(run=RUN), Clock(lambda: OPEN + SECOND))
    assert (step_of(store, one), step_of(store, other)) == (Step.RUNNING, Step.ENDED)
