"""Planned assessments: started and followed many at a time, each still claimed, sent and ended by itself."""

import logging
import math
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain

import msgspec
from msgspec.structs import replace

from shared.cloud import graph, patches
from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError
from shared.domain.assessment import is_stale
from shared.domain.logline import logline
from shared.domain.machine import Record, Refusal
from shared.domain.messages import FollowOperation, FollowPlanned, Planned, StartPlanned
from shared.domain.operation import SENDING_PATIENCE, State, assessed
from shared.domain.planned import (
    START_TIME,
    Paced,
    accepted,
    are_usable,
    as_accepted,
    claim,
    credited,
    first_tended,
    is_doubtful,
    last_slot,
    line,
    look_again,
    may_be_its,
    next_look,
    proves,
    starts,
)
from shared.domain.resource_id import parse_machine_id
from shared.domain.results import Found
from shared.store.operations import Held
from shared.store.store import Store
from shared.store.table import Conflict
from shared.workflows.identity import is_held_elsewhere
from shared.workflows.owner import ask_owner
from shared.workflows.published import news_and_known, record_published
from shared.workflows.sending import go_on, leave

log = logging.getLogger(__name__)
Wanted = tuple[Planned, Record]
LOOK_AFTER = 15  # Azure's Retry-After where it was not heard, seconds (ours; the same as in cloud/patches.py)


# What a row raises that was not written by this app, or by another version of it.
_UNREADABLE = (msgspec.MsgspecError, KeyError, ValueError)


def start_planned(azure: Azure, store: Store, message: StartPlanned, oldest: timedelta) -> None:
    """Claim and send what this message asks for and is still due; safe to repeat, each attempt is claimed once.

    Where a row of one machine cannot be read, each goes on by a message of its own, and that one's alone fails.
    """
    try:
        _start_all(azure, store, message, oldest)
    except _UNREADABLE as failure:
        if len(message.machines) == 1:
            raise
        log.exception(logline("planned assessments taken apart", machines=len(message.machines), reason=failure))
        for each in message.machines:
            store.queues.send(replace(message, machines=(each,)))


def _start_all(azure: Azure, store: Store, message: StartPlanned, oldest: timedelta) -> None:
    wanted = _due_now(store, message, _wanted(azure, store, message, oldest), azure.clock.now())
    message = replace(message, machines=tuple(each for each, _ in wanted))
    if not wanted or not _is_ours(azure, store, message):
        return
    began, unit = azure.clock.now(), 0
    store.agenda.add_all([line(each, began) for each, _ in wanted], message.due)
    started, closed, put_off = list[Planned](), set[str](), list[Wanted]()
    for place, (each, record) in enumerate(wanted):
        if azure.clock.now() - began > START_TIME:
            store.queues.send(replace(message, machines=tuple(planned for planned, _ in wanted[place:])))
            break
        if record.machine.location in closed:
            put_off.append((each, record))
            continue
        held = _start(azure, store, message, each, record)
        if held and held.operation.reason and held.operation.reason.code == "Throttled":
            closed.add(record.machine.location)
        if held:
            unit = max(unit, held.operation.retry_after)
            started.append(accepted(each, held.operation, held.etag))
    _wait_for_slots(store, message, put_off, azure.clock.now())
    if started:
        _follow_on(store, message, tuple(started), unit or LOOK_AFTER)


def _wanted(azure: Azure, store: Store, message: StartPlanned, oldest: timedelta) -> list[Wanted]:
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


def _is_ours(azure: Azure, store: Store, message: StartPlanned) -> bool:
    """Whether this deployment may start them now; else the message comes again, or each is told why not."""
    machines = [parse_machine_id(each.machine) for each in message.machines]
    why, wait = ask_owner(azure, store, machines[0].subscription)
    if wait:
        store.queues.send(message, wait)
    if why:
        log.info("assessments not started machines=%d reason=%s", len(machines), why.code)
        for machine in machines:
            store.machines.set_refusal(machine, Refusal(at=azure.clock.now(), reason=why))
    return not (why or wait)


def _due_now(store: Store, message: StartPlanned, wanted: list[Wanted], now: datetime) -> list[Wanted]:
    """Those that start now. Slots that are too old are leased anew; who has to wait for them goes by another message.

    A message may also come too early: a queue keeps none back for longer than an hour.
    """
    machines = tuple(each for each, _ in wanted)
    together = [machines] if are_usable(machines, now) else list(starts(_paced(store, wanted, now)))
    due: tuple[Planned, ...] = ()
    for each in filter(None, together):
        wait = math.ceil((last_slot(each) - now).total_seconds())
        if wait <= 0 and not due:
            due = each
        else:
            store.queues.send(replace(message, due=first_tended(each), machines=each), max(0, wait))
    records = {each.attempt: record for each, record in wanted}
    return [(each, records[each.attempt]) for each in due]


