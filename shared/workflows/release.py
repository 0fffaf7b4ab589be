"""What an operator ends by hand: an operation that does not move, a run that does not close. Every law still holds.

An attempt stays used up for ever, so nothing is sent again in its run; the machine is free for other work only in the
transaction that ends the operation. What Azure may still run is not released: another start could take its place in the
guest (NEWER_OPERATION_SUPERSEDED). It ends by itself, by its deadline at the latest.
"""

import logging
from datetime import datetime

from shared.cloud import operations as following
from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError
from shared.domain.errors import RequestError, not_found
from shared.domain.identity import loss
from shared.domain.logline import logline
from shared.domain.messages import AdvanceRun
from shared.domain.operation import Operation, State
from shared.domain.reason import Reason
from shared.domain.release import operators_reason, released, seconds_to_release
from shared.domain.resource_id import MachineId
from shared.domain.run import Run, cancelled
from shared.store.store import Store
from shared.store.table import Conflict
from shared.workflows.sending import go_on, record_left_out, record_unstarted

log = logging.getLogger(__name__)
RELEASED, CLOSED = "ReleasedByOperator", "ClosedByOperator"


def release_operation(azure: Azure, store: Store, address: MachineId, attempt: str, who: str, why: str) -> Operation:
    """End an operation: not started when nothing was sent, else unknown. A second call says the same again.

    Raises RequestError: 400 without a reason, 404 for an unknown operation, 409 when it ended by itself, Azure runs it
    or does not say, or its start is not answered yet and traces of it are still looked for.
    """
    because, now = operators_reason(RELEASED, who, why), azure.clock.now()
    attempt = attempt.lower()  # a GUID, which a caller may write in either case
    while True:
        held = store.operations.in_flight(address)
        if held is None or held.operation.attempt != attempt:
            return _released_before(store, address, attempt)
        _refuse_while_sending(held.operation, now)
        _refuse_while_running(azure, store, address, held.operation)
        try:
            done = store.operations.save(held, released(held.operation, because, now)).operation
        except Conflict:
            continue  # it moved on: decide anew
        record_unstarted(store, done)
        go_on(store, done, 0)
        _note("operation released", because, machine=done.machine, attempt=attempt, kind=done.kind,
              was=held.operation.state, outcome=done.outcome)  # fmt: skip
        return done


def close_run(store: Store, run_id: str, who: str, why: str, now: datetime) -> Run:
    """Start nothing more in a run, follow what runs, and let it close. A second call only hints again.

    Raises RequestError: 400 without a reason, 404 for an unknown run, 409 when it has closed.
    """
    because, run_id = operators_reason(CLOSED, who, why), run_id.lower()  # a GUID, as above
    while True:
        loaded = store.runs.load(run_id)
        if loaded is None:
            raise not_found(f"/fleet/runs/{run_id}")
        if loaded.run.closed:
            raise RequestError(409, "RunClosed", f"The run closed at {loaded.run.closed.isoformat()}.", run_id)
        after = cancelled(loaded.run, because, now)
        try:
            if after != loaded.run:
                store.runs.save(loaded, after, ())
        except Conflict:
            continue  # it took a step: decide anew
        store.queues.send(AdvanceRun(run=run_id))
        _note("run cancelled", because, run=run_id)
        return after


def _refuse_while_sending(operation: Operation, now: datetime) -> None:
    wait = seconds_to_release(operation, now)
    if wait:
        text = f"The request to start it may have reached Azure; release it in {wait} seconds."
        raise RequestError(409, "OperationStarting", text, operation.attempt)


def _refuse_while_running(azure: Azure, store: Store, address: MachineId, operation: Operation) -> None:
    if operation.state is State.CLAIMED:
        return
    record = store.machines.get(address)
    lost = record is None or loss(record, operation.claimed) is not None
    try:
        runs = following.still_runs(azure, operation, lost)
    except CloudError as error:
        text = f"Azure does not say whether it still runs: {error}"
        raise RequestError(409, "OperationUnreadable", text, operation.attempt) from error
    if runs:
        text = f"Azure still runs it; without an end it is given up at {operation.deadline.isoformat()}."
        raise RequestError(409, "OperationRunning", text, operation.attempt)


def _released_before(store: Store, address: MachineId, attempt: str) -> Operation:
    """The same call again writes what a worker that died may have left out."""
    ended = store.operations.ended(address, attempt)
    if ended is None:
        raise not_found(f"/fleet/operations/{attempt}")
    operation = ended.operation
    if operation.reason is None or operation.reason.code != RELEASED:
        raise RequestError(409, "OperationEnded", f"The operation ended by itself as {operation.outcome}.", attempt)
    if record_left_out(store, operation):
        go_on(store, operation, 0)
    return operation


def _note(what: str, because: Reason, **facts: object) -> None:
    log.warning(logline(what, **facts, reason=because.code, detail=because.detail))
