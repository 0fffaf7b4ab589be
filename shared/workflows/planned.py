"""Planned assessments: started and followed many at a time, each still claimed, sent and ended by itself."""

import logging
import math
from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.cloud import graph, patches
from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError
from shared.domain.assessment import is_stale
from shared.domain.logline import logline
from shared.domain.machine import Record
from shared.domain.messages import FollowOperation, FollowPlanned, Planned, StartPlanned
from shared.domain.operation import SENDING_PATIENCE, Operation, State, assessed
from shared.domain.planned import (
    START_TIME,
    are_usable,
    claim,
    credited,
    first_tended,
    is_doubtful,
    line,
    next_look,
    proves,
)
from shared.domain.resource_id import parse_machine_id
from shared.domain.results import Found
from shared.store.operations import Held
from shared.store.store import Store
from shared.store.table import Conflict
from shared.workflows.identity import is_held_elsewhere
from shared.workflows.published import news, record_published
from shared.workflows.sending import go_on, leave

log = logging.getLogger(__name__)
LOOK_AFTER = 15  # Azure's Retry-After where it was not heard, seconds (ours; the same as in cloud/patches.py)


def start_planned(azure: Azure, store: Store, message: StartPlanned, oldest: timedelta) -> None:
    """Claim and send what this message asks for and is still due; safe to repeat, each attempt is claimed once."""
    wanted = _wanted(azure, store, message, oldest)
    if not wanted:
        return
    if _is_put_off(azure, store, message, wanted):
        return
    began, unit = azure.clock.now(), 0
    store.agenda.add_all([line(each, began) for each, _ in wanted], message.due)
    for place, (each, record) in enumerate(wanted):
        if azure.clock.now() - began > START_TIME:
            rest = tuple(planned for planned, _ in wanted[place:])
            store.queues.send(replace(message, machines=rest))
            break
        started = _start(azure, store, message, each, record)
        unit = max(unit, started.retry_after if started else 0)
        if started and started.reason and started.reason.code == "Throttled":
            _wait_for_slots(store, message, wanted[place + 1 :], azure.clock.now())
            break
    _follow_on(store, message, tuple(each for each, _ in wanted), unit or LOOK_AFTER)


def _wanted(azure: Azure, store: Store, message: StartPlanned, oldest: timedelta) -> list[tuple[Planned, Record]]:
    """The machines that are still there and still due. A machine with an operation of ours elsewhere waits."""
    records = store.machines.these(parse_machine_id(each.machine) for each in message.machines)
    wanted = []
    for each in message.machines:
        record = records.get(parse_machine_id(each.machine).key)
        due = record and not record.deleted and is_stale(record, oldest, azure.clock.now())
        if record and due and not is_held_elsewhere(store, record):
            wanted.append((each, record))
        else:
            log.info("assessment not started machine=%s attempt=%s reason=NotDue", each.machine, each.attempt)
    return wanted


def _is_put_off(
    azure: Azure, store: Store, message: StartPlanned, wanted: list[tuple[Planned, Record]]
) -> bool:  # fmt: skip
    """Whether the message came too late for its slots or too early for them, and goes on when they are due.

    Too early: a queue keeps no message back for longer than an hour.
    """
    now, machines = azure.clock.now(), tuple(each for each, _ in wanted)
    if not are_usable(machines, now):
        machines = _with_slots(store, wanted, now)
    wait = math.ceil((machines[-1].slot - now).total_seconds())
    if wait <= 0:
        return False
    store.queues.send(replace(message, due=first_tended(machines), machines=machines), wait)
    return True


def _with_slots(store: Store, wanted: list[tuple[Planned, Record]], now: datetime) -> tuple[Planned, ...]:
    first, record = wanted[0]
    subscription, region = parse_machine_id(first.machine).subscription, record.machine.location
    slots = store.buckets.lease(subscription, region, len(wanted), now)
    return tuple(replace(each, slot=slot) for (each, _), slot in zip(wanted, slots, strict=True))


