"""Messages that were given up: recorded with their reason, shown, and put back when an operator says so."""

import logging
from datetime import datetime

from shared.domain.errors import not_found
from shared.domain.messages import QUEUES
from shared.domain.poison import Poison, message_id
from shared.store.store import Store

log = logging.getLogger(__name__)


def park_message(store: Store, queue: str, body: bytes, now: datetime) -> None:
    """Keep a message that the host moved to the poison queue."""
    message = message_id(body)
    store.poison.park(queue, message, body.decode(errors="replace"), now)
    log.error("message parked queue=%s id=%s", queue, message)


def replay_message(store: Store, queue: str, message: str, now: datetime) -> Poison:
    """Put a parked message back on its queue; every law still holds, for whoever takes it decides anew from the rows.

    Raises RequestError 404 for an unknown one.
    """
    poison = store.poison.get(queue, message) if queue in QUEUES.values() else None
    if poison is None:
        raise not_found(f"/fleet/poison/{queue}/{message}")
    store.queues.send_text(queue, poison.text)
    store.poison.mark_replayed(queue, message, now)
    log.warning("message replayed queue=%s id=%s", queue, message)
    return poison
