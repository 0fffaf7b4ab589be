"""A maintenance run: one window, its machines, and the one idempotent step that advances it.

A run is an install-now request for one machine (`plan` None), or one dated occurrence of a configuration: then its
machines come in waves (`wave.py`), and permits are granted within a pace and a failure budget (`permit.py`).
"""

from collections.abc import Set
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from shared.domain.installation import InstallationRequest, shortest
from shared.domain.machine import OperatingSystem, Outcome
from shared.domain.messages import FollowOperation, Message, StartInstallation
from shared.domain.operation import Operation, State, claim_installation, has_slot, is_overdue, seconds_to_wait
from shared.domain.permit import PERMIT_LIFE as PERMIT_LIFE
from shared.domain.permit import grants, is_used_up, pace
from shared.domain.phase import RUN_TRANSITIONS, Phase, RunOutcome, run_outcome
from shared.domain.reason import Reason, reason
from shared.domain.returning import is_away
from shared.domain.run_events import Events, deadlines, why_not_begun
from shared.domain.run_machine import TRANSITIONS as TRANSITIONS
from shared.domain.run_machine import RunMachine as RunMachine
from shared.domain.run_machine import Step as Step
from shared.domain.run_machine import ended_part, move
from shared.domain.wave import Plan as Plan
from shared.domain.wave import gate

# Distance kept from both ends of the window against clock error (design, "clock").
CLOCK_GUARD = timedelta(seconds=2)
# Before this much of the window is left, Azure's answer could come too late: connect and read time-outs of one send.
SEND_TIMEOUT = timedelta(seconds=35)
# Machines that one step changes: with the run's own row they are one transaction (design, "permits").
MOST_CHANGES = 99
MISSED = reason("WindowMissed")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One window `[start, end)` and what it may install; `cut_off` is the last instant an installation may start."""

    id: str
    start: datetime
    end: datetime
    cut_off: datetime
    request: InstallationRequest | None = None  # of an install-now request; else the frozen configuration says what
    requested_by: str
    alarm: int = 0  # number of the run's pending alarm; older ones count for nothing (domain/alarm.py)
    alarm_at: datetime | None = None  # when that comes
    closed: datetime | None = None
    cancelled: datetime | None = None
    cancelled_because: Reason | None = None  # told to what has not started; without one, Cancelled
    configuration: str = ""  # resource id of the configuration that it is an occurrence of
    plan: Plan | None = None
    phase: Phase = Phase.OPEN
    stopped_because: Reason | None = None  # by its own rules nothing starts any more; told to what has not started
    outcome: RunOutcome | None = None
    events: Events = Events()


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


def last_send(run: Run, machine: RunMachine | None = None) -> datetime:
    """The last instant at which an installation may be sent: cut-off, less clock guard and the send's own time-out."""
    own = machine.cut_off if machine else None
    return min(own or run.cut_off, run.cut_off) - CLOCK_GUARD - SEND_TIMEOUT


def claim_for(run: Run, machine: str, now: datetime, part: RunMachine | None = None) -> Operation:
    """The claim of one machine for this run; `part`: what the run knows of it."""
    return claim_installation(machine, run.id, run.requested_by, now, last_send(run, part), run.end)


