"""Messages that were given up: recorded with their reason, shown, and put back when an operator says so."""

import logging
from datetime import datetime

from shared.domain.errors import RequestError, not_found
from shared.domain.logline import logline
from shared.domain.messages import QUEUES
from shared.domain.poison import Poison, is_message_id, message_id
from shared.domain.release import operators_reason
from shared.store.store import Store

log = logging.getLogger(__name__)
# Messages put back by one call (ours): three storage calls each, so some seconds.
MOST_REPLAYED = 200


def park_message(store: Store, queue: str, body: bytes, now: datetime) -> None:
    """Keep a message that the host moved to the poison queue."""
    message = message_id(body)
    store.poison.park(queue, message, body.decode(errors="replace"), now)
    log.error("message parked queue=%s id=%s", queue, message)


def replay_queue(store: Store, queue: str, now: datetime, who: str) -> tuple[int, bool]:
    """Put the parked messages of a queue back, at most MOST_REPLAYED: how many, and whether some are left.

    Raises RequestError 404 for an unknown queue.
    """
    if queue not in QUEUES.values():
        raise not_found(f"/fleet/poison/{queue}")
    parked = store.poison.parked(queue, MOST_REPLAYED + 1)
    for poison in parked[:MOST_REPLAYED]:
        _replay(store, poison, now, who)
    return len(parked[:MOST_REPLAYED]), len(parked) > MOST_REPLAYED


def discard_message(store: Store, queue: str, message: str, because: tuple[str, str], now: datetime) -> Poison:
    """Keep a parked message as a record only; `because`: who says so, and why.

    Raises RequestError: 400 without a reason, 404 for an unknown one, 409 when it is not parked any more.
    """
    why = operators_reason("DiscardedByOperator", *because)
    poison = _known(store, queue, message)
    if not store.poison.mark_discarded(queue, message, why.detail, now):
        raise RequestError(409, "NotParked", "The message was replayed or discarded already.", message)
    log.warning(logline("message discarded", queue=queue, id=message, reason=why.code, detail=why.detail))
    return poison


def replay_message(store: Store, queue: str, message: str, now: datetime, who: str = "") -> Poison:
    """Put a parked message back on its queue; every law still holds, for whoever takes it decides anew from the rows.

    Raises RequestError 404 for an unknown one.
    """
    poison = _known(store, queue, message)
    _replay(store, poison, now, who)
    return poison


def _replay(store: Store, poison: Poison, now: datetime, who: str) -> None:
    store.queues.send_text(poison.queue, poison.text)
    store.poison.mark_replayed(poison.queue, poison.id, now, who)
    log.warning(logline("message replayed", queue=poison.queue, id=poison.id, who=who))


def _known(store: Store, queue: str, message: str) -> Poison:
    is_possible = queue in QUEUES.values() and is_message_id(message)
    poison = store.poison.get(queue, message) if is_possible else None
    if poison is None:
        raise not_found(f"/fleet/poison/{queue}/{message}")
    return poison
