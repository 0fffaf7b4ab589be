"""The agenda: what is open is looked at again, whatever became of its messages."""

import logging
from datetime import datetime

import msgspec

from shared.cloud.clock import Clock
from shared.domain.agenda import HEAL_EVERY, TEND_TIME, Item, ItemKind, is_unborn, tended
from shared.domain.messages import AdvanceRun, FollowOperation, Message, SendEvents
from shared.domain.operation import State, is_overdue
from shared.domain.resource_id import parse_machine_id
from shared.domain.run import Run
from shared.store.agenda import Entry
from shared.store.store import Store
from shared.workflows.runs import list_run

log = logging.getLogger(__name__)


def tend_agenda(store: Store, clock: Clock) -> int:
    """Send a hint for what seems to stand still, strike out what is closed; returns how many hints.

    It ends before the next minute's begins, which looks at another shard first: a long agenda is tended in turns. A
    line that fails keeps no other waiting; its failure is raised at the end.
    """
    hints, failed, began = 0, list[Exception](), clock.now()
    for entry in store.agenda.due(began, first=began.minute):
        if clock.now() - began > TEND_TIME:
            log.warning("agenda tended in part")
            break
        try:
            hints += _tend(store, entry, began)
        except Exception as failure:  # noqa: BLE001 - raised below, when the other lines were tended
            failed.append(failure)
    log.info("agenda tended hints=%d failed=%d", hints, len(failed))
    if failed:
        raise failed[0]
    return hints


def _tend(store: Store, entry: Entry, now: datetime) -> bool:
    """Whether the line needed a hint."""
    closed, hint = _state(store, entry.item, now)
    if hint:
        store.queues.send(hint)
    if closed:
        store.agenda.remove(entry)
    else:
        line = msgspec.structs.replace(entry, item=tended(entry.item, hint is not None))
        store.agenda.postpone(line, now + HEAL_EVERY)
    return hint is not None


def _state(store: Store, item: Item, now: datetime) -> tuple[bool, Message | None]:
    """Whether the item is closed, and the message that moves it on."""
    if item.kind is ItemKind.OPENING:
        from shared.workflows.openings import still_opens  # the calendar is needed for windows only

        return still_opens(store, item, now)
    if item.kind is ItemKind.EVENT:
        from shared.workflows.events import still_owed

        return still_owed(store, item, now)
    if item.kind is ItemKind.RUN:
        return _run_state(store, item, now)
    operation = store.operations.attempt(parse_machine_id(item.machine), item.id)
    if operation is None:
        return not is_unborn(item, now), None
    look = FollowOperation(machine=item.machine, attempt=item.id, look=operation.looks)
    return operation.state is State.ENDED, look if is_overdue(operation, now) else None


def _run_state(store: Store, item: Item, now: datetime) -> tuple[bool, Message | None]:
    """A run that waits for its pre-event has that sent; one that has closed is listed once more, and its post event,
    should that not be out, gets a line of its own.
    """
    loaded = store.runs.load(item.id)
    if loaded is None:
        return not is_unborn(item, now), None
    run = loaded.run
    if not run.closed:
        return False, _next(run, now)
    list_run(store, run, loaded.machines)
    if not run.events.topic:
        return True, None
    from shared.domain.event import owes_post_event, post_item

    if not owes_post_event(run, now):
        return True, None
    store.agenda.add(post_item(run, now), now + HEAL_EVERY)
    return True, SendEvents(configuration=run.configuration, start=run.start)


def _next(run: Run, now: datetime) -> Message:
    """What moves an open run on: of one that was asked for now no other line tells the pre-event."""
    if run.events.is_unsent:
        from shared.domain.event import owes_pre_event

        if owes_pre_event(run, now):
            return SendEvents(configuration=run.configuration, start=run.start)
    return AdvanceRun(run=run.id, alarm=run.alarm, heals=True)
