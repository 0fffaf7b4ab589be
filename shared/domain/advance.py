"""The one idempotent step that advances a maintenance run: from its rows and its machines' attempts to changes.

Machines come in waves (`wave.py`), and permits are granted within a pace and a failure budget (`permit.py`).
"""

from collections.abc import Set
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from shared.domain.machine import Outcome
from shared.domain.messages import FollowOperation, Message, StartInstallation
from shared.domain.operation import Operation, State, has_slot, is_overdue, seconds_to_wait
from shared.domain.permit import PERMIT_LIFE, grants, is_used_up, pace
from shared.domain.phase import Phase, run_outcome
from shared.domain.reason import reason
from shared.domain.returning import is_away
from shared.domain.run import MOST_CHANGES, Run, free_at, last_send, opens, refusal_to_start, to_phase
from shared.domain.run_events import deadlines, why_not_begun
from shared.domain.run_machine import RunMachine, Step, ended_part, move
from shared.domain.wave import gate

MISSED = reason("WindowMissed")


class Advance(msgspec.Struct, frozen=True, kw_only=True):
    """What one step decided: rows to write in one transaction, then messages to send.

    `wake`: in how many seconds time alone brings the next step; None when only an answer can.
    """

    run: Run | None = None
    machines: tuple[RunMachine, ...] = ()
    messages: tuple[Message, ...] = ()
    wake: int | None = None


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
        return _unread(run, machine, now)
    if fact is None or fact.state is State.CLAIMED:
        # In a plan it is told from those under way: the alarm looks at it.
        refused = run.plan is not None and machine.step is Step.RUNNING
        return _Part(move(machine, Step.PERMITTED) if refused else machine, rest=True)
    if fact.state is State.ENDED:
        return _Part(ended_part(machine, fact.outcome, fact.reason, now))
    if machine.step is Step.WAITING:
        return _Part(machine, wake=_seconds(PERMIT_LIFE), busy=True)  # rows read before its permit, the attempt after
    return _under_way(run, machine, fact, now)


def _unread(run: Run, machine: RunMachine, now: datetime) -> _Part:
    """What its row alone says: that something is, or may be, under way."""
    permitted = machine.step is Step.PERMITTED
    free = free_at(run, machine) if permitted else None
    wake = _seconds(free - now) if free else None  # what has run out holds a place until an alarm looks
    return _Part(machine, wake=wake, busy=permitted or machine.step is Step.RUNNING, queued=permitted)


def _under_way(run: Run, machine: RunMachine, fact: Operation, now: datetime) -> _Part:
    """A request has left, or may have; who should follow it is asked once more when that is overdue."""
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
        return to_phase(run, Phase.OPEN)
    return run


def _rest(run: Run, part: _Part, claim: Operation | None, now: datetime) -> _Part:
    """Nothing has been sent: it waits for the opening, for its turn; or ends: it may not start."""
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
    return _in_line(run, machine, claim, now)


def _in_line(run: Run, machine: RunMachine, claim: Operation | None, now: datetime) -> _Part:
    """It may start: it waits for Azure, or for the permit that it has, or it takes another."""
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
    return replace(to_phase(run, Phase.CLOSED), closed=now, outcome=outcome)


def _seconds(span: timedelta) -> int:
    return max(1, int(span.total_seconds()) + 1)