def _paced(store: Store, wanted: list[Wanted], now: datetime) -> Iterator[Paced]:
    """With new slots, those of a throttle in order of theirs."""
    regions = Counter(record.machine.location for _, record in wanted)
    for region, count in regions.items():
        there = [each for each, record in wanted if record.machine.location == region]
        subscription = parse_machine_id(there[0].machine).subscription
        slots = store.buckets.lease(subscription, region, count, now)
        for each, slot in zip(there, slots, strict=True):
            yield Paced(subscription=subscription, region=region, planned=replace(each, slot=slot))


def _wait_for_slots(store: Store, message: StartPlanned, put_off: list[Wanted], now: datetime) -> None:
    """Azure closed their throttles: they go when those are open again."""
    for machines in starts(_paced(store, put_off, now)):
        wait = max(0, math.ceil((last_slot(machines) - now).total_seconds()))
        store.queues.send(replace(message, due=first_tended(machines), machines=machines), wait)


def _start(azure: Azure, store: Store, message: StartPlanned, planned: Planned, record: Record) -> Held | None:
    """One machine; its operation as it stands then, None when it was not ours to start or is over."""
    address, now = parse_machine_id(planned.machine), azure.clock.now()
    held = store.operations.claim(claim(planned, message.requested_by, now))
    if held is None:
        log.info("assessment not started machine=%s attempt=%s reason=TakenOver", planned.machine, planned.attempt)
        return _taken_over(store, planned)
    return leave(azure, store, record, held,
                 lambda leave_by: patches.assess(azure, address, planned.attempt, leave_by))  # fmt: skip


def _taken_over(store: Store, planned: Planned) -> Held | None:
    """The operation of a message that came before, if it is not over; without an ETag, for it is no fresh claim's.

    Its sender may have died with this request on its way: ask once that is sure.
    """
    held = store.operations.in_flight(parse_machine_id(planned.machine))
    if held is None or held.operation.attempt != planned.attempt:
        return None
    if held.operation.state is State.SENDING:
        go_on(store, held.operation, int(SENDING_PATIENCE.total_seconds()) + 1)
    return replace(held, etag="")


def _follow_on(store: Store, message: StartPlanned, machines: tuple[Planned, ...], unit: int) -> None:
    follow = FollowPlanned(
        first=machines[0].attempt, due=message.due, machines=machines, unit=unit, requested_by=message.requested_by
    )
    store.queues.send(follow, next_look(0, unit) or 0)


def follow_planned(azure: Azure, store: Store, message: FollowPlanned) -> None:
    """One look in Resource Graph at all of them; what is not at its end yet is the next look's.

    A look that the quota refuses is made again. After the last look, and where a row of one machine cannot be read, the
    agenda looks after each of those that are left.
    """
    ended, refused, is_last = list[Planned](), None, False
    try:
        _look(azure, store, message, ended)
    except CloudError as error:
        refused = error.retry_after if error.status == 429 else None
        log.warning(logline("planned assessments not looked at", machines=len(message.machines), reason=error))
    except _UNREADABLE as failure:
        is_last = True
        log.exception(logline("planned assessments not looked at", machines=len(message.machines), reason=failure))
    store.agenda.strike([line(each, each.slot) for each in ended], message.due, message.first)
    left = tuple(each for each in message.machines if each not in ended)
    following = None if is_last else look_again(message, left, refused)
    if following:
        store.queues.send(*following)


def _look(azure: Azure, store: Store, message: FollowPlanned, ended: list[Planned]) -> None:
    """Write down what has ended: results first, then the ends, which are added to `ended`. Raises CloudError."""
    planned = {parse_machine_id(each.machine).key: each for each in message.machines}
    found = graph.assessments_of(azure, [parse_machine_id(each.machine) for each in message.machines])
    begun = [each for each in found if may_be_its(planned[each.machine.key], each.assessment)]
    new, known = news_and_known(store, begun)  # known: whoever wrote it down may have died before it wrote the end
    held = {each.machine.key: ours for each in (*new, *known) if (ours := _ours(store, message, planned, each))}
    told = [credited(held[each.machine.key].operation, each) for each in new if each.machine.key in held]
    written = [each for each in known if _is_credited(held.get(each.machine.key), each)]
    for each in chain(written, record_published(azure, store, told)):
        if _end(store, held[each.machine.key], each, azure.clock.now()):
            ended.append(planned[each.machine.key])


def _is_credited(held: Held | None, found: Found) -> bool:
    """Whether it was written down as this operation's, and not by a sweep, or for another that came before."""
    return held is not None and found.assessment.requested_by == held.operation.requested_by


def _ours(store: Store, message: FollowPlanned, planned: dict[str, Planned], found: Found) -> Held | None:
    """The operation that this result ends. Where it may do so and Azure has to say, its own look is brought forward."""
    each = planned[found.machine.key]
    operation = as_accepted(each, message)
    held = Held(operation=operation, etag=each.etag) if operation else store.operations.in_flight(found.machine)
    if held is None or held.operation.attempt != each.attempt:
        return None
    if proves(held.operation, found.assessment):
        return held
    if is_doubtful(held.operation, found.assessment):
        look = FollowOperation(machine=each.machine, attempt=each.attempt, look=held.operation.looks)
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
