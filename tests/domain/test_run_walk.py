"""A run under a random world, many times: whatever happens and how often it is advanced, its laws hold."""

import random
from datetime import datetime, timedelta
from typing import Self

import pytest
from msgspec.structs import replace

from shared.domain.advance import Advance, advance
from shared.domain.machine import Outcome
from shared.domain.messages import FollowOperation, StartInstallation
from shared.domain.operation import (
    Accepted,
    NotSent,
    Operation,
    Refused,
    State,
    Unanswered,
    answered,
    end,
    gave_up,
    installed,
    sending,
)
from shared.domain.reason import reason
from shared.domain.run import Run, RunMachine, Step, last_send, may_start
from tests.domain.samples import NOW, installation, operation, run, run_machine

WALKS, STEPS = 150, 120
GUARD, LIFE = timedelta(seconds=2), timedelta(seconds=10)
ANSWERS = (
    Accepted(url="u", result_url="", retry_after=1),
    Refused(status=409, code="Conflict", message="Busy."),
    Refused(status=429, code="TooMany", message="Slow.", retry_after=3),
    Refused(status=403, code="Forbidden", message="No."),
    Unanswered(detail="time-out"),
    NotSent(detail="no token"),
)


class World:
    """The rows of one run, what became of its machines, and everything that the laws are judged by."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.run: Run = run(length=timedelta(minutes=self.chance.choice([27, 30, 60])))
        self.machines = tuple(run_machine(number) for number in range(self.chance.randint(1, 5)))
        self.facts: dict[str, Operation] = {}
        self.now = NOW
        self.granted = 0
        self.sent: dict[str, list[datetime]] = {}

    def live(self, steps: int) -> Self:
        for _ in range(steps):
            self.chance.choice((self.wait, self.start, self.answer, self.finish, self.step, self.step, self.cancel))()
        return self

    def wait(self) -> None:
        self.now += timedelta(milliseconds=self.chance.choice([1, 500, 2_000, 9_999, 10_000, 61_000, 300_000]))

    def cancel(self) -> None:
        if self.chance.random() < 0.05 and self.run.closed is None:
            self.run = replace(self.run, cancelled=self.run.cancelled or self.now)

    def start(self) -> None:
        """A starter that looks at the permit, then claims and sends, as the workflow does."""
        machine = self.chance.choice(self.machines)
        known = self.facts.get(machine.machine)
        if not may_start(self.run, machine, self.now) or (known and known.state is not State.CLAIMED):
            return
        claimed = known or replace(
            operation(), machine=machine.machine, not_after=last_send(self.run), deadline=self.run.end, claimed=self.now
        )
        self.facts[machine.machine] = sending(claimed, self.now)
        self.sent.setdefault(machine.machine, []).append(self.now)

    def answer(self) -> None:
        for name, known in self.facts.items():
            if known.state is State.SENDING and self.chance.random() < 0.7:
                self.facts[name] = answered(known, self.chance.choice(ANSWERS), self.now)[0]

    def finish(self) -> None:
        for name, known in self.facts.items():
            if known.state is State.ACCEPTED and self.chance.random() < 0.3:
                outcome = self.chance.choice([Outcome.SUCCEEDED, Outcome.FAILED])
                why = None if outcome is Outcome.SUCCEEDED else reason("InstallationFailed")
                result = replace(installation(outcome), reason=why)
                self.facts[name] = installed(known, result, self.now)

    def step(self) -> None:
        """One step, judged, recorded, and the very same step again: it must not decide anything new."""
        decided = advance(self.run, self.machines, self.facts, self.now)
        self.judge(decided)
        self.record(decided)
        again = advance(self.run, self.machines, self.facts, self.now)
        assert (again.run, again.machines) == (None, ())
        assert [message for message in again.messages if isinstance(message, StartInstallation)] == []

    def judge(self, decided: Advance) -> None:
        before = {machine.machine: machine for machine in self.machines}
        assert self.run.closed is None or (decided.run, decided.machines, decided.messages) == (None, (), ())
        for machine in decided.machines:
            if machine.permit_until is not None and machine != before[machine.machine]:
                self.judge_grant(before[machine.machine], machine)
            assert before[machine.machine].step is not Step.ENDED
        followed = [message for message in decided.messages if isinstance(message, FollowOperation)]
        assert all(self.facts[each.machine].state is not State.CLAIMED for each in followed)
        assert decided.wake is None or decided.wake > 0

    def judge_grant(self, before: RunMachine, machine: RunMachine) -> None:
        known = self.facts.get(machine.machine)
        assert known is None or known.state is State.CLAIMED
        assert self.run.cancelled is None
        assert self.run.start + GUARD <= self.now <= last_send(self.run)
        assert machine.permit_until == self.now + LIFE
        assert before.permit_until is None or before.permit_until <= self.now
        self.granted += 1

    def record(self, decided: Advance) -> None:
        changed = {machine.machine: machine for machine in decided.machines}
        self.machines = tuple(changed.get(machine.machine, machine) for machine in self.machines)
        self.run = decided.run or self.run

    def end(self) -> None:
        """Far behind the window: what is still open is closed by the deadlines, and the run by one step."""
        self.now = self.run.end + timedelta(days=1)
        for name, known in self.facts.items():
            if known.state is State.SENDING:
                self.facts[name] = known = answered(known, Unanswered(detail="lost"), self.now)[0]
            why = gave_up(known, self.now)
            if why:
                self.facts[name] = end(known, Outcome.UNKNOWN, why, self.now)
        self.step()


@pytest.mark.parametrize("seed", range(10))
def test_the_laws_hold_on_every_walk(seed: int) -> None:
    for walk in range(WALKS // 10):
        world = World(seed * 1000 + walk).live(STEPS)
        world.end()
        assert world.run.closed is not None
        for machine in world.machines:
            assert machine.step is Step.ENDED
            assert machine.outcome is not None
            assert machine.outcome is Outcome.SUCCEEDED or machine.reason is not None
            assert machine.permit_until is None


@pytest.mark.parametrize("seed", range(10))
def test_after_a_request_that_may_have_arrived_no_other_is_sent(seed: int) -> None:
    """Judged by the sends alone: each send but the last was answered with a refusal or never left."""
    for walk in range(WALKS // 10):
        world = World(seed * 1000 + walk)
        taken: set[str] = set()
        for _ in range(STEPS):
            count = {name: len(times) for name, times in world.sent.items()}
            world.live(1)
            sent_now = {name for name, times in world.sent.items() if len(times) > count.get(name, 0)}
            assert not sent_now & taken
            settled = (State.ACCEPTED, State.UNCONFIRMED, State.ENDED)
            taken |= {name for name, known in world.facts.items() if known.state in settled}


def test_the_walks_see_everything() -> None:
    """Otherwise the laws above would hold by idleness."""
    worlds = [World(seed).live(STEPS) for seed in range(60)]
    for world in worlds:
        world.end()
    outcomes = {machine.outcome for world in worlds for machine in world.machines}
    codes = {machine.reason.code for world in worlds for machine in world.machines if machine.reason}
    assert outcomes >= {Outcome.SUCCEEDED, Outcome.FAILED, Outcome.UNKNOWN, Outcome.NOT_STARTED}
    assert codes >= {"Cancelled", "NoTimeLeft", "StartUnconfirmed", "StartRefused", "InstallationFailed"}
    assert sum(world.granted for world in worlds) > 100
    assert max(len(times) for world in worlds for times in world.sent.values()) > 2
