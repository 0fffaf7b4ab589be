"""A run of a configuration that is under way, its machines' attempts, and clocks by which something happens."""

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.cloud.clock import Clock
from shared.domain.machine import Outcome
from shared.domain.messages import AdvanceRun
from shared.domain.operation import Accepted, Operation, Refused, answered, installed, sending
from shared.domain.phase import Phase
from shared.domain.resource_id import parse_machine_id
from shared.domain.run import Run, RunMachine, Step, claim_for, selected
from shared.domain.wave import Plan
from shared.store.runs import Loaded
from shared.store.store import Store
from tests.domain.samples import NOW, RUN, installation, minutes, run, run_machine
from tests.workflows.house import House

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
