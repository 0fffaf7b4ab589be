"""Assessments: planned every 24 hours or asked for now, started one machine a message."""

import logging
import math
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import takewhile

from shared.cloud import patches
from shared.cloud.azure import Azure
from shared.cloud.clock import Clock
from shared.domain.agenda import HEAL_EVERY, Item, ItemKind
from shared.domain.assessment import PLAN_AHEAD, PLAN_TIME, plan_assessment
from shared.domain.errors import RequestError, not_found
from shared.domain.machine import Kind, Machine, Record, Refusal
from shared.domain.messages import CountFleet, Planned, StartAssessment, StartPlanned
from shared.domain.operation import Operation, State, claim_assessment, is_turned_away, seconds_to_wait
from shared.domain.planned import Paced, first_tended, last_slot, starts
from shared.domain.reason import Reason, reason
from shared.domain.request import SAME_REQUEST, attempt_id, days
from shared.domain.resource_id import MachineId, encode_key, parse_machine_id
from shared.store.operations import Held
from shared.store.store import Store
from shared.store.table import Conflict
from shared.workflows.identity import ended_as_lost, is_held
from shared.workflows.owner import refuse_elsewhere, until_owned
from shared.workflows.sending import end_unstarted, go_on, send, when_due

log = logging.getLogger(__name__)
PLANNER = "periodic assessment"  # who asked, in the records


def plan_assessments(store: Store, oldest: timedelta, clock: Clock, new_id: Callable[[], str]) -> int:
    """Ask for an assessment of every machine that is due, paced by Azure's throttle; returns how many.

    Those for whom there is no slot within PLAN_AHEAD wait for a later plan. A plan that takes too long for one function
    stops, and the next one begins with the resource group where it stopped: none waits for ever. A resource group that
    fails keeps no other waiting; its failure is raised at the end.
    """
    planned, failed = 0, list[Exception]()
    for machines in starts(_due(store, oldest, clock, new_id, failed)):
        message = StartPlanned(requested_by=PLANNER, due=first_tended(machines), machines=machines)
        store.queues.send(message, max(0, _seconds(last_slot(machines) - clock.now())))
        planned += len(machines)
    store.queues.send(CountFleet())
    log.info("assessments planned machines=%d failed=%d", planned, len(failed))
    if failed:
        raise failed[0]
    return planned


def _due(
    store: Store, oldest: timedelta, clock: Clock, new_id: Callable[[], str], failed: list[Exception]
) -> Iterator[Paced]:
    """What is due, as it is read. Failures of single resource groups are added to `failed`, for the caller to raise."""
    began, marks = clock.now(), store.fleet.marks()
    elsewhere = {encode_key(each.subscription): each.reason for each in marks.values() if each.is_elsewhere}
    first = store.fleet.planner()
    for scope in _scopes(store, first):
        if clock.now() - began > PLAN_TIME:
            store.fleet.save_planner(scope)
            log.warning("assessments planned in part next=%s", scope)
            return
        why, now = elsewhere.get(scope.partition("|")[0]), clock.now()
        try:
            paced = _leave_out(store, scope, why, now) if why else _plan(store, scope, oldest, now, new_id)
        except Exception as failure:  # noqa: BLE001 - raised by plan_assessments, when the others are on their way
            log.warning("assessments not planned scope=%s", scope)
            failed.append(failure)
            continue
        yield from paced
    if first:
        store.fleet.save_planner("")


def _leave_out(store: Store, scope: str, why: Reason, now: datetime) -> list[Paced]:
    """Each machine of the resource group is told, once; nobody else tells it."""
    told = [record for record in store.machines.in_scope(scope) if not record.deleted and not _is_told(record, why)]
    store.machines.set_refusals(scope, [record.machine for record in told], Refusal(at=now, reason=why))
    return []


def _is_told(record: Record, why: Reason) -> bool:
    return record.refusal is not None and record.refusal.reason.code == why.code


def _scopes(store: Store, first: str) -> Iterator[str]:
    """All of them, from where the last plan stopped."""
    yield from store.fleet.scopes_from(first)
    if first:
        yield from takewhile(lambda scope: scope < first, store.fleet.scopes_from(""))


def _plan(store: Store, scope: str, oldest: timedelta, now: datetime, new_id: Callable[[], str]) -> list[Paced]:
    """The machines of one resource group that are due and for which there is a slot."""
    plans = [(r.machine, plan_assessment(r, oldest, now)) for r in store.machines.in_scope(scope)]
    store.machines.set_watches(scope, [(machine, plan.watch) for machine, plan in plans if plan.watch])
    paced = list(_paced(store, [machine for machine, plan in plans if plan.due], now, now + PLAN_AHEAD))
    store.machines.mark_planned(scope, paced)
    return [
        Paced(
            subscription=machine.address.subscription,
            region=machine.location,
            planned=Planned(machine=machine.id, attempt=new_id(), slot=slot),
        )
        for machine, slot in paced
    ]


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
    ((machine, slot),) = _paced(store, [record.machine], now)
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


def _paced(
    store: Store, due: list[Machine], now: datetime, until: datetime | None = None
) -> Iterator[tuple[Machine, datetime]]:
    """Machines of one subscription with the instant at which Azure's throttle has room for each, up to `until`."""
    by_region = {region: [m for m in due if m.location == region] for region in sorted({m.location for m in due})}
    for region, machines in by_region.items():
        slots = store.buckets.lease(machines[0].address.subscription, region, len(machines), now, until)
        yield from zip(machines, slots, strict=False)


def _seconds(span: timedelta) -> int:
    """Whole ones, never fewer: a slot may not be used before its time."""
    return math.ceil(span.total_seconds())
