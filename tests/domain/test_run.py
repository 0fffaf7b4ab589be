"""One step of a run, case by case: which machine state and which fact lead where, and at which instants."""

from datetime import datetime, timedelta
from itertools import product

import pytest
from msgspec.structs import replace

from shared.domain.advance import Advance, advance
from shared.domain.installation import InstallationRequest
from shared.domain.machine import OperatingSystem, Outcome
from shared.domain.messages import FollowOperation, StartInstallation
from shared.domain.operation import MESSAGE_PATIENCE, Operation, Refused, State, answered, end, installed
from shared.domain.reason import reason
from shared.domain.run import (
    PERMIT_LIFE,
    TRANSITIONS,
    Run,
    RunMachine,
    Step,
    install_now,
    last_send,
    may_start,
    minutes_left,
    opens,
    refusal_to_start,
)
from tests.domain.samples import NOW, RUN, installation, minutes, operation, request, run, run_machine

TICK = timedelta(milliseconds=1)
OPEN = NOW + minutes(1)
"""An instant well inside the window of `run()`."""


def in_step(step: Step) -> RunMachine:
    machine = run_machine()
    if step is Step.PERMITTED:
        return replace(machine, step=step, permit_until=OPEN + timedelta(seconds=5))
    if step is Step.ENDED:
        return replace(machine, step=step, outcome=Outcome.SUCCEEDED)
    return replace(machine, step=step)


def fact(state: State) -> Operation:
    if state is State.ENDED:
        return installed(operation(State.ACCEPTED), installation(), OPEN)
    return operation(state)


def step_of(machine: RunMachine, known: Operation | None, now: datetime = OPEN, of: Run | None = None) -> RunMachine:
    facts = {machine.machine: known} if known else {}
    decided = advance(of or run(), (machine,), facts, now)
    return decided.machines[0] if decided.machines else machine


# The machine's step and its attempt's state -> its next step, inside the window.
EXPECTED: dict[tuple[Step, State | None], Step] = {
    **{(step, None): Step.PERMITTED for step in (Step.WAITING, Step.PERMITTED, Step.RUNNING)},
    **{(step, State.CLAIMED): Step.PERMITTED for step in (Step.WAITING, Step.PERMITTED, Step.RUNNING)},
    **{(step, state): Step.RUNNING
       for step in (Step.PERMITTED, Step.RUNNING)
       for state in (State.SENDING, State.ACCEPTED, State.UNCONFIRMED)},
    **{(step, State.ENDED): Step.ENDED for step in (Step.WAITING, Step.PERMITTED, Step.RUNNING)},
    **{(Step.ENDED, state): Step.ENDED for state in (None, *State)},
}  # fmt: skip


@pytest.mark.parametrize(("step", "state"), list(EXPECTED))
def test_every_step_with_every_fact(step: Step, state: State | None) -> None:
    """A refused start goes back from running: the machine was seen while its request was under way."""
    before, known = in_step(step), fact(state) if state else None
    after = step_of(before, known)
    assert after.step is EXPECTED[step, state]
    assert after.step is step or after.step in TRANSITIONS[step]
    if after.step in (Step.RUNNING, Step.ENDED):
        assert after.permit_until is None


def test_a_start_without_a_permit_decides_nothing() -> None:
    """It is against law 1, so the run was read too early: its rows before the permit, the attempt after."""
    torn = set(product(Step, (None, *State))) - set(EXPECTED)
    assert torn == {(Step.WAITING, state) for state in (State.SENDING, State.ACCEPTED, State.UNCONFIRMED)}
    for _, state in torn:
        assert state is not None
        assert advance(run(), (run_machine(),), {run_machine().machine: fact(state)}, OPEN) == Advance(wake=11)


def test_messages_of_a_waiting_machine() -> None:
    early = advance(run(), (run_machine(),), {}, NOW)
    assert early == Advance(wake=3)
    granted = advance(run(), (run_machine(),), {}, OPEN)
    start = StartInstallation(run=RUN, machine=run_machine().machine)
    assert (granted.messages, granted.wake) == ((start,), 11)


