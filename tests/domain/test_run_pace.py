"""A large run and Azure's throttle, in simulated time: steps by the alarm alone, starts by their permits and slots."""

import heapq
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from shared.domain.advance import advance
from shared.domain.bucket import Bucket, lease
from shared.domain.messages import StartInstallation
from shared.domain.operation import Accepted, Operation, answered, has_slot, seconds_to_wait, sending, with_slot
from shared.domain.phase import Phase
from shared.domain.run import Run, RunMachine, Step, claim_for, free_at, may_start, selected
from shared.domain.wave import Plan
from tests.domain.samples import NOW, minutes, run, run_machine

TAKEN = Accepted(url="u", result_url="", retry_after=60)
SECOND = timedelta(seconds=1)
LATE = timedelta(milliseconds=100)
"""Every message comes so much later than it could."""


class World:
    """One run of machines that all start at once, and the throttle they share."""

    def __init__(self, count: int, full_in: timedelta) -> None:
        opened = selected(replace(run(), request=None, phase=Phase.SELECTING), Plan(begin_by=NOW + minutes(10)))
        self.run: Run = replace(opened, phase=Phase.OPEN)
        self.machines = {each.machine: each for each in map(run_machine, range(count))}
        self.facts: dict[str, Operation] = {}
        self.now = NOW + 3 * SECOND
        self.bucket = Bucket(full_at=self.now + full_in)
        self.started: list[datetime] = []
        self.reads = 0
        self._events: list[tuple[datetime, str]] = []

    def live(self, until: datetime) -> None:
        self._alarm()
        while self._events and len(self.started) < len(self.machines):
            at, machine = heapq.heappop(self._events)
            self.now = max(self.now, at + LATE)
            if self.now > until:
                return
            if machine:
                self._start(machine)
            else:
                self._alarm()

    def _alarm(self) -> None:
        unseen = {each.machine for each in self.machines.values() if self._is_left_alone(each)}
        self.reads += sum(each.step is not Step.WAITING for each in self.machines.values()) - len(unseen)
        decided = advance(self.run, tuple(self.machines.values()), self.facts, self.now, unseen)
        self.machines |= {each.machine: each for each in decided.machines}
        for message in decided.messages:
            if isinstance(message, StartInstallation):
                heapq.heappush(self._events, (self.now, message.machine))
        if decided.wake is not None and not any(not machine for _, machine in self._events):
            heapq.heappush(self._events, (self.now + decided.wake * SECOND, ""))

    def _is_left_alone(self, machine: RunMachine) -> bool:
        free = free_at(self.run, machine)
        return machine.step is Step.RUNNING or (machine.step is Step.PERMITTED and free is not None and self.now < free)

    def _start(self, name: str) -> None:
        machine = self.machines[name]
        claim = self.facts.get(name) or claim_for(self.run, name, self.now, machine)
        if not may_start(self.run, machine, self.now) or claim.sent:
            return
        if not seconds_to_wait(claim, self.now) and not has_slot(claim, self.now):
            leased = lease(self.bucket, 1, self.now)
            self.bucket = leased.bucket
            claim = with_slot(claim, leased.slots[0])
        wait = seconds_to_wait(claim, self.now)
        if not wait:
            claim = answered(sending(claim, self.now), TAKEN, self.now)[0]
            self.started.append(self.now)
        elif machine.permit_until and self.now + wait * SECOND < machine.permit_until:
            heapq.heappush(self._events, (self.now + wait * SECOND, name))
        self.facts[name] = claim


@pytest.mark.parametrize(
    ("count", "full_in"), [(90, timedelta()), (1000, timedelta()), (2000, timedelta()), (400, timedelta(seconds=165))]
)
def test_a_run_uses_all_of_the_throttle_however_many_wait_for_it(count: int, full_in: timedelta) -> None:
    """Whoever has a slot is permitted before the others, else its slot would grow old while they queue behind it."""
    world = World(count, full_in)
    begun, ideal = world.now, lease(world.bucket, count, world.now).slots[-1]
    world.live(until=NOW + minutes(30))
    assert len(world.started) == count
    assert max(world.started) - begun <= 1.15 * (ideal - begun) + 25 * SECOND
    assert world.reads <= 12 * count
