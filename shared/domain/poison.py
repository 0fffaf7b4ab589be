"""A message that was given up after too many failures."""

import hashlib
import re
from datetime import datetime

import msgspec


class Poison(msgspec.Struct, frozen=True, kw_only=True):
    """`text` is the message as it stood on `queue`; `why` the last failure."""

    queue: str
    id: str
    text: str
    why: str
    parked: datetime


def message_id(body: bytes) -> str:
    """The same for a message on its queue and on the poison queue, where Azure gives it a new id of its own."""
    return hashlib.sha256(body).hexdigest()[:32]


def is_message_id(text: str) -> bool:
    """Whether it can be the id of a message at all."""
    return re.fullmatch(r"[0-9a-f]{32}", text) is not None