def test_messages_while_a_permit_lives_and_while_it_runs() -> None:
    held = advance(run(), (in_step(Step.PERMITTED),), {}, OPEN)
    assert held == Advance(wake=6)
    machine, lost = in_step(Step.RUNNING), replace(fact(State.ACCEPTED), looks=4, look_at=OPEN - MESSAGE_PATIENCE)
    followed = advance(run(), (machine,), {machine.machine: lost}, OPEN)
    assert followed == Advance(messages=(FollowOperation(machine=machine.machine, attempt=RUN, look=4),))
    assert advance(run(), (machine,), {machine.machine: replace(lost, look_at=OPEN)}, OPEN) == Advance()


def test_the_first_to_need_time_wakes_the_run() -> None:
    waits = {run_machine(2).machine: replace(operation(), machine=run_machine(2).machine, not_before=OPEN + minutes(5))}
    both = (in_step(Step.PERMITTED), run_machine(2))
    assert advance(run(), both, waits, OPEN).wake == 6
    assert advance(run(), both[1:], waits, OPEN).wake == 300


@pytest.mark.parametrize(
    ("now", "step"),
    [
        (NOW, Step.WAITING),
        (NOW + timedelta(seconds=2) - TICK, Step.WAITING),
        (NOW + timedelta(seconds=2), Step.PERMITTED),
        (last_send(run()), Step.PERMITTED),
        (last_send(run()) + TICK, Step.ENDED),
        (run().end, Step.ENDED),
    ],
)
def test_permits_at_the_edges_of_the_window(now: datetime, step: Step) -> None:
    assert step_of(run_machine(), None, now).step is step


def test_a_permit_lives_ten_seconds_and_is_then_granted_anew() -> None:
    granted = step_of(run_machine(), None)
    until = OPEN + timedelta(seconds=10)
    assert granted.permit_until == until
    assert step_of(granted, None, until - TICK) == granted
    assert step_of(granted, None, until).permit_until == until + timedelta(seconds=10)


def test_distances_from_the_ends() -> None:
    """Two seconds of clock error on both sides; at the cut-off also the connect and read time-outs, 5 + 30 s."""
    of = run()
    assert opens(of) == NOW + timedelta(seconds=2)
    assert last_send(of) == of.cut_off - timedelta(seconds=37)


def test_a_permit_is_good_only_inside_its_life() -> None:
    of, granted = run(), step_of(run_machine(), None)
    assert granted.permit_until is not None
    assert may_start(of, granted, OPEN)
    assert may_start(of, granted, granted.permit_until - TICK)
    assert not may_start(of, granted, granted.permit_until)
    assert not may_start(replace(of, cancelled=OPEN), granted, OPEN)
    assert not may_start(replace(of, closed=OPEN), granted, OPEN)
    assert not may_start(of, replace(granted, step=Step.RUNNING), OPEN)
    assert not may_start(of, run_machine(), OPEN)


def test_a_permit_is_not_good_past_the_last_instant() -> None:
    of, last = run(), last_send(run())
    granted = step_of(run_machine(), None, last)
    assert may_start(of, granted, last)
    assert not may_start(of, granted, last + TICK)
    early = replace(granted, permit_until=NOW + PERMIT_LIFE)
    assert not may_start(of, early, opens(of) - TICK)


def test_cancelled_and_late_have_reasons() -> None:
    cancelled, late = refusal_to_start(replace(run(), cancelled=NOW), NOW), refusal_to_start(run(), run().end)
    assert cancelled is not None
    assert late is not None
    assert (cancelled.code, late.code) == ("Cancelled", "NoTimeLeft")
    assert refusal_to_start(run(), last_send(run())) is None


def test_a_cancelled_run_starts_nothing_and_follows_what_runs() -> None:
    of = replace(run(), cancelled=OPEN)
    stopped = step_of(run_machine(), operation(State.CLAIMED), of=of)
    assert (stopped.step, stopped.outcome) == (Step.ENDED, Outcome.NOT_STARTED)
    assert stopped.reason == reason("Cancelled")
    assert step_of(in_step(Step.RUNNING), fact(State.ACCEPTED), of=of).step is Step.RUNNING


