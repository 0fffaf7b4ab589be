"""Sending a claimed operation to Azure, once, and recording what it answered."""

import logging
import math
from collections.abc import Callable
from datetime import datetime

import msgspec

from shared.cloud import operations as following
from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError
from shared.domain.identity import is_own
from shared.domain.logline import logline
from shared.domain.looks import next_look
from shared.domain.machine import Installation, Outcome, Record, Refusal, unreachable_now
from shared.domain.messages import AdvanceRun, FollowOperation, StartAssessment
from shared.domain.operation import (
    Accepted,
    Answer,
    Operation,
    OperationKind,
    Refused,
    State,
    answered,
    confirmed,
    end,
    has_slot,
    leave_by,
    seconds_to_wait,
    sending,
    with_slot,
)
from shared.domain.permit import FAILED
from shared.domain.planned import is_looked_at_together
from shared.domain.reason import Reason
from shared.domain.release import answered_late
from shared.domain.resource_id import parse_machine_id
from shared.store.operations import Held
from shared.store.store import Store
from shared.store.table import Conflict

log = logging.getLogger(__name__)


def when_due(store: Store, record: Record, held: Held, now: datetime) -> tuple[Held, int]:
    """A claim, and in how many seconds it may be sent: Azure's Retry-After first, then a slot of its throttle.

    A slot is leased once and kept until it is used, or is too old for that. Raises Conflict when somebody else moved
    the operation on.
    """
    wait = seconds_to_wait(held.operation, now)
    if wait or has_slot(held.operation, now):
        return held, wait
    machine = record.machine
    (slot,) = store.buckets.lease(machine.address.subscription, machine.location, 1, now)
    if slot <= now:
        return held, 0
    held = store.operations.save(held, with_slot(held.operation, slot))
    return held, seconds_to_wait(held.operation, now)


Call = Callable[[datetime], Answer]
"""Lets the request leave; given the last instant at which it may."""


def send(azure: Azure, store: Store, record: Record, held: Held, call: Call) -> None:
    """Record that the request is about to leave, then as `leave`. What Azure accepted is looked at by itself.

    Raises Conflict, before anything is sent, when somebody else moved the operation on.
    """
    sent = store.operations.save(held, sending(held.operation, azure.clock.now()))
    kept = leave(azure, store, record, sent, call).operation
    if is_looked_at_together(kept):
        go_on(store, kept, math.ceil(((kept.look_at or kept.claimed) - azure.clock.now()).total_seconds()))


def leave(azure: Azure, store: Store, record: Record, held: Held, call: Call) -> Held:
    """Let a request leave that is on record as `sending`, record the answer, and see to what comes next.

    For a planned assessment that Azure accepted the caller sees to that: it is looked at together with others. Returns
    the operation as it stands then; with an empty ETag when somebody else moved it on meanwhile.
    """
    operation, answer = held.operation, call(leave_by(held.operation))
    if isinstance(answer, Accepted):
        operation = msgspec.structs.replace(operation, retry_after=answer.retry_after)
        first = next_look(operation, answer.retry_after, azure.clock.now())
        answer = msgspec.structs.replace(answer, retry_after=first)
    after, delay = answered(operation, answer, azure.clock.now(), _why_busy(azure, record, answer))
    if isinstance(answer, Refused) and answer.status == 429:
        machine = record.machine
        pause = max(delay, answer.retry_after)  # the delay is 0 when there was no time left to wait for it
        store.buckets.block(machine.address.subscription, machine.location, pause, azure.clock.now())
    log.info("sent machine=%s attempt=%s kind=%s state=%s reason=%s", after.machine, after.attempt, after.kind,
             after.state, after.reason.code if after.reason else "")  # fmt: skip
    if after.state is State.ENDED and after.kind is OperationKind.ASSESSMENT:
        record_unstarted(store, after)  # an installation's end is recorded by its run
    kept = _save(store, held, after, answer, azure.clock.now())
    if not is_looked_at_together(kept.operation):
        go_on(store, kept.operation, delay)
    return kept


def go_on(store: Store, operation: Operation, delay: int) -> None:
    """The message that moves an operation on from the state it is in."""
    is_run = operation.kind is OperationKind.INSTALLATION
    if is_run and operation.state in (State.CLAIMED, State.ENDED):
        store.queues.send(AdvanceRun(run=operation.attempt, machine=operation.machine), delay)
        if operation.installation is not None:
            _mark_over(store, operation, failed=operation.outcome in FAILED)
    elif operation.state is State.CLAIMED:
        again = StartAssessment(
            machine=operation.machine, attempt=operation.attempt, requested_by=operation.requested_by
        )
        store.queues.send(again, delay)
    elif operation.state is not State.ENDED:
        look = FollowOperation(machine=operation.machine, attempt=operation.attempt, look=operation.looks)
        store.queues.send(look, delay)


