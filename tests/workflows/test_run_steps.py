"""Steps of a large run: which attempts each reads, and what becomes of one that another step crosses."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient
from msgspec.structs import replace

from infra.local.azurite import Azurite
from shared.cloud.clock import Clock
from shared.domain.alarm import PATIENCE
from shared.domain.machine import Outcome
from shared.domain.messages import AdvanceRun
from shared.domain.operation import Accepted, Operation, Refused, answered, installed, sending
from shared.domain.phase import Phase
from shared.domain.reason import reason
from shared.domain.resource_id import parse_machine_id
from shared.domain.run import MOST_CHANGES, PERMIT_LIFE, Run, RunMachine, Step, claim_for, selected
from shared.domain.wave import Plan
from shared.store.runs import Loaded
from shared.store.store import Store
from shared.workflows.runs import advance_run
from tests.domain.samples import NOW, RUN, installation, minutes, run, run_machine
from tests.store.wire import Wire
from tests.workflows.house import House
from tests.workflows.storage import on_azurite

OPEN = NOW + minutes(5)
SOON, BEFORE = OPEN + timedelta(seconds=5), OPEN - minutes(1)
ALARM = AdvanceRun(run=RUN, alarm=7)
SECOND = timedelta(seconds=1)


def opened(store: Store, *machines: RunMachine) -> Run:
    """A run that is under way, with an attempt for each machine that has had a permit."""
    begun = selected(replace(run(), request=None, phase=Phase.SELECTING), Plan(begin_by=NOW + minutes(10)))
    begun = replace(begun, phase=Phase.OPEN, alarm=7, alarm_at=OPEN)
    assert store.runs.create(begun, machines)
    for each in machines:
        if each.step in (Step.PERMITTED, Step.RUNNING):
            assert store.operations.claim(claim_for(begun, each.machine, NOW))
    return begun


def part(number: int, step: Step, permit: bool = True) -> RunMachine:
    """`permit`: it has one still."""
    until = {Step.PERMITTED: SOON if permit else BEFORE, Step.RUNNING: BEFORE}.get(step)
    return replace(run_machine(number), step=step, permit_until=until)


def moved(store: Store, machine: RunMachine, *changes: Callable[[Operation], Operation]) -> None:
    """Its attempt, one state after the other."""
    for change in changes:
        held = store.operations.in_flight(parse_machine_id(machine.machine))
        assert held is not None
        store.operations.save(held, change(held.operation))


def sent(operation: Operation) -> Operation:
    return sending(operation, OPEN)


def accepted(operation: Operation) -> Operation:
    return answered(operation, Accepted(url="u", result_url="", retry_after=5), OPEN)[0]


def done(operation: Operation) -> Operation:
    return installed(operation, installation(Outcome.SUCCEEDED, ended=OPEN), OPEN)


def failed(operation: Operation) -> Operation:
    return installed(operation, installation(Outcome.FAILED, ended=OPEN), OPEN)


def load(store: Store) -> Loaded:
    found = store.runs.load(RUN)
    assert found is not None
    return found


def step_of(store: Store, machine: RunMachine) -> Step:
    return next(each.step for each in load(store).machines if each.machine == machine.machine)


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


class Crossed(Clock):
    """Something happens at its second reading: the step has read, and has not written."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__(lambda: OPEN)
        self._act, self.readings = act, 0

    def now(self) -> datetime:
        self.readings += 1
        if self.readings == 2:
            self._act()
        return super().now()


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


def test_a_step_for_a_machine_that_has_ended_reads_one_row_and_does_nothing(house: House) -> None:
    one, other = replace(part(0, Step.ENDED), outcome=Outcome.SUCCEEDED, ended=NOW), part(1, Step.WAITING)
    begun = selected(replace(run(), request=None, phase=Phase.SELECTING), Plan(begin_by=NOW + minutes(10)))
    begun = replace(begun, phase=Phase.OPEN)
    assert house.store.runs.create(begun, [one, other])
    advance_run(house.store, AdvanceRun(run=RUN, machine=one.machine), Clock(lambda: OPEN))
    assert step_of(house.store, other) is Step.WAITING
    advance_run(house.store, AdvanceRun(run=RUN), Clock(lambda: OPEN))
    assert step_of(house.store, other) is Step.PERMITTED


class Told(Clock):
    """Says what it is told."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        super().__init__(lambda: self.at)


def refused(operation: Operation) -> Operation:
    return answered(operation, Refused(status=409, code="Conflict", message="busy"), OPEN + SECOND)[0]


def alarms(house: House) -> list[AdvanceRun]:
    """What was sent to come by itself, since somebody looked."""
    sent_ones = [letter.message for letter in house.lose()]
    return [each for each in sent_ones if isinstance(each, AdvanceRun) and each.alarm is not None]


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
