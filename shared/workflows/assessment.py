"""Assessments of single machines: asked for now, and started one machine a message."""

import logging
import math
from datetime import datetime, timedelta

from shared.cloud import patches
from shared.cloud.azure import Azure
from shared.domain.agenda import HEAL_EVERY, Item, ItemKind
from shared.domain.errors import RequestError, not_found
from shared.domain.machine import Kind, Record
from shared.domain.messages import StartAssessment
from shared.domain.operation import Operation, State, claim_assessment, is_turned_away, seconds_to_wait
from shared.domain.reason import reason
from shared.domain.request import SAME_REQUEST, attempt_id, days
from shared.domain.resource_id import MachineId, parse_machine_id
from shared.store.operations import Held
from shared.store.store import Store
from shared.store.table import Conflict
from shared.workflows.identity import ended_as_lost, is_held
from shared.workflows.owner import refuse_elsewhere, until_owned
from shared.workflows.sending import end_unstarted, go_on, send, when_due

log = logging.getLogger(__name__)


def request_assessment(store: Store, address: MachineId, who: str, request_id: str, now: datetime) -> Operation:
    """Claim a machine for an assessment asked for now.

    Raises RequestError: 404 for an unknown machine, 409 when it is busy, cannot be assessed by itself, or another
    deployment drives its subscription.
    """
    record = known_machine(store, address)
    attempt, same = same_request(store, address, "assessPatches", request_id, now)
    if same is None:
        refuse_elsewhere(store, address.subscription)
    if same or is_held(store, record):
        return same or same_or_busy(store, address, attempt, now)
    machine = record.machine
    (slot,) = store.buckets.lease(machine.address.subscription, machine.location, 1, now)
    operation = claim_assessment(machine.id, attempt, who, now, slot)
    item = Item(kind=ItemKind.ASSESSMENT, id=attempt, since=now, machine=machine.id, closes_by=operation.deadline)
    store.agenda.add(item, now + HEAL_EVERY)  # first, so that nothing claimed can be forgotten
    if store.operations.claim(operation) is None:
        return same_or_busy(store, address, attempt, now)
    store.queues.send(StartAssessment(machine=machine.id, attempt=attempt, requested_by=who), _seconds(slot - now))
    log.info("assessment requested machine=%s attempt=%s", record.machine.id, attempt)
    return operation


def start_assessment(azure: Azure, store: Store, message: StartAssessment) -> None:
    """Send the assessment that this message asks for, unless it was sent already or is no longer wanted."""
    address, now = parse_machine_id(message.machine), azure.clock.now()
    record = store.machines.get(address)
    held = store.operations.in_flight(address)
    if record is None:
        return
    if held is None or held.operation.attempt != message.attempt:
        log.info("assessment not started machine=%s attempt=%s reason=Superseded", message.machine, message.attempt)
        return
    if held.operation.state is not State.CLAIMED:
        go_on(store, held.operation, 0)
        return
    operation = held.operation
    try:
        if ended_as_lost(store, record, held, now):
            return
        held, wait = when_due(store, record, held, now)
        pause = wait or until_owned(azure, store, held)
        if pause:
            store.queues.send(message, pause)
        elif pause is not None:
            send(azure, store, record, held,
                 lambda leave_by: patches.assess(azure, address, operation.attempt, leave_by))  # fmt: skip
    except Conflict:
        log.info("assessment not started machine=%s attempt=%s reason=TakenOver", message.machine, message.attempt)


def known_machine(store: Store, address: MachineId) -> Record:
    """The record of a machine that operations may be asked of. Raises RequestError 404 or 409."""
    record = store.machines.get(address)
    if record is None or record.deleted:
        raise not_found(str(address))
    if record.machine.kind is Kind.AZURE_LOCAL_NODE:
        why = reason("UpdatedThroughCluster")
        raise RequestError(409, why.code, why.message, record.machine.name)
    return record


def same_request(
    store: Store, address: MachineId, verb: str, request_id: str, now: datetime
) -> tuple[str, Operation | None]:
    """The attempt a request makes, and that attempt's operation when the same request came within the last day.

    Raises RequestError 409 when the same request was turned away then.
    """
    first = store.operations.attempt(address, attempt_id(address, verb, request_id))
    if first is None:
        return attempt_id(address, verb, request_id), None
    possible = days(first.claimed, now)
    for day in possible:
        attempt = attempt_id(address, verb, request_id, day)
        before = store.operations.attempt(address, attempt) if day else first
        if before and now - before.claimed < SAME_REQUEST:
            if is_turned_away(before):
                raise _busy(address)
            return attempt, before
    return attempt_id(address, verb, request_id, possible[0]), None


def same_or_busy(store: Store, address: MachineId, attempt: str, now: datetime) -> Operation:
    """The machine is taken: by this very attempt, whose request came twice at once, or by another.

    Raises RequestError 409 for another, as Azure answers for a machine with an operation in flight.
    """
    same = store.operations.attempt(address, attempt)
    if same is None or is_turned_away(same):
        bring_forward(store, store.operations.in_flight(address), now)
        raise _busy(address)
    return same


def bring_forward(store: Store, held: Held | None, now: datetime) -> None:
    """A planned assessment that nobody waited for stands in somebody's way: see its end, or that its sender died.

    One that Azure refused for the moment, and that waits idly, ends with that reason; a later plan makes it again.
    """
    if held is None or not held.operation.planned:
        return
    operation = held.operation
    if operation.state in (State.SENDING, State.ACCEPTED):
        go_on(store, operation, 0)
    elif operation.state is State.CLAIMED and operation.reason and seconds_to_wait(operation, now):
        try:
            end_unstarted(store, held, operation.reason, now)
        except Conflict:
            log.info(
                "assessment not ended machine=%s attempt=%s reason=TakenOver", operation.machine, operation.attempt
            )


def _busy(address: MachineId) -> RequestError:
    why = reason("OperationInFlight")
    return RequestError(409, "Conflict", f"{why.message} ({why.code})", str(address))


def _seconds(span: timedelta) -> int:
    """Whole ones, never fewer: a slot may not be used before its time."""
    return math.ceil(span.total_seconds())
