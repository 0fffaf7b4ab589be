"""What each kind of trigger hands to the worker library: the shapes Azure's host sends. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from infra.local.host.wire import Binary, Input, Json, Metadata, Text

NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)
"""What a schedule status says of a function that never ran (.NET's DateTime.MinValue)."""


class ScheduleStatus(msgspec.Struct, frozen=True, kw_only=True):
    """When a timer ran last, when it runs next, when this was written; all UTC."""

    last: datetime
    next: datetime
    last_updated: datetime


class QueueItem(msgspec.Struct, frozen=True, kw_only=True):
    """One received queue message, decoded; times are UTC."""

    id: str
    body: bytes
    dequeue_count: int
    inserted: datetime
    expires: datetime
    next_visible: datetime
    pop_receipt: str


def timer_input(is_past_due: bool, status: ScheduleStatus) -> Json:
    """The document behind azure.functions.TimerRequest."""
    times = {"Last": iso(status.last), "Next": iso(status.next), "LastUpdated": iso(status.last_updated)}
    document = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": times, "IsPastDue": is_past_due}
    return Json(value=_text(document))


def queue_input(item: QueueItem, binary: bool) -> Input:
    """The body behind azure.functions.QueueMessage: text unless the binding's dataType is binary.

    Bytes that are no UTF-8 become replacement characters in text, as in Azure.
    """
    return Binary(value=item.body) if binary else Text(value=item.body.decode("utf-8", errors="replace"))


def queue_metadata(item: QueueItem) -> dict[str, Metadata]:
    """The trigger metadata behind azure.functions.QueueMessage."""
    times: Mapping[str, datetime] = {
        "InsertionTime": item.inserted,
        "ExpirationTime": item.expires,
        "NextVisibleTime": item.next_visible,
    }
    return {
        "Id": Text(value=item.id),
        "PopReceipt": Text(value=item.pop_receipt),
        "DequeueCount": Json(value=str(item.dequeue_count)),
        **{name: Json(value=_text(iso(moment))) for name, moment in times.items()},
    }


def iso(moment: datetime) -> str:
    """A UTC time in the one form the Python library reads back as UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _text(document: object) -> str:
    return msgspec.json.encode(document).decode()