@pytest.mark.parametrize("step", [Step.WAITING, Step.PERMITTED, Step.RUNNING])
@pytest.mark.parametrize("status", [409, 429])
def test_a_refused_start_is_not_permitted_again_before_its_time(step: Step, status: int) -> None:
    """Azure's Retry-After holds whatever else advances the run meanwhile: a timer, a hint, an older permit's end."""
    refusal = Refused(status=status, code="Conflict", message="Later.", retry_after=120)
    waits, delay = answered(operation(State.SENDING), refusal, OPEN)
    assert (waits.state, delay) == (State.CLAIMED, 120)
    machine = replace(in_step(step), permit_until=OPEN + PERMIT_LIFE if step is Step.PERMITTED else None)
    for seconds in (11, 60, 119):
        decided = advance(run(), (machine,), {machine.machine: waits}, OPEN + timedelta(seconds=seconds))
        assert decided.messages == (), f"after {seconds} s"
        assert decided.wake == 120 - seconds
    again = advance(run(), (machine,), {machine.machine: waits}, OPEN + timedelta(seconds=120))
    assert [type(message) for message in again.messages] == [StartInstallation]


def test_an_ended_attempt_gives_its_outcome_and_reason() -> None:
    ended = end(operation(State.ACCEPTED), Outcome.UNKNOWN, reason("NoAnswer"), OPEN)
    after = step_of(in_step(Step.RUNNING), ended)
    assert (after.outcome, after.reason) == (Outcome.UNKNOWN, reason("NoAnswer"))


def test_a_run_closes_when_every_machine_ended_and_then_never_moves() -> None:
    both = (in_step(Step.ENDED), replace(run_machine(2), step=Step.RUNNING))
    ended = {both[1].machine: replace(fact(State.ENDED), machine=both[1].machine)}
    done = advance(run(), both, ended, OPEN)
    assert done.run is not None
    assert done.run.closed == OPEN
    assert done.messages == ()
    assert [machine.step for machine in done.machines] == [Step.ENDED]
    again = advance(done.run, both, ended, OPEN + minutes(1))
    assert (again.run, again.machines, again.messages) == (None, (), ())


def test_a_run_with_one_open_machine_stays_open() -> None:
    decided = advance(run(), (in_step(Step.ENDED), run_machine(2)), {}, OPEN)
    assert decided.run is None
    assert [machine.machine for machine in decided.machines] == [run_machine(2).machine]


def test_the_window_of_install_now() -> None:
    of = install_now("r", request(), OperatingSystem.WINDOWS, "someone", NOW)
    assert (of.start, of.end, of.cut_off) == (NOW, NOW + minutes(120), NOW + minutes(95))
    never = replace(request(), reboot_setting="Never")
    assert install_now("r", never, OperatingSystem.LINUX, "someone", NOW).cut_off == NOW + minutes(115)
    with pytest.raises(ValueError, match="duration"):
        install_now("r", InstallationRequest(reboot_setting="Never"), OperatingSystem.LINUX, "someone", NOW)


@pytest.mark.parametrize(
    ("passed", "left"),
    [
        (timedelta(), 120),
        (timedelta(microseconds=1), 119),
        (timedelta(seconds=59), 119),
        (timedelta(seconds=60), 119),
        (timedelta(seconds=61), 118),
        (minutes(95), 25),
    ],
)
def test_whole_minutes_to_the_end(passed: timedelta, left: int) -> None:
    """Rounded down: the installation never outlasts the window."""
    assert minutes_left(run(), NOW + passed, timedelta(hours=4)) == left
    assert NOW + passed + minutes(left) <= run().end


def test_minutes_are_capped() -> None:
    long = run(length=timedelta(hours=10))
    assert minutes_left(long, NOW, timedelta(hours=3, minutes=55)) == 235
    assert minutes_left(long, long.end - minutes(30), timedelta(hours=3, minutes=55)) == 30
