"""The queue edge: a message read, handled, and the reason kept when it could not be."""

import logging
from collections.abc import Callable
from typing import TypeVar

import azure.functions as func
import msgspec

from shared.domain.messages import Message
from shared.domain.poison import message_id
from shared.domain.prepared import prepared
from shared.wiring import Services, services

log = logging.getLogger(__name__)
CONNECTION = "AzureWebJobsStorage"
LONGEST_REASON = 500  # characters kept of a failure (ours)

_Kind = TypeVar("_Kind", bound=Message)


def handle(message: func.QueueMessage, queue: str, kind: type[_Kind], work: Callable[[Services, _Kind], None]) -> None:
    """Do the work of one message. A failure is noted and raised: the host tries again or gives up."""
    built = services()
    try:
        work(built, msgspec.json.decode(message.get_body(), type=prepared(kind)))
    except Exception as failure:
        why = f"{type(failure).__name__}: {failure}"[:LONGEST_REASON]
        built.store.poison.note(queue, message_id(message.get_body()), why)
        log.exception("message failed queue=%s id=%s try=%s", queue, message.id, message.dequeue_count)
        raise
