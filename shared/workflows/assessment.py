"""Assessments: planned every 24 hours or asked for now, started one machine a message."""

import logging
import math
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from shared.cloud import patches
from shared.cloud.azure import Azure
from shared.domain.agenda import HEAL_EVERY, Item, ItemKind
from shared.domain.assessment import is_stale, plan_assessment
from shared.domain.errors import RequestError, not_found
from shared.domain.machine import Kind, Machine, Record
from shared.domain.messages import CountFleet, FollowOperation, StartAssessment
from shared.domain.operation import Operation, State, claim_assessment
from shared.domain.reason import reason
from shared.domain.request import SAME_REQUEST, attempt_id
from shared.domain.resource_id import MachineId, parse_machine_id
from shared.store.operations import Held
from shared.store.store import Store
from shared.store.table import Conflict
from shared.workflows.sending import send

log = logging.getLogger(__name__)
PLANNER = "periodic assessment"  # who asked, in the records


def plan_assessments(store: Store, oldest: timedelta, now: datetime, new_id: Callable[[], str]) -> int:
    """Ask for an assessment of every machine that is due, paced by Azure's throttle; returns how many."""
    planned = 0
    for scope in store.fleet.scopes():
        due = [r.machine for r in store.machines.in_scope(scope) if plan_assessment(r, oldest, now).due]
        store.machines.mark_planned(scope, due, now)
        for machine, slot in _paced(store, due, now):
            message = StartAssessment(machine=machine.id, attempt=new_id(), requested_by=PLANNER, planned=True)
            store.queues.send(message, _seconds(slot - now))
        planned += len(due)
    store.queues.send(CountFleet())
    log.info("assessments planned machines=%d", planned)
    return planned


def request_assessment(store: Store, address: MachineId, who: str, request_id: str, now: datetime) -> Operation:
    """Claim a machine for an assessment asked for now.

    Raises RequestError: 404 for an unknown machine, 409 when it is busy or cannot be assessed by itself.
    """
    record = known_machine(store, address)
    attempt, same = same_request(store, address, "assessPatches", request_id, now)
    if same:
        return same
    if store.operations.in_flight(address):
        raise busy(address)
    operation = claim_assessment(record.machine.id, attempt, who, now)
    if not _claim(store, operation, now):
        raise busy(address)
    ((machine, slot),) = _paced(store, [record.machine], now)
    message = StartAssessment(machine=machine.id, attempt=attempt, requested_by=who)
    store.queues.send(message, _seconds(slot - now))
    log.info("assessment requested machine=%s attempt=%s", record.machine.id, attempt)
    return operation


def start_assessment(azure: Azure, store: Store, message: StartAssessment, oldest: timedelta) -> None:
    """Send the assessment that this message asks for, unless it was sent already or is no longer wanted."""
    address = parse_machine_id(message.machine)
    record = store.machines.get(address)
    held = store.operations.in_flight(address)
    if record is None:
        return
    if held is None and message.planned and is_stale(record, oldest, azure.clock.now()):
        held = _claim_planned(store, message, azure.clock.now())
    if held is None or held.operation.attempt != message.attempt:
        log.info("assessment not started machine=%s attempt=%s reason=superseded", message.machine, message.attempt)
        return
    if held.operation.state is not State.CLAIMED:
        store.queues.send(FollowOperation(machine=message.machine, attempt=message.attempt))
        return
    operation = held.operation
    try:
        send(azure, store, record, held,
             lambda: patches.assess(azure, address, operation.attempt, operation.not_after))  # fmt: skip
    except Conflict:
        log.info("assessment not started machine=%s attempt=%s reason=taken over", message.machine, message.attempt)


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
    """The attempt a request makes, and that attempt's operation when the same request came within the last day."""
    attempt = attempt_id(address, verb, request_id)
    before = store.operations.attempt(address, attempt)
    if before and now - before.claimed >= SAME_REQUEST:
        return attempt_id(address, verb, f"{request_id}|{now.isoformat()}"), None
    return attempt, before


def busy(address: MachineId) -> RequestError:
    """409, as Azure answers for a machine with an operation in flight."""
    why = reason("OperationInFlight")
    return RequestError(409, "Conflict", f"{why.message} ({why.code})", str(address))


def _claim_planned(store: Store, message: StartAssessment, now: datetime) -> Held | None:
    operation = claim_assessment(message.machine, message.attempt, message.requested_by, now)
    return store.operations.in_flight(parse_machine_id(message.machine)) if _claim(store, operation, now) else None


def _claim(store: Store, operation: Operation, now: datetime) -> bool:
    """On the agenda first, so that nothing claimed can be forgotten."""
    item = Item(kind=ItemKind.ASSESSMENT, id=operation.attempt, machine=operation.machine)
    store.agenda.add(item, now + HEAL_EVERY)
    return store.operations.claim(operation)


def _paced(store: Store, due: list[Machine], now: datetime) -> Iterator[tuple[Machine, datetime]]:
    """Each machine of one subscription with the instant at which Azure's throttle has room for it."""
    by_region = {region: [m for m in due if m.location == region] for region in sorted({m.location for m in due})}
    for region, machines in by_region.items():
        slots = store.buckets.lease(machines[0].address.subscription, region, len(machines), now)
        yield from zip(machines, slots, strict=True)


def _seconds(span: timedelta) -> int:
    """Whole ones, never fewer: a slot may not be used before its time."""
    return math.ceil(span.total_seconds())
