"""One trigger's queue and its poison queue, through the storage SDK: receive, hide, delete, move to poison."""

import math
from datetime import timedelta
from typing import Final

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient, QueueServiceClient

# A queue whose name ends like this has no poison queue of its own, as in Azure's host.
POISON_SUFFIX: Final = "-poison"


class TriggerQueue:
    """All methods raise azure.core's AzureError when the storage refuses or cannot be reached."""

    def __init__(self, service: QueueServiceClient, name: str) -> None:
        self.name = name
        self.poison_name = None if name.endswith(POISON_SUFFIX) else name + POISON_SUFFIX
        self._queue: QueueClient = service.get_queue_client(name)
        self._poison: QueueClient | None = service.get_queue_client(self.poison_name) if self.poison_name else None

    async def create(self) -> None:
        """Makes the queue when it is missing."""
        await _create(self._queue)

    async def receive(self, most: int, hidden: timedelta) -> list[QueueMessage]:
        """At most so many messages, hidden from others for this long. A queue that was deleted is made again."""
        pages = self._queue.receive_messages(messages_per_page=most, visibility_timeout=_seconds(hidden)).by_page()
        try:
            async for page in pages:
                return [message async for message in page]
        except ResourceNotFoundError:
            await self.create()
        return []

    async def hide(self, message: QueueMessage, duration: timedelta) -> None:
        """Visible again after this long, counted from now; the message carries its new pop receipt."""
        updated = await self._queue.update_message(
            message.id, message.pop_receipt, visibility_timeout=_seconds(duration)
        )
        message.pop_receipt = updated.pop_receipt

    async def delete(self, message: QueueMessage) -> None:
        """For good. Harmless when it is gone already."""
        try:
            await self._queue.delete_message(message.id, message.pop_receipt)
        except ResourceNotFoundError:
            return

    async def move_to_poison(self, message: QueueMessage) -> None:
        """Copies it as it is, with the storage's default life of 7 days as in Azure's host, then deletes it.

        Without a poison queue it stays, and comes back when its hiding ends.
        """
        if self._poison is None:
            return
        try:
            await self._poison.send_message(message.content)
        except ResourceNotFoundError:
            await _create(self._poison)
            await self._poison.send_message(message.content)
        await self.delete(message)


async def _create(queue: QueueClient) -> None:
    try:
        await queue.create_queue()
    except ResourceExistsError:
        return


def _seconds(span: timedelta) -> int:
    """The storage knows whole seconds; never sooner than asked."""
    return math.ceil(span.total_seconds())
