"""Machines that are away at their turn: looked at again in time, not waited for, and ended with their own reason."""

from datetime import datetime

import pytest
from msgspec.structs import replace

from shared.domain.advance import Advance, advance
from shared.domain.machine import Outcome
from shared.domain.messages import StartInstallation
from shared.domain.operation import Operation, seconds_to_wait, sending
from shared.domain.permit import PERMIT_LIFE
from shared.domain.phase import Phase, RunOutcome
from shared.domain.reason import reason
from shared.domain.returning import LAST_LOOK, WAITS, put_off
from shared.domain.run import Plan, Run, RunMachine, Step, cancelled, claim_for, last_send, selected
from shared.domain.wave import Stage, gate
from tests.domain.samples import NOW, minutes, operation, run, run_machine

OFF = reason("PoweredOff", "PowerState/deallocated")
OPEN = NOW + minutes(1)


def planned(**changes: object) -> Run:
    plan = Plan(begin_by=NOW + minutes(10), look_again=True, **changes)  # type: ignore[arg-type]  # by their names
    return selected(replace(run(), request=None, configuration="c", phase=Phase.SELECTING), plan)


def away(of: Run, machine: RunMachine, now: datetime) -> tuple[RunMachine, Operation]:
    """It had its permit, and was found to be off."""
    put = put_off(claim_for(of, machine.machine, now, machine), OFF, now)
    assert put is not None
    return replace(machine, step=Step.PERMITTED, permit_until=now + PERMIT_LIFE), put


def permitted(step: Advance) -> list[str]:
    return [each.machine for each in step.messages if isinstance(each, StartInstallation)]


def after(step: Advance, machines: list[RunMachine]) -> list[RunMachine]:
    changed = {each.machine: each for each in step.machines}
    return [changed.get(each.machine, each) for each in machines]


def test_the_looks_come_more_seldom_and_the_last_shortly_before_the_end() -> None:
    claim, now, waits = operation(), NOW, []
    while (later := put_off(claim, OFF, now)) is not None:
        assert later.not_before is not None
        assert later.reason == OFF
        waits.append(later.not_before - now)
        claim, now = later, later.not_before
    assert now == claim.not_after - LAST_LOOK
    assert waits[:-1] == list(WAITS[: len(waits) - 1])
    assert seconds_to_wait(claim, now) == 0


def test_a_window_of_a_day_is_some_thirty_looks() -> None:
    claim, now, looks = replace(operation(), not_after=NOW + minutes(24 * 60)), NOW, 0
    while (later := put_off(claim, OFF, now)) is not None and later.not_before:
        claim, now, looks = later, later.not_before, looks + 1
    assert 25 <= looks <= 35


@pytest.mark.parametrize("code", ["PatchedByPlatform", "AgentNotReady", "Deleted", "Moved", "UnsupportedSystem"])
def test_only_who_is_away_is_looked_at_again(code: str) -> None:
    assert put_off(operation(), reason(code), NOW) is None


def test_a_slot_that_was_leased_for_the_start_is_not_kept_for_the_next() -> None:
    put = put_off(replace(operation(), not_before=NOW, paced=True), OFF, NOW)
    assert put is not None
    assert not put.paced


def test_its_wave_is_not_waited_for_and_it_takes_no_place() -> None:
    of = planned(concurrency=1, waves=(Stage(name="one"), Stage(name="two")))
    first, second = run_machine(1), replace(run_machine(2), wave=1)
    part, claim = away(of, first, OPEN)
    later = OPEN + minutes(1)
    machines = [part, second]
    step = advance(of, tuple(machines), {first.machine: claim}, later)
    assert permitted(step) == [second.machine]
    assert after(step, machines)[0].reason == OFF
    assert step.run is None or step.run.closed is None


def test_it_is_started_when_it_has_come_back_though_a_later_wave_is_on() -> None:
    of = planned(waves=(Stage(name="one"), Stage(name="two")))
    first, second = run_machine(1), replace(run_machine(2), wave=1, step=Step.RUNNING)
    part, claim = away(of, first, OPEN)
    busy = sending(replace(claim_for(of, second.machine, OPEN, second)), OPEN)
    then = OPEN + WAITS[0]
    machines = (replace(part, reason=OFF), second)
    facts = {first.machine: claim, second.machine: replace(busy, sent=then)}
    assert permitted(advance(of, machines, facts, then - minutes(1))) == []
    assert permitted(advance(of, machines, facts, then)) == [first.machine]
    started = {**facts, first.machine: sending(claim, then)}
    (back, _) = after(advance(of, machines, started, then), list(machines))
    assert (back.step, back.reason) == (Step.RUNNING, None)


def test_at_the_end_its_reason_stays() -> None:
    of = replace(planned(), phase=Phase.OPEN)
    part, claim = away(of, run_machine(1), OPEN)
    step = advance(of, (part,), {part.machine: claim}, last_send(of) + minutes(1))
    (ended,) = step.machines
    assert (ended.step, ended.outcome, ended.reason) == (Step.ENDED, Outcome.NOT_STARTED, OFF)
    assert step.run is not None
    assert step.run.outcome is RunOutcome.FAILED


def test_a_cancelled_run_tells_that_it_was_cancelled() -> None:
    of = cancelled(planned(), reason("Cancelled"), OPEN)
    part, claim = away(of, run_machine(1), OPEN)
    (ended,) = advance(of, (part,), {part.machine: claim}, OPEN + minutes(1)).machines
    assert ended.reason is not None
    assert ended.reason.code == "Cancelled"


def test_it_is_not_good_for_the_threshold_of_its_wave() -> None:
    stages = (Stage(name="one", success_threshold=100), Stage(name="two"))
    machines = [replace(run_machine(1), step=Step.PERMITTED, reason=OFF), replace(run_machine(2), wave=1)]
    refusal = gate(stages, machines).refusal
    assert refusal is not None
    assert refusal.code == "WaveBelowThreshold"
    assert gate((Stage(name="one"), Stage(name="two")), machines).wave == 1


def test_whether_one_that_is_away_takes_a_place_is_told_by_its_attempt_only() -> None:
    """Its row says that it is away until it was read: it may have come back and been started meanwhile."""
    of = planned(concurrency=1)
    part, claim = away(of, run_machine(1), OPEN)
    gone = replace(part, reason=OFF)
    machines, later = (gone, run_machine(2)), OPEN + minutes(1)
    assert permitted(advance(of, machines, {}, OPEN, unseen=frozenset({gone.machine}))) == []
    assert permitted(advance(of, machines, {}, later, unseen=frozenset({gone.machine}))) == []
    assert permitted(advance(of, machines, {gone.machine: sending(claim, later)}, later)) == []
    assert permitted(advance(of, machines, {gone.machine: claim}, later)) == [machines[1].machine]
    assert claim.reason == OFF
