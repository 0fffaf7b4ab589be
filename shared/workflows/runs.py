"""Advancing a run: read its rows and each machine's attempt, decide, record in one transaction, send messages last."""

import logging
from datetime import datetime

from shared.cloud.clock import Clock
from shared.domain.machine import Outcome
from shared.domain.messages import AdvanceRun
from shared.domain.operation import Operation, State, end
from shared.domain.resource_id import parse_machine_id
from shared.domain.run import Advance, Run, RunMachine, Step, advance, with_next_alarm
from shared.store.runs import Loaded
from shared.store.store import Store
from shared.store.table import Conflict
from shared.workflows.sending import record_unstarted

log = logging.getLogger(__name__)


def advance_run(store: Store, message: AdvanceRun, clock: Clock) -> None:
    """Take the next step of a run. A closed one only gives back what it may still hold; an unknown one is nothing."""
    loaded = store.runs.load(message.run)
    if loaded is None:
        return
    if loaded.run.closed:
        _release_all(store, loaded, clock.now())
        return
    decided = advance(loaded.run, loaded.machines, _facts(store, loaded), clock.now())
    after = _after(loaded.run, decided, message)
    try:
        for machine in decided.machines:
            _release(store, loaded, machine, clock.now())
        if after != loaded.run or decided.machines:
            store.runs.save(loaded, after, decided.machines)
    except Conflict:
        store.queues.send(message, 1)
        return
    for each in decided.messages:
        store.queues.send(each)
    if decided.wake is not None and after.alarm != loaded.run.alarm:
        store.queues.send(AdvanceRun(run=message.run, alarm=after.alarm), decided.wake)
    _note(message.run, decided)


def _after(run: Run, decided: Advance, message: AdvanceRun) -> Run:
    """The run's row after the step. An alarm is set anew when this was it or something changed, else it still stands.

    So a run has one alarm, however often its messages come.
    """
    if decided.run:
        return decided.run
    is_spent = message.alarm == run.alarm or bool(decided.machines)
    return with_next_alarm(run) if is_spent and decided.wake is not None else run


def _note(run_id: str, decided: Advance) -> None:
    for machine in decided.machines:
        log.info("run advanced run=%s machine=%s step=%s outcome=%s reason=%s", run_id, machine.machine, machine.step,
                 machine.outcome or "", machine.reason.code if machine.reason else "")  # fmt: skip


def _release_all(store: Store, loaded: Loaded, now: datetime) -> None:
    """A start that raced with the closing may have claimed a machine; an unused claim would block it for ever."""
    for machine in loaded.machines:
        held = store.operations.in_flight(parse_machine_id(machine.machine))
        if held and held.operation.attempt == loaded.run.id and held.operation.state is State.CLAIMED:
            _release(store, loaded, machine, now)


def _release(store: Store, loaded: Loaded, machine: RunMachine, now: datetime) -> None:
    """A machine that ends unstarted gives its claim back first. Raises Conflict when the claim is being used."""
    held = store.operations.in_flight(parse_machine_id(machine.machine))
    ours = held is not None and held.operation.attempt == loaded.run.id
    if machine.step is not Step.ENDED or held is None or not ours:
        return
    if held.operation.state is not State.CLAIMED:
        raise Conflict("The claim is being used.")
    unstarted = end(held.operation, Outcome.NOT_STARTED, machine.reason, now)
    record_unstarted(store, unstarted)
    store.operations.save(held, unstarted)


def _facts(store: Store, loaded: Loaded) -> dict[str, Operation]:
    open_machines = [each.machine for each in loaded.machines if each.step is not Step.ENDED]
    found = {m: store.operations.attempt(parse_machine_id(m), loaded.run.id) for m in open_machines}
    return {machine: operation for machine, operation in found.items() if operation}
