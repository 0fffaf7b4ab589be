"""Following an operation to its end without holding a function: one look a message."""

import logging
from datetime import datetime
from typing import Any

from shared.cloud import operations as following
from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError
from shared.domain.identity import loss
from shared.domain.logline import logline
from shared.domain.looks import next_look, next_trace
from shared.domain.machine import Outcome, Record
from shared.domain.messages import FollowOperation
from shared.domain.operation import (
    Operation,
    OperationKind,
    State,
    confirmed,
    end,
    gave_up,
    looked,
    lost_answer,
    seconds_to_wait,
)
from shared.domain.reason import Reason
from shared.domain.resource_id import parse_machine_id
from shared.store.operations import Held
from shared.store.store import Store
from shared.store.table import Conflict
from shared.workflows.conclusion import Late, conclude
from shared.workflows.sending import go_on, record_left_out, record_unstarted

log = logging.getLogger(__name__)
# Seconds until the next look where Azure gave no time and no answer (ours).
LOOK_AGAIN = 20
# Seconds between looks for a list of updates that Resource Graph has not published yet (ours).
RESULTS_AGAIN = 3
# Instead of seconds: neither the machine nor Azure's address of its assessment is there, nothing to wait for. Not so
# for an installation: the guest may go on with it, where it is now.
_FORGOTTEN = -1


def follow(azure: Azure, store: Store, message: FollowOperation) -> None:
    """One look at an operation, and the next step.

    Nothing when it ended, another attempt holds the machine, or this look was made already: however often a message
    comes, an operation has one chain of looks.
    """
    address = parse_machine_id(message.machine)
    held = store.operations.in_flight(address)
    record = store.machines.get(address)
    if held is None or held.operation.attempt != message.attempt:
        _mend(store, record, store.operations.ended(address, message.attempt))
        return
    if record is None or held.operation.looks != message.look:
        return
    try:
        _look(azure, store, record, held)
    except Conflict:
        log.info("operation moved on elsewhere machine=%s attempt=%s", message.machine, message.attempt)


def _mend(store: Store, record: Record | None, ended: Held | None) -> None:
    """A worker that died after it had saved an end may not have told the run, or the machine's row; its message comes
    again."""
    if ended is not None and ended.operation.kind is OperationKind.INSTALLATION:
        go_on(store, ended.operation, 0)
    if record is None or ended is None or ended.operation.kind is not OperationKind.ASSESSMENT:
        return
    is_told = record.refusal is not None and record.refusal.at == ended.operation.ended
    if ended.operation.assessment is None and not is_told:
        record_left_out(store, ended.operation)


def _look(azure: Azure, store: Store, record: Record, held: Held) -> None:
    operation = held.operation
    if operation.state in (State.CLAIMED, State.SENDING):
        _unanswered(store, held, azure.clock.now())
        return
    lost = loss(record, operation.claimed)
    try:
        body, wait = _result(azure, operation, lost)
        if body is None:
            _keep_looking(azure, store, held, wait, lost)
            return
        if operation.state is State.UNCONFIRMED:
            held = store.operations.save(held, confirmed(operation, azure.clock.now()))
            log.info("start confirmed by its traces machine=%s attempt=%s", operation.machine, operation.attempt)
        if following.is_running(body):
            _keep_looking(azure, store, held, wait, lost)
        else:
            _ended(store, conclude(azure, store, record, held, body))
    except (Late, CloudError) as error:
        _not_readable(azure, store, held, error, lost)


def _not_readable(azure: Azure, store: Store, held: Held, error: Late | CloudError, lost: Reason | None) -> None:
    operation = held.operation
    facts = {"machine": operation.machine, "attempt": operation.attempt, "reason": type(error).__name__}
    log.info(logline("operation not readable yet", **facts, detail=error))
    late = max(RESULTS_AGAIN, operation.retry_after if operation.planned else 0)
    wait = late if isinstance(error, Late) else error.retry_after or LOOK_AGAIN
    _keep_looking(azure, store, held, wait, lost)


def _unanswered(store: Store, held: Held, now: datetime) -> None:
    """Azure has not answered yet: start what is due, give up an answer that cannot come any more, else wait."""
    operation = held.operation
    if operation.state is State.CLAIMED:
        if not seconds_to_wait(operation, now):
            go_on(store, operation, 0)
        return
    lost = lost_answer(operation, now)
    if lost:
        kept = store.operations.save(held, lost).operation
        log.warning("answer lost machine=%s attempt=%s reason=StartUnconfirmed", kept.machine, kept.attempt)
        go_on(store, kept, 0)


def _result(azure: Azure, operation: Operation, lost: Reason | None) -> tuple[dict[str, Any] | None, int]:
    """What is known of it (None: nothing yet), and in how many seconds to look again. Raises CloudError.

    `lost`: why its machine is not there any more; what is found at its address then may be another's.
    """
    if operation.url or operation.result_url:
        look = following.look(azure, operation)
        if isinstance(look, following.Running):
            return None, look.retry_after
        if isinstance(look, following.Finished):
            return look.body, 0
        if lost and operation.kind is OperationKind.ASSESSMENT:
            return None, _FORGOTTEN
    return None if lost else following.trace(azure, operation), LOOK_AGAIN


def _keep_looking(azure: Azure, store: Store, held: Held, wait: int, lost: Reason | None) -> None:
    try:
        if not _give_up(azure, store, held, lost, forgotten=wait == _FORGOTTEN):
            _look_again(azure, store, held, wait)
    except Conflict:
        log.info("operation moved on elsewhere machine=%s", held.operation.machine)


def _look_again(azure: Azure, store: Store, held: Held, wait: int) -> None:
    """Recorded first, so that of two messages for one look only one asks for the next."""
    operation, now = held.operation, azure.clock.now()
    if operation.state is State.ACCEPTED:
        wait = next_look(operation, wait, now)
    elif operation.state is State.UNCONFIRMED:
        wait = max(wait, next_trace(operation, now))
    go_on(store, store.operations.save(held, looked(operation, now, wait)).operation, wait)


def _give_up(azure: Azure, store: Store, held: Held, lost: Reason | None, forgotten: bool) -> bool:
    """End what cannot be learned any more, with its reason: that the machine is lost comes before others."""
    now = azure.clock.now()
    why = gave_up(held.operation, now)
    if lost and (why or forgotten):
        why = lost
    if why is None:
        return False
    ended = store.operations.save(held, end(held.operation, Outcome.UNKNOWN, why, now)).operation
    if ended.kind is OperationKind.ASSESSMENT:
        record_unstarted(store, ended)  # an installation's end is recorded by its run
    _ended(store, ended)
    return True


def _ended(store: Store, operation: Operation) -> None:
    why = operation.reason.code if operation.reason else ""
    log.info("operation ended machine=%s attempt=%s kind=%s outcome=%s reason=%s", operation.machine,
             operation.attempt, operation.kind, operation.outcome, why)  # fmt: skip
    go_on(store, operation, 0)
