"""The agenda: what is open is looked at again, whatever became of its messages."""

import logging
from datetime import datetime

from shared.domain.agenda import HEAL_EVERY, Item, ItemKind
from shared.domain.messages import AdvanceRun, FollowOperation
from shared.domain.resource_id import parse_machine_id
from shared.store.store import Store

log = logging.getLogger(__name__)


def tend_agenda(store: Store, now: datetime) -> int:
    """Send a hint for everything due, strike out what is closed; returns how many hints.

    A closed run gets one last hint: it may still hold a machine that a late start claimed.
    """
    hints = 0
    for entry in store.agenda.due(now):
        closed = _is_closed(store, entry.item)
        if entry.item.kind is ItemKind.RUN or not closed:
            store.queues.send(_hint(entry.item))
            hints += 1
        if closed:
            store.agenda.remove(entry)
        else:
            store.agenda.postpone(entry, now + HEAL_EVERY)
    log.info("agenda tended hints=%d", hints)
    return hints


def _is_closed(store: Store, item: Item) -> bool:
    if item.kind is ItemKind.RUN:
        loaded = store.runs.load(item.id)
        return loaded is None or loaded.run.closed is not None
    held = store.operations.in_flight(parse_machine_id(item.machine))
    return held is None or held.operation.attempt != item.id


def _hint(item: Item) -> AdvanceRun | FollowOperation:
    if item.kind is ItemKind.RUN:
        return AdvanceRun(run=item.id)
    return FollowOperation(machine=item.machine, attempt=item.id)