def _mark_over(store: Store, operation: Operation, failed: bool) -> None:
    """A hint for other steps of the run, whose message is out already: nothing fails for it."""
    try:
        store.runs.mark_over(operation.attempt, operation.machine, failed=failed)
    except Exception as error:  # noqa: BLE001 - the reason is logged, and each machine has a message of its own
        log.warning(logline("end not marked", machine=operation.machine, run=operation.attempt, reason=error))


def end_unstarted(store: Store, held: Held, why: Reason, now: datetime) -> None:
    """A claim ends with its reason, and what asked for it goes on. Raises Conflict when somebody moved it on."""
    ended = end(held.operation, Outcome.NOT_STARTED, why, now)
    if ended.kind is OperationKind.ASSESSMENT:
        record_unstarted(store, ended)  # an installation's end is recorded by its run
    go_on(store, store.operations.save(held, ended).operation, 0)
    log.info("operation not started machine=%s attempt=%s kind=%s reason=%s", ended.machine, ended.attempt, ended.kind,
             why.code)  # fmt: skip


def record_unstarted(store: Store, operation: Operation) -> None:
    """What the machine's own row says of an operation that ended without a result of Azure's. Safe to repeat."""
    address, at = parse_machine_id(operation.machine), operation.ended
    if at is None or operation.reason is None or operation.outcome is None:
        raise ValueError("An ended operation has an end, an outcome and a reason.")
    if operation.kind is OperationKind.ASSESSMENT:
        record = store.machines.get(address)
        if record is None or is_own(record, operation.claimed):
            store.machines.set_refusal(address, Refusal(at=at, reason=operation.reason))
        return
    installation = Installation(
        id=operation.attempt,
        run=operation.attempt,
        outcome=operation.outcome,
        started=operation.claimed,
        ended=at,
        reason=operation.reason,
        requested_by=operation.requested_by,
    )
    store.history.add_installation(address, installation, ())
    record = store.machines.get(address)
    if record is None or (is_own(record, operation.claimed) and _is_last(record, installation)):
        store.machines.set_installation(address, installation)


def _is_last(record: Record, installation: Installation) -> bool:
    last = record.installation
    return last is None or last.id == installation.id or last.ended <= installation.ended


def record_left_out(store: Store, operation: Operation) -> bool:
    """The same for an end that its worker may have died after; False when the row tells of something newer."""
    record, ended = store.machines.get(parse_machine_id(operation.machine)), operation.ended
    others = [each.ended for each in (record.assessment, record.installation) if each] if record else []
    others += [record.refusal.at] if record and record.refusal else []
    if ended is None or any(other > ended for other in others):
        return False
    record_unstarted(store, operation)
    return True


def _why_busy(azure: Azure, record: Record, answer: Answer) -> Reason | None:
    """A 409 may mean busy or off: ask which. Unknown counts as busy, and is asked again."""
    if not (isinstance(answer, Refused) and answer.status == 409):
        return None
    try:
        return unreachable_now(record.machine, following.power_state(azure, record.machine.address))
    except CloudError as error:
        log.warning(logline("state unknown", machine=record.machine.id, reason=error))
        return None


def _save(store: Store, held: Held, after: Operation, answer: Answer, now: datetime) -> Held:
    """Record the answer. When somebody moved the operation on meanwhile, it still goes on record."""
    try:
        return store.operations.save(held, after)
    except Conflict:
        return Held(operation=_save_late(store, after, answer, now), etag="")


def _save_late(store: Store, after: Operation, answer: Answer, now: datetime) -> Operation:
    """A late yes counts while it is looked for; once the operation has ended, the answer is kept beside its end."""
    address = parse_machine_id(after.machine)
    while True:
        held = store.operations.in_flight(address)
        ended = store.operations.ended(address, after.attempt)
        try:
            if ended is not None:
                return _add_to(store, ended, after, answer)
            if held is None or held.operation.attempt != after.attempt:
                return after
            if held.operation.state is State.UNCONFIRMED and isinstance(answer, Accepted):
                return store.operations.save(held, confirmed(held.operation, now, answer)).operation
            return held.operation
        except Conflict:
            continue  # it moved on once more: decide anew


def _add_to(store: Store, ended: Held, after: Operation, answer: Answer) -> Operation:
    operation = answered_late(ended.operation, answer)
    store.operations.add(ended, operation)
    if after.state is State.ENDED and operation.assessment is None and operation.installation is None:
        record_unstarted(store, operation)  # over what the sender wrote of its own end a moment ago
    log.warning(logline("answered late", machine=operation.machine, attempt=operation.attempt,
                        outcome=operation.outcome, answer=operation.late_answer))  # fmt: skip
    return operation
