"""A maintenance run: one window, its machines, and the one idempotent step that advances it.

For now every run is an install-now request for one machine; the step is already the general one.
"""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from shared.domain.installation import InstallationRequest, shortest
from shared.domain.machine import OperatingSystem, Outcome
from shared.domain.messages import FollowOperation, Message, StartInstallation
from shared.domain.operation import Operation, State, claim_installation, is_overdue, seconds_to_wait
from shared.domain.reason import Reason, reason

# Distance kept from both ends of the window against clock error (design, "clock").
CLOCK_GUARD = timedelta(seconds=2)
# Life of a permit (design, "permits").
PERMIT_LIFE = timedelta(seconds=10)
# Before this much of the window is left, Azure's answer could come too late: connect and read time-outs of one send.
SEND_TIMEOUT = timedelta(seconds=35)


class Step(StrEnum):
    """Where one machine stands in a run."""

    WAITING = "waiting"
    PERMITTED = "permitted"
    RUNNING = "running"
    ENDED = "ended"


TRANSITIONS: dict[Step, frozenset[Step]] = {
    Step.WAITING: frozenset({Step.PERMITTED, Step.ENDED}),
    Step.PERMITTED: frozenset({Step.PERMITTED, Step.RUNNING, Step.ENDED}),
    Step.RUNNING: frozenset({Step.PERMITTED, Step.ENDED}),  # permitted again: its start was refused meanwhile
    Step.ENDED: frozenset(),
}


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One window `[start, end)` and what it may install; `cut_off` is the last instant an installation may start."""

    id: str
    start: datetime
    end: datetime
    cut_off: datetime
    request: InstallationRequest
    requested_by: str
    alarm: int = 0  # number of the run's pending alarm; older ones count for nothing
    closed: datetime | None = None
    cancelled: datetime | None = None
    cancelled_because: Reason | None = None  # told to what has not started; without one, Cancelled


class RunMachine(msgspec.Struct, frozen=True, kw_only=True):
    """One machine's part. `permit_until` bounds the right to start."""

    machine: str
    step: Step = Step.WAITING
    permit_until: datetime | None = None
    outcome: Outcome | None = None
    reason: Reason | None = None


class Advance(msgspec.Struct, frozen=True, kw_only=True):
    """What one step decided: rows to write in one transaction, then messages to send.

    `wake`: in how many seconds time alone brings the next step; None when only an answer can.
    """

    run: Run | None = None
    machines: tuple[RunMachine, ...] = ()
    messages: tuple[Message, ...] = ()
    wake: int | None = None


def install_now(run_id: str, request: InstallationRequest, system: OperatingSystem, who: str, now: datetime) -> Run:
    """The run of an install-now request: window `[now, now + maximumDuration)`."""
    if request.maximum_duration is None:
        raise ValueError("A read request always carries a duration.")
    end = now + request.maximum_duration
    cut_off = end - shortest(system, request.reboot_setting)
    return Run(id=run_id, start=now, end=end, cut_off=cut_off, request=request, requested_by=who)


def opens(run: Run) -> datetime:
    """The first instant at which an installation may be sent."""
    return run.start + CLOCK_GUARD


def last_send(run: Run) -> datetime:
    """The last instant at which an installation may be sent: cut-off, less clock guard and the send's own time-out."""
    return run.cut_off - CLOCK_GUARD - SEND_TIMEOUT


def claim_for(run: Run, machine: str, now: datetime) -> Operation:
    """The claim of one machine for this run."""
    return claim_installation(machine, run.id, run.requested_by, now, last_send(run), run.end)