def _wait_for_slots(store: Store, message: StartPlanned, rest: list[tuple[Planned, Record]], now: datetime) -> None:
    """Azure closed the throttle that all of them share: the others go when it is open again."""
    if not rest:
        return
    machines = _with_slots(store, rest, now)
    wait = max(0, math.ceil((machines[-1].slot - now).total_seconds()))
    store.queues.send(replace(message, due=first_tended(machines), machines=machines), wait)


def _start(azure: Azure, store: Store, message: StartPlanned, planned: Planned, record: Record) -> Operation | None:
    """One machine; its operation as it stands then, None when it was not ours to start."""
    address, now = parse_machine_id(planned.machine), azure.clock.now()
    held = store.operations.claim(claim(planned, message.requested_by, now))
    if held is None:
        log.info("assessment not started machine=%s attempt=%s reason=TakenOver", planned.machine, planned.attempt)
        _look_after(store, planned)
        return None
    return leave(azure, store, record, held,
                 lambda leave_by: patches.assess(azure, address, planned.attempt, leave_by))  # fmt: skip


def _look_after(store: Store, planned: Planned) -> None:
    """Where the message came before, its sender may have died with this request on its way: ask once that is sure."""
    held = store.operations.in_flight(parse_machine_id(planned.machine))
    if held and held.operation.attempt == planned.attempt and held.operation.state is State.SENDING:
        go_on(store, held.operation, int(SENDING_PATIENCE.total_seconds()) + 1)


def _follow_on(store: Store, message: StartPlanned, machines: tuple[Planned, ...], unit: int) -> None:
    follow = FollowPlanned(first=machines[0].attempt, due=message.due, machines=machines, unit=unit)
    store.queues.send(follow, next_look(0, unit) or 0)


def follow_planned(azure: Azure, store: Store, message: FollowPlanned) -> None:
    """One look in Resource Graph at all of them; what is not at its end yet is the next look's.

    After the last look the agenda looks after each of those that are left.
    """
    ended: list[Planned] = []
    try:
        ended += _ended(azure, store, message)
    except CloudError as error:
        log.warning(logline("planned assessments not looked at", machines=len(message.machines), reason=error))
    left = tuple(each for each in message.machines if each not in ended)
    wait = next_look(message.look + 1, message.unit)
    if left and wait is not None:
        store.queues.send(replace(message, machines=left, look=message.look + 1), wait)


def _ended(azure: Azure, store: Store, message: FollowPlanned) -> list[Planned]:
    """Write down what has ended: results first, then the ends, then the agenda. Raises CloudError."""
    planned = {parse_machine_id(each.machine).key: each for each in message.machines}
    found = graph.assessments_of(azure, [parse_machine_id(each.machine) for each in message.machines])
    begun = [each for each in found if each.assessment.started >= planned[each.machine.key].slot]
    held = {each.machine.key: ours for each in news(store, begun) if (ours := _ours(store, each, planned))}
    told = [credited(held[each.machine.key].operation, each) for each in begun if each.machine.key in held]
    ended = []
    for each in record_published(azure, store, told):
        if _end(store, held[each.machine.key], each, azure.clock.now()):
            ended.append(planned[each.machine.key])
    store.agenda.strike([line(each, each.slot) for each in ended], message.due, message.first)
    return ended


def _ours(store: Store, found: Found, planned: dict[str, Planned]) -> Held | None:
    """The operation that this result ends. Where it may do so and Azure has to say, its own look is brought forward."""
    held = store.operations.in_flight(found.machine)
    if held is None or held.operation.attempt != planned[found.machine.key].attempt:
        return None
    operation = held.operation
    if proves(operation, found.assessment):
        return held
    if is_doubtful(operation, found.assessment):
        look = FollowOperation(machine=operation.machine, attempt=operation.attempt, look=operation.looks)
        store.queues.send(look)
    return None


def _end(store: Store, held: Held, found: Found, now: datetime) -> bool:
    try:
        operation = store.operations.save(held, assessed(held.operation, found.assessment, now)).operation
    except Conflict:
        log.info("operation moved on elsewhere machine=%s attempt=%s", found.machine, held.operation.attempt)
        return False
    log.info("operation ended machine=%s attempt=%s kind=%s outcome=%s reason=", operation.machine, operation.attempt,
             operation.kind, operation.outcome)  # fmt: skip
    return True
