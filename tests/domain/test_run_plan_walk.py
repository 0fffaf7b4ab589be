"""Runs of configurations walked at random and judged by the laws, by what is true and not by what the rows say."""

import random
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.domain.advance import advance
from shared.domain.machine import Outcome
from shared.domain.messages import StartInstallation
from shared.domain.operation import Operation, State, Unanswered, answered, end, installed, sending
from shared.domain.phase import Phase, RunOutcome
from shared.domain.reason import Reason, reason
from shared.domain.run import Run, RunMachine, Step, cancelled, claim_for, last_send, may_start, opens
from shared.domain.wave import Stage
from tests.domain.samples import NOW, installation, minutes, run_machine
from tests.domain.test_run_plan import ANSWERS, planned


class World:
    """A run, its attempts, and random events; `step` judges every grant by what is true at that instant."""

    def __init__(self, seed: int) -> None:
        self.chance = chance = random.Random(seed)
        waves = tuple(
            Stage(name=str(n), soak=minutes(chance.choice([0, 3])), success_threshold=chance.choice([0, 60]))
            for n in range(chance.randint(0, 2))
        )
        self.limit, self.budget = chance.choice([None, 1, 2, 4]), chance.choice([None, 0, 1, 2])
        self.run = planned(concurrency=self.limit, failures=self.budget, waves=waves)
        self.machines = tuple(
            replace(
                run_machine(n),
                wave=chance.randint(0, len(waves)),
                group=chance.choice(["", "set"]),
                domain=chance.choice("01"),
            )
            for n in range(chance.randint(1, 8))
        )
        self.facts: dict[str, Operation] = {}
        self.now = NOW
        self.codes: set[str] = set()
        self.granted = 0

    def live(self, steps: int) -> None:
        if self.chance.random() < 0.1:
            self.now += minutes(11)
        events = (self.wait, self.start, self.start, self.answer, self.finish, self.step, self.step, self.cancel)
        for _ in range(steps):
            self.chance.choice(events)()

    def wait(self) -> None:
        self.now += timedelta(seconds=self.chance.choice([0.5, 2, 9.9, 12, 61, 200]))

    def cancel(self) -> None:
        if self.chance.random() < 0.02 and self.run.closed is None:
            self.run = cancelled(self.run, reason("Cancelled"), self.now)

    def start(self) -> None:
        machine = self.chance.choice(self.machines)
        known = self.facts.get(machine.machine)
        if not may_start(self.run, machine, self.now) or (known and known.state is not State.CLAIMED):
            return
        if known and known.not_before and known.not_before > self.now:
            return
        claimed = known or claim_for(self.run, machine.machine, self.now, machine)
        self.facts[machine.machine] = sending(claimed, self.now)
        assert len(self.under_way()) <= (self.limit or len(self.machines)), "law 4"
        assert opens(self.run) <= self.now <= last_send(self.run, machine), "law 1"

    def answer(self) -> None:
        for name, known in self.facts.items():
            if known.state is State.SENDING and self.chance.random() < 0.7:
                self.facts[name] = answered(known, self.chance.choice(ANSWERS), self.now)[0]

    def finish(self) -> None:
        for name, known in self.facts.items():
            if known.state is State.ACCEPTED and self.chance.random() < 0.3:
                outcome = self.chance.choice([Outcome.SUCCEEDED, Outcome.SUCCEEDED, Outcome.FAILED])
                why = None if outcome is Outcome.SUCCEEDED else reason("InstallationFailed")
                self.facts[name] = installed(known, replace(installation(outcome), reason=why), self.now)

    def under_way(self) -> set[str]:
        """What may be sent, or was and has not ended, whatever the rows say."""
        going = {name for name, known in self.facts.items() if known.state not in (State.CLAIMED, State.ENDED)}
        live = {m.machine for m in self.machines if m.step is Step.PERMITTED and may_start(self.run, m, self.now)}
        return going | live

    def step(self) -> None:
        """Sometimes of one machine's attempt only; the very same step again decides nothing new."""
        unseen = {m.machine for m in self.machines if m.step is not Step.WAITING and self.chance.random() < 0.3}
        seen = {name: known for name, known in self.facts.items() if name not in unseen}
        decided = advance(self.run, self.machines, seen, self.now, unseen)
        changed = {machine.machine: machine for machine in decided.machines}
        before, was = {m.machine: m for m in self.machines}, self.run
        self.machines = tuple(changed.get(machine.machine, machine) for machine in self.machines)
        self.run = decided.run or self.run
        new = [m for m in self.machines if m.step is Step.PERMITTED and m != before[m.machine]]
        self.granted += len(new)
        if new:
            self.judge(new, before, was)
        again = advance(self.run, self.machines, seen, self.now, unseen)
        assert again.machines == ()
        assert not [each for each in again.messages if isinstance(each, StartInstallation)]

    def judge(self, new: list[RunMachine], before: dict[str, RunMachine], was: Run) -> None:
        assert not was.cancelled, "law 1"
        assert not was.stopped_because, "law 1"
        assert opens(was) <= self.now
        failed = sum(m.outcome in (Outcome.FAILED, Outcome.UNKNOWN) for m in self.machines)
        assert self.budget is None or failed < max(1, self.budget), "law 4: budget"
        assert len(self.under_way()) <= (self.limit or len(self.machines)), "law 4: concurrency"
        for machine in new:
            assert before[machine.machine].step is not Step.ENDED
            earlier = [m for m in self.machines if m.wave < machine.wave]
            assert all(m.is_ended for m in earlier), "waves"
            ends = [m.ended + was.plan.waves[m.wave].soak for m in earlier
                    if m.ended and was.plan and m.outcome is not Outcome.NOT_STARTED]  # fmt: skip
            assert all(at <= self.now for at in ends), "soak"
        domains = {m.domain for m in self.machines if m.group and m.machine in self.under_way()}
        assert len(domains) <= 1, "update domains"

    def end(self) -> None:
        self.now = max(self.now, self.run.end) + timedelta(days=1)
        for name, known in self.facts.items():
            if known.state is not State.ENDED:
                self.facts[name] = end(known if known.state is not State.SENDING else
                                       answered(known, Unanswered(detail="lost"), self.now)[0],
                                       Outcome.UNKNOWN, reason("NoAnswer"), self.now)  # fmt: skip
        decided = advance(self.run, self.machines, self.facts, self.now)
        changed = {machine.machine: machine for machine in decided.machines}
        self.machines = tuple(changed.get(machine.machine, machine) for machine in self.machines)
        self.run = decided.run or self.run


@pytest.mark.parametrize("seed", range(10))
def test_the_laws_hold_on_every_walk(seed: int) -> None:
    for walk in range(40):
        world = World(seed * 1000 + walk)
        world.live(150)
        world.end()
        assert world.run.phase is Phase.CLOSED
        assert world.run.outcome is not None
        for machine in world.machines:
            assert machine.step is Step.ENDED
            assert machine.outcome is Outcome.SUCCEEDED or machine.reason is not None


def test_the_walks_see_everything() -> None:
    codes: set[Reason | None] = set()
    granted, outcomes = 0, set()
    for seed in range(200):
        world = World(seed)
        world.live(150)
        world.end()
        granted += world.granted
        outcomes.add(world.run.outcome)
        codes |= {machine.reason for machine in world.machines}
    named = {each.code for each in codes if each}
    assert named >= {"Cancelled", "NoTimeLeft", "FailureBudgetUsed", "WaveBelowThreshold", "WindowMissed", "NoAnswer"}
    assert outcomes >= {RunOutcome.SUCCEEDED, RunOutcome.FAILED, RunOutcome.CANCELLED, RunOutcome.MISSED}
    assert granted > 200
