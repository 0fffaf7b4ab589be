"""The agenda: what is open is looked at again, whatever became of its messages."""

import logging
from datetime import datetime

import msgspec

from shared.domain.agenda import HEAL_EVERY, Item, ItemKind, is_unborn, tended
from shared.domain.messages import AdvanceRun, FollowOperation, Message
from shared.domain.operation import State, is_overdue
from shared.domain.resource_id import parse_machine_id
from shared.store.store import Store

log = logging.getLogger(__name__)


def tend_agenda(store: Store, now: datetime) -> int:
    """Send a hint for what seems to stand still, strike out what is closed; returns how many hints."""
    hints = 0
    for entry in store.agenda.due(now):
        closed, hint = _state(store, entry.item, now)
        if hint:
            store.queues.send(hint)
            hints += 1
        if closed:
            store.agenda.remove(entry)
        else:
            line = msgspec.structs.replace(entry, item=tended(entry.item, hint is not None))
            store.agenda.postpone(line, now + HEAL_EVERY)
    log.info("agenda tended hints=%d", hints)
    return hints


def _state(store: Store, item: Item, now: datetime) -> tuple[bool, Message | None]:
    """Whether the item is closed, and the message that moves it on."""
    if item.kind is ItemKind.RUN:
        loaded = store.runs.load(item.id)
        if loaded is None:
            return not is_unborn(item, now), None
        return (True, None) if loaded.run.closed else (False, AdvanceRun(run=item.id, alarm=loaded.run.alarm))
    operation = store.operations.attempt(parse_machine_id(item.machine), item.id)
    if operation is None:
        return not is_unborn(item, now), None
    look = FollowOperation(machine=item.machine, attempt=item.id, look=operation.looks)
    return operation.state is State.ENDED, look if is_overdue(operation, now) else None
