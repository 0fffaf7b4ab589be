"""The real store under names of a test's own; messages wait by the tests' clock instead of the storage's."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
from azure.core.exceptions import ResourceExistsError
from azure.data.tables import TableClient, TableServiceClient
from azure.storage.queue import QueueClient, QueueServiceClient

from shared.store.queue import Queues
from shared.store.store import Store
from shared.store.table import Table
from shared.wiring import build_store


class Sent(msgspec.Struct, frozen=True):
    """A message that the storage has taken, and when it may be seen."""

    due: datetime
    queue: str
    content: str


class Post:
    """What was sent since somebody looked. How the storage hands a message out again is what tests/store looks at."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.sent: list[Sent] = []
        self.made: set[str] = set()

    def take(self) -> list[Sent]:
        taken, self.sent = self.sent, []
        return taken


class _Box:
    """A queue of the storage; what it has taken is kept beside it, with its delay by the tests' clock."""

    def __init__(self, client: QueueClient, queue: str, post: Post) -> None:
        self._client, self._queue, self._post = client, queue, post

    def send_message(self, content: str, *, visibility_timeout: int, time_to_live: int) -> None:
        if self._queue not in self._post.made:  # at its first use, as OwnTable
            with suppress(ResourceExistsError):  # several threads of a test may send at once
                self._client.create_queue()
            self._post.made.add(self._queue)
        self._client.send_message(content, time_to_live=time_to_live)
        due = self._post.now() + timedelta(seconds=visibility_timeout)
        self._post.sent.append(Sent(due, self._queue, content))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else the SDK's client can do
        return getattr(self._client, name)


class Boxes:
    """The storage's queues under a prefix; stands where the SDK's QueueServiceClient would."""

    def __init__(self, service: QueueServiceClient, prefix: str, post: Post) -> None:
        self._service, self._prefix, self._post = service, prefix, post

    def get_queue_client(self, queue: str) -> _Box:
        return _Box(self._service.get_queue_client(f"{self._prefix}-{queue}"), queue, self._post)


class OwnTable(Table):
    """Made at its first use: a test uses few of them, and there are a thousand tests."""

    def __init__(self, service: TableServiceClient, name: str) -> None:
        self._service, self._name = service, name

    def __getattr__(self, name: str) -> TableClient:
        """Asked for `_client` until that is there."""
        if name != "_client":
            raise AttributeError(name)
        self.ensure()
        self._client = self._service.get_table_client(self._name)
        return self._client


def own_store(tables: TableServiceClient, boxes: Boxes, prefix: str) -> Store:
    """The app's store, empty."""

    def table(name: str) -> Table:
        return OwnTable(tables, f"{prefix}{name}")

    return build_store(table, Queues(cast("QueueServiceClient", boxes)))
