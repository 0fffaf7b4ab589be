"""Advancing a run: read its rows and each machine's attempt, decide, record in one transaction, send messages last."""

import logging
from datetime import datetime

from shared.cloud.clock import Clock
from shared.domain.machine import Outcome
from shared.domain.messages import AdvanceRun
from shared.domain.operation import Operation, State, end, is_turned_away
from shared.domain.resource_id import parse_machine_id
from shared.domain.run import Advance, Run, RunMachine, Step, advance, claim_for, with_next_alarm
from shared.store.runs import Loaded
from shared.store.store import Store
from shared.store.table import Conflict
from shared.workflows.sending import record_unstarted

log = logging.getLogger(__name__)


def advance_run(store: Store, message: AdvanceRun, clock: Clock) -> None:
    """Take the next step of a run; nothing when it is closed or unknown."""
    loaded = store.runs.load(message.run)
    if loaded is None or loaded.run.closed:
        return
    facts = _facts(store, loaded)
    decided = advance(loaded.run, loaded.machines, facts, clock.now())
    after = _after(loaded.run, decided, message)
    try:
        for machine in decided.machines:
            if machine.step is Step.ENDED:
                _conclude(store, loaded.run, machine, facts.get(machine.machine), clock.now())
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
    if decided.run:
        log.info("run closed run=%s", run_id)


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
    if not store.operations.refuse(unstarted):
        raise Conflict("The machine is being started.")
    return unstarted


def _facts(store: Store, loaded: Loaded) -> dict[str, Operation]:
    open_machines = [each.machine for each in loaded.machines if each.step is not Step.ENDED]
    found = {m: store.operations.attempt(parse_machine_id(m), loaded.run.id) for m in open_machines}
    return {machine: operation for machine, operation in found.items() if operation}
