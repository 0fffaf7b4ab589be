"""Queue Storage in two verbs: everything that is sent goes through here, encoded as the Functions host expects it.

The SDK is imported inside the class for the same reason as in table.py.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import msgspec

from shared.domain.messages import QUEUES, Message
from shared.store.connections import transport

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient, QueueServiceClient

# Longest delay given to a message (design, "agenda": a message is a hint, queued at most one hour ahead), seconds.
LONGEST_DELAY = 3600
# Messages do not expire; the default of seven days could forget a machine. Source: Queue Storage, Put Message.
NEVER_EXPIRES = -1


class Queues:
    """All queues of the app. Sends are at-least-once; whoever receives decides anew from the rows."""

    def __init__(self, service: QueueServiceClient) -> None:
        self._service = service
        self._clients: dict[str, QueueClient] = {}

    def send(self, message: Message, delay: int = 0) -> None:
        """Put a message on its queue, visible after `delay` seconds (at most an hour)."""
        self.send_text(QUEUES[type(message)], msgspec.json.encode(message).decode(), delay)

    def send_text(self, queue: str, text: str, delay: int = 0) -> None:
        """Put a message's own text back on its queue."""
        encoded = base64.b64encode(text.encode()).decode()
        wait = max(0, min(delay, LONGEST_DELAY))
        self._client(queue).send_message(encoded, visibility_timeout=wait, time_to_live=NEVER_EXPIRES)

    def length(self, queue: str) -> int:
        """About how many messages wait there; 0 for a queue that was never used."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return self._client(queue).get_queue_properties().approximate_message_count or 0
        except ResourceNotFoundError:
            return 0

    def ensure(self, queue: str) -> None:
        """Makes the queue when it is not there."""
        from azure.core.exceptions import ResourceExistsError

        try:
            self._client(queue).create_queue()
        except ResourceExistsError:
            return

    def _client(self, queue: str) -> QueueClient:
        if queue not in self._clients:
            self._clients[queue] = self._service.get_queue_client(queue)
        return self._clients[queue]


def open_queues(connection: str) -> Queues:
    """The account's queues, by connection string."""
    from azure.storage.queue import QueueServiceClient

    return Queues(QueueServiceClient.from_connection_string(connection, transport=transport()))
