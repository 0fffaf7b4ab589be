"""Advancing a run: read its rows and each machine's attempt, decide, record in one transaction, send messages last."""

import logging
import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from shared.cloud.clock import Clock
from shared.domain.advance import Advance, advance
from shared.domain.alarm import is_lost, is_outdated, is_spent, with_alarm, without_alarm
from shared.domain.machine import Outcome
from shared.domain.maintenance_id import parse_configuration_id
from shared.domain.messages import AdvanceRun, SendEvents
from shared.domain.operation import Operation, State, end, is_turned_away
from shared.domain.reason import reason
from shared.domain.resource_id import parse_machine_id
from shared.domain.run import Run, RunMachine, Step, claim_for
from shared.domain.summary import summary
from shared.store.runs import Loaded
from shared.store.store import Store
from shared.store.table import Conflict
from shared.workflows.run_reading import Read, first_read, once_more
from shared.workflows.sending import record_unstarted

log = logging.getLogger(__name__)
# How often a step is decided anew at once (ours): the steps of a large run come one after the other, each in some
# tenths of a second, and most of a step's time is spent reading attempts.
MOST_TRIES = 4


def advance_run(store: Store, message: AdvanceRun, clock: Clock) -> None:
    """Take the next step of a run; nothing when it is closed or unknown, or its alarm is still to come.

    Where another step was quicker it is decided anew, by the attempts that were read: they take longest.
    """
    if _is_outdated(store, message, clock):
        return
    loaded, now = store.runs.load(message.run), clock.now()
    if loaded is None or loaded.run.closed:
        return
    read = first_read(store, loaded, message, now)
    for _ in range(MOST_TRIES):
        if _step(store, message, read, clock):
            return
        again = store.runs.load(message.run)
        if again is None or again.run.closed or _is_over(again, message):
            return
        read = once_more(store, read, again)
    store.queues.send(message, 1)


def _is_over(loaded: Loaded, message: AdvanceRun) -> bool:
    """Whether another step has seen the end that this message is about."""
    return any(each.is_ended and each.machine.lower() == message.machine.lower() for each in loaded.machines)


def _is_outdated(store: Store, message: AdvanceRun, clock: Clock) -> bool:
    """One row or two say so, before those of all machines are read: another step may have been for this one as well.

    Who took that step may have died before it set the alarm, or sent what it decided; then this one sets it, when it is
    late, or the agenda does.
    """
    if message.machine:
        machine = store.runs.machine(message.run, message.machine)
        run = store.runs.run(message.run) if machine and machine.is_ended else None
        return run is not None and (run.closed is not None or not is_lost(run, clock.now()))
    run = store.runs.run(message.run) if message.alarm is not None and not message.heals else None
    return run is not None and is_outdated(run, message, clock.now())


def _step(store: Store, message: AdvanceRun, read: Read, clock: Clock) -> bool:
    """Whether it was taken, or is put off; not where the run has moved on meanwhile."""
    loaded, facts = read.loaded, read.facts
    step = advance(loaded.run, loaded.machines, facts, read.now, read.unseen, clock.now())
    decided = _told(store, loaded.run, _stop_first(loaded.run, step))
    after = _after(loaded.run, decided, message, clock.now())
    if not _concluded(store, loaded.run, decided, facts, clock):
        store.queues.send(message, 1)
        return True
    try:
        if after != loaded.run or decided.machines:
            store.runs.save(loaded, after, decided.machines)
    except Conflict:
        return False
    _send(store, loaded.run, after, decided, clock.now())
    _list(store, loaded, after, decided)
    _note(message.run, decided)
    return True


def _concluded(store: Store, run: Run, decided: Advance, facts: dict[str, Operation], clock: Clock) -> bool:
    """Whether all ends are written down; not where a machine is being started."""
    try:
        for machine in decided.machines:
            if machine.step is Step.ENDED:
                _conclude(store, run, machine, facts.get(machine.machine), clock.now())
    except Conflict:
        return False
    return True


def _send(store: Store, before: Run, after: Run, decided: Advance, now: datetime) -> None:
    for each in decided.messages:
        store.queues.send(each)
    if after.alarm_at and after.alarm != before.alarm:
        wait = math.ceil((after.alarm_at - now).total_seconds())
        # What goes on at once goes on for all: who knew of an end that was not taken this time has been heard.
        again = AdvanceRun(run=after.id, alarm=after.alarm, heals=decided.wake == 0)
        store.queues.send(again, max(0, wait))
    if after.closed and after.events.topic:
        store.queues.send(SendEvents(configuration=after.configuration, start=after.start))