def minutes_left(run: Run, now: datetime, cap: timedelta) -> int:
    """`maximumDuration` to send: whole minutes to the window's end, at most `cap`."""
    return int(min(run.end - now, cap).total_seconds() // 60)


def advance(run: Run, machines: tuple[RunMachine, ...], facts: dict[str, Operation], now: datetime) -> Advance:
    """The next step of a run, from its rows and from each machine's attempt in this run. May be repeated at will."""
    if run.closed:
        return Advance()
    after = [_step(run, machine, facts.get(machine.machine), now) for machine in machines]
    changed = tuple(each.machine for each, old in zip(after, machines, strict=True) if each.machine != old)
    if all(each.machine.step is Step.ENDED for each in after):
        return Advance(run=msgspec.structs.replace(run, closed=now), machines=changed)
    messages = tuple(each.message for each in after if each.message)
    wake = min((each.wake for each in after if each.wake is not None), default=None)
    return Advance(machines=changed, messages=messages, wake=wake)


class _Part(msgspec.Struct, frozen=True):
    """What the step makes of one machine."""

    machine: RunMachine
    message: Message | None = None
    wake: int | None = None


def _step(run: Run, machine: RunMachine, fact: Operation | None, now: datetime) -> _Part:
    if machine.step is Step.ENDED:
        return _Part(machine)
    if fact is not None and fact.state is State.ENDED:
        return _Part(_move(machine, Step.ENDED, permit_until=None, outcome=fact.outcome, reason=fact.reason))
    if fact is not None and fact.state is not State.CLAIMED and machine.step is Step.WAITING:
        return _Part(machine, wake=_seconds(PERMIT_LIFE))  # read before its permit, the attempt after: look again
    if fact is not None and fact.state is not State.CLAIMED:
        running = machine if machine.step is Step.RUNNING else _move(machine, Step.RUNNING, permit_until=None)
        again = FollowOperation(machine=machine.machine, attempt=run.id, look=fact.looks)
        return _Part(running, again if is_overdue(fact, now) else None)
    return _permit(run, machine, fact, now)


def _permit(run: Run, machine: RunMachine, claim: Operation | None, now: datetime) -> _Part:
    """Nothing has been sent: grant the right to start, wait for the opening, or end: it may not start any more."""
    refusal = refusal_to_start(run, now)
    if refusal:
        return _Part(_move(machine, Step.ENDED, permit_until=None, outcome=Outcome.NOT_STARTED, reason=refusal))
    if now < opens(run):
        return _Part(machine, wake=_seconds(opens(run) - now))
    wait = seconds_to_wait(claim, now) if claim else 0
    if wait:
        return _Part(machine, wake=wait)
    if machine.permit_until and now < machine.permit_until:
        return _Part(machine, wake=_seconds(machine.permit_until - now))
    granted = _move(machine, Step.PERMITTED, permit_until=now + PERMIT_LIFE)
    start = StartInstallation(run=run.id, machine=machine.machine)
    return _Part(granted, start, _seconds(PERMIT_LIFE))


def cancelled(run: Run, why: Reason, now: datetime) -> Run:
    """The run in which nothing starts any more; what runs is followed to its end. A second time changes nothing."""
    return run if run.cancelled else msgspec.structs.replace(run, cancelled=now, cancelled_because=why)


def with_next_alarm(run: Run) -> Run:
    """The run with a new alarm; the one before counts for nothing from now on."""
    return msgspec.structs.replace(run, alarm=run.alarm + 1)


def refusal_to_start(run: Run, now: datetime) -> Reason | None:
    """Why no installation of this run may start now or later, or None."""
    if run.cancelled:
        return run.cancelled_because or reason("Cancelled")
    return reason("NoTimeLeft") if now > last_send(run) else None


def may_start(run: Run, machine: RunMachine, now: datetime) -> bool:
    """Whether this machine holds a permit that is good at this instant."""
    permitted = machine.step is Step.PERMITTED and machine.permit_until is not None and now < machine.permit_until
    return permitted and run.closed is None and refusal_to_start(run, now) is None and now >= opens(run)


def _seconds(span: timedelta) -> int:
    return max(1, int(span.total_seconds()) + 1)


def _move(machine: RunMachine, step: Step, **changes: object) -> RunMachine:
    if step not in TRANSITIONS[machine.step]:
        raise ValueError(f"A run machine cannot go from {machine.step} to {step}.")
    return msgspec.structs.replace(machine, step=step, **changes)