def minutes_left(run: Run, now: datetime, cap: timedelta) -> int:
    """`maximumDuration` to send: whole minutes to the window's end, at most `cap`."""
    return int(min(run.end - now, cap).total_seconds() // 60)


def advance(
    run: Run,
    machines: tuple[RunMachine, ...],
    facts: dict[str, Operation],
    now: datetime,
    unseen: Set[str] = frozenset(),
    granting: datetime | None = None,
) -> Advance:
    """The next step of a run, from its rows and from each machine's attempt in this run. May be repeated at will.

    `unseen`: machines whose attempt was not read this time; they stay as they are, and count as busy. `now` is an
    instant before the attempts were read: a permit that had run out then is seen with all that was sent on it.
    `granting`: the instant after that, from which the life of new permits counts: reading many attempts takes time.
    """
    if run.closed or run.phase is Phase.SELECTING:
        return Advance()
    parts = [_settle(run, each, facts.get(each.machine), now, each.machine in unseen) for each in machines]
    after = _judged(run, [part.machine for part in parts], now)
    parts = [_rest(after, part, facts.get(part.machine.machine), now) for part in parts]
    granted = _granted(after, parts, now)
    parts = [_grant(after, part, granting or now) if part.machine.machine in granted else part for part in parts]
    return _decided(run, after, machines, parts, now)


class _Part(msgspec.Struct, frozen=True):
    """What the step makes of one machine. `rest`: nothing is sent for it; `busy`: something is, or may be.

    `queued`: it has a permit, or had one and waits for its slot of Azure's throttle; `due`: the slot has come.
    """

    machine: RunMachine
    message: Message | None = None
    wake: int | None = None
    rest: bool = False
    busy: bool = False
    queued: bool = False
    due: bool = False


def _settle(run: Run, machine: RunMachine, fact: Operation | None, now: datetime, unseen: bool) -> _Part:
    """What its attempt says."""
    if machine.is_ended or unseen:
        free = free_at(run, machine) if machine.step is Step.PERMITTED else None
        wake = _seconds(free - now) if free else None  # what has run out holds a place until an alarm looks
        return _Part(machine, wake=wake, busy=_may_be_busy(machine), queued=machine.step is Step.PERMITTED)
    if fact is None or fact.state is State.CLAIMED:
        # In a plan it is told from those under way: the alarm looks at it.
        refused = run.plan is not None and machine.step is Step.RUNNING
        return _Part(move(machine, Step.PERMITTED) if refused else machine, rest=True)
    if fact.state is State.ENDED:
        return _Part(ended_part(machine, fact.outcome, fact.reason, now))
    if machine.step is Step.WAITING:
        return _Part(machine, wake=_seconds(PERMIT_LIFE), busy=True)  # rows read before its permit, the attempt after
    # In a plan its permit is remembered: until that has run out, a refused start may be made again on it.
    until = machine.permit_until if run.plan else None
    moved = machine.step is not Step.RUNNING
    running = move(machine, Step.RUNNING, permit_until=until, reason=None) if moved else machine
    again = FollowOperation(machine=machine.machine, attempt=run.id, look=fact.looks)
    return _Part(running, again if is_overdue(fact, now) else None, busy=True)


def _judged(run: Run, machines: list[RunMachine], now: datetime) -> Run:
    """The run as its own rules see it now: held up, missed, taken up, its budget used up, a wave too poor."""
    plan = run.plan
    if plan is None or run.stopped_because:
        return run
    if run.phase is Phase.READY and not run.cancelled:
        held_up = why_not_begun(run.events, run.start, plan.begin_by, now) or (MISSED if now > plan.begin_by else None)
        if held_up:
            return replace(run, stopped_because=held_up)
    if is_used_up(plan.failures, machines):
        return replace(run, stopped_because=reason("FailureBudgetUsed"))
    below = gate(plan.waves, machines).refusal
    if below:
        return replace(run, stopped_because=below)
    if run.phase is Phase.READY and opens(run) <= now and not run.cancelled and run.events.is_clear:
        return _to(run, Phase.OPEN)
    return run


def _rest(run: Run, part: _Part, claim: Operation | None, now: datetime) -> _Part:
    """Nothing has been sent: wait for the opening, for Azure, for the permit it has; or end: it may not start."""
    if not part.rest:
        return part
    away = claim.reason if claim and is_away(claim.reason) else None  # in its own row too: no wave waits for it
    machine = part.machine if part.machine.reason == away else replace(part.machine, reason=away)
    refusal = refusal_to_start(run, now, machine)
    if refusal:
        refusal = away if away and refusal.code == "NoTimeLeft" else refusal
        return _Part(ended_part(machine, Outcome.NOT_STARTED, refusal, now))
    if now < opens(run):
        return _Part(machine, wake=_seconds(opens(run) - now))
    free, wait = free_at(run, machine), seconds_to_wait(claim, now) if claim else 0
    is_live = free is not None and now < free
    if claim and wait:
        return _Part(machine, wake=wait, busy=is_live, queued=is_live or claim.paced)
    if free is not None and is_live:
        return _Part(machine, wake=_seconds(free - now), busy=True, queued=True)
    # In a plan its turn may not have come: then time alone brings its end.
    due = claim is not None and has_slot(claim, now)
    return _Part(machine, rest=True, due=due, wake=_seconds(last_send(run, machine) - now) if run.plan else None)


def _granted(run: Run, parts: list[_Part], now: datetime) -> Set[str]:
    """Which of those whose turn it may be are given a permit."""
    ready = [part.machine for part in parts if part.rest]
    if run.plan is None:
        return {machine.machine for machine in ready}
    machines = [part.machine for part in parts]
    turn = gate(run.plan.waves, machines)
    if run.phase is not Phase.OPEN or (turn.since and now < turn.since):
        return frozenset()
    busy = [part.machine for part in parts if part.busy]
    queued = [part.machine for part in parts if part.queued and not is_away(part.machine.reason)]
    in_turn = [machine for machine in ready if machine.wave <= turn.wave]  # earlier: it was away
    due = {part.machine.machine for part in parts if part.due}
    return frozenset(grants(pace(run.plan.concurrency, machines), busy, queued, in_turn, due))


def _grant(run: Run, part: _Part, now: datetime) -> _Part:
    granted = move(part.machine, Step.PERMITTED, permit_until=now + PERMIT_LIFE)
    start = StartInstallation(run=run.id, machine=part.machine.machine)
    return _Part(granted, start, _seconds((free_at(run, granted) or now) - now))


def _decided(run: Run, after: Run, before: tuple[RunMachine, ...], parts: list[_Part], now: datetime) -> Advance:
    """As much as one transaction takes, permits last: the rest is decided anew at once."""
    pairs = [(part, old) for part, old in zip(parts, before, strict=True)]
    changed = [part.machine for part, old in pairs if part.machine != old]
    taken = sorted(changed, key=lambda each: each.step is Step.PERMITTED)[:MOST_CHANGES] if run.plan else changed
    kept = {machine.machine for machine in taken}
    messages = tuple(p.message for p, old in pairs if p.message and (p.machine == old or p.machine.machine in kept))
    if len(taken) == len(changed) and all(part.machine.is_ended for part in parts):
        return Advance(run=_closed(after, [part.machine for part in parts], now), machines=tuple(taken))
    wakes = [*(part.wake for part in parts if part.wake is not None), *_deadlines(after, now)]
    since = gate(after.plan.waves, [part.machine for part in parts]).since if after.plan else None
    wakes += [_seconds(since - now)] if since and now < since else []
    wake = min(wakes, default=None) if len(taken) == len(changed) else 0
    return Advance(run=after if after != run else None, machines=tuple(taken), messages=messages, wake=wake)


def _deadlines(run: Run, now: datetime) -> list[int]:
    """In how many seconds a run is judged again that has not begun."""
    plan = run.plan if run.phase is Phase.READY and not run.stopped_because else None
    return [_seconds(by - now) for by in deadlines(run.events, run.start, plan.begin_by, now)] if plan else []


def _closed(run: Run, machines: list[RunMachine], now: datetime) -> Run:
    outcome = run_outcome(machines, missed=run.stopped_because == MISSED, cancelled=run.cancelled is not None)
    return replace(_to(run, Phase.CLOSED), closed=now, outcome=outcome)


def cancelled(run: Run, why: Reason, now: datetime) -> Run:
    """The run in which nothing starts any more; what runs is followed to its end. A second time changes nothing."""
    return run if run.cancelled else replace(run, cancelled=now, cancelled_because=why)


def refusal_to_start(run: Run, now: datetime, machine: RunMachine | None = None) -> Reason | None:
    """Why no installation of this run, or of this machine in it, may start now or later, or None."""
    if run.cancelled:
        return run.cancelled_because or reason("Cancelled")
    if run.stopped_because:
        return run.stopped_because
    return reason("NoTimeLeft") if now > last_send(run, machine) else None


def may_start(run: Run, machine: RunMachine, now: datetime) -> bool:
    """Whether this machine holds a permit that is good at this instant."""
    permitted = machine.step is Step.PERMITTED and machine.permit_until is not None and now < machine.permit_until
    is_open = run.closed is None and run.phase is Phase.OPEN
    return permitted and is_open and refusal_to_start(run, now, machine) is None and now >= opens(run)


def selected(run: Run, plan: Plan) -> Run:
    """All its machines are written down."""
    return replace(_to(run, Phase.READY), plan=plan)


def _may_be_busy(machine: RunMachine) -> bool:
    """Whether something is, or may be, under way on a machine whose attempt was not read."""
    return machine.step in (Step.PERMITTED, Step.RUNNING)


def free_at(run: Run, machine: RunMachine) -> datetime | None:
    """From when on nothing leaves on its last permit, whichever instance's clock it was granted by."""
    guard = CLOCK_GUARD if run.plan else timedelta()
    return machine.permit_until + guard if machine.permit_until else None


def _seconds(span: timedelta) -> int:
    return max(1, int(span.total_seconds()) + 1)


def _to(run: Run, phase: Phase) -> Run:
    if phase not in RUN_TRANSITIONS[run.phase]:
        raise ValueError(f"A run cannot go from {run.phase} to {phase}.")
    return replace(run, phase=phase)