def _list(store: Store, loaded: Loaded, after: Run, decided: Advance) -> None:
    if decided.run or decided.machines:
        changed = {machine.machine: machine for machine in decided.machines}
        list_run(store, after, [changed.get(machine.machine, machine) for machine in loaded.machines])


def _stop_first(run: Run, decided: Advance) -> Advance:
    """That a run's own rules stop it is on its row before any machine is told so: whoever was quicker is heard.

    Else a run whose stop meets a report or another step would leave out the machines that were told already.
    """
    stopped = decided.run.stopped_because if decided.run else None
    if stopped is None or run.stopped_because:
        return decided
    return Advance(run=msgspec.structs.replace(run, stopped_because=stopped), wake=0)


def _told(store: Store, run: Run, decided: Advance) -> Advance:
    """With the reason of machines that ran out of time because something else kept them."""
    if run.plan is None:
        return decided
    return msgspec.structs.replace(decided, machines=tuple(_kept_busy(store, run, each) for each in decided.machines))


def _kept_busy(store: Store, run: Run, machine: RunMachine) -> RunMachine:
    if machine.reason is None or machine.reason.code != "NoTimeLeft":
        return machine
    held = store.operations.in_flight(parse_machine_id(machine.machine))
    if held is None or held.operation.attempt == run.id:
        return machine
    why = reason("MachineBusy", f"{held.operation.kind} {held.operation.attempt}")
    return msgspec.structs.replace(machine, reason=why)


def list_run(store: Store, run: Run, machines: Sequence[RunMachine]) -> None:
    """How the run of a configuration stands, for lists. The agenda does it once more when the run has closed."""
    if run.configuration:
        store.run_list.save(parse_configuration_id(run.configuration, "configuration"), summary(run, machines))


def _after(run: Run, decided: Advance, message: AdvanceRun, now: datetime) -> Run:
    """The run's row after the step, with its alarm."""
    base, spent = decided.run or run, is_spent(run, message)
    if decided.wake is None:
        return without_alarm(base) if spent else base
    # At once: whoever has set the pending one for now may have died before it was sent.
    spent = spent or decided.wake == 0
    return with_alarm(base, now + timedelta(seconds=decided.wake), now, spent=spent)


def _note(run_id: str, decided: Advance) -> None:
    for machine in decided.machines:
        log.info("run advanced run=%s machine=%s step=%s outcome=%s reason=%s", run_id, machine.machine, machine.step,
                 machine.outcome or "", machine.reason.code if machine.reason else "")  # fmt: skip
    if decided.run:
        what = "run closed" if decided.run.closed else "run moved"
        log.info("%s run=%s phase=%s", what, run_id, decided.run.phase)


def _conclude(store: Store, run: Run, machine: RunMachine, fact: Operation | None, now: datetime) -> None:
    """What ended without a result of Azure's is written down before the run's row says so. Safe to repeat.

    Raises Conflict when the machine is being started.
    """
    operation = fact if fact and fact.state is State.ENDED else _give_back(store, run, machine, now)
    if operation.installation is None and not is_turned_away(operation):
        record_unstarted(store, operation)


def _give_back(store: Store, run: Run, machine: RunMachine, now: datetime) -> Operation:
    """The unstarted attempt, ended: its claim is given back; where there is none, none can be made any more."""
    held = store.operations.in_flight(parse_machine_id(machine.machine))
    if held and held.operation.attempt == run.id and held.operation.state is State.CLAIMED:
        return store.operations.save(held, end(held.operation, Outcome.NOT_STARTED, machine.reason, now)).operation
    unstarted = end(claim_for(run, machine.machine, now), Outcome.NOT_STARTED, machine.reason, now)
    if store.operations.refuse(unstarted):
        return unstarted
    before = store.operations.attempt(parse_machine_id(machine.machine), run.id)
    if before and before.state is State.ENDED and before.outcome is Outcome.NOT_STARTED:
        return before  # by a step like this one, whose worker died before it saved the run
    raise Conflict("The machine is being started.")
