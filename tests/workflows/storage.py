"""The real store under names of a test's own; messages wait by the tests' clock instead of the storage's."""

import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
from azure.core.exceptions import ResourceExistsError
from azure.data.tables import TableClient, TableServiceClient
from azure.storage.queue import QueueClient, QueueProperties, QueueServiceClient

from shared.store.queue import Queues
from shared.store.store import Store
from shared.store.table import Table
from shared.wiring import build_store
from tests.simulation.steps import Hub
from tests.simulation.tables import TableAccount, TwinTable


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


class TwinBoxes:
    """Queues that only the post knows of."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def get_queue_client(self, queue: str) -> "TwinBox":
        return TwinBox(queue, self._post)


class TwinBox:
    """One of them."""

    def __init__(self, queue: str, post: Post) -> None:
        self._queue, self._post = queue, post

    def send_message(self, content: str, *, visibility_timeout: int, time_to_live: int) -> None:
        due = self._post.now() + timedelta(seconds=visibility_timeout)
        self._post.sent.append(Sent(due, self._queue, content))

    def get_queue_properties(self) -> QueueProperties:
        """Its length, as far as nobody has looked."""
        properties = QueueProperties()
        properties.approximate_message_count = sum(each.queue == self._queue for each in self._post.sent)
        return properties


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


Storage = Callable[[Post], Store]
"""Makes an empty store for a test; what it sends goes through the post."""


def on_azurite(tables: TableServiceClient, queues: QueueServiceClient) -> Storage:
    """Each store under names of its own."""

    def made(post: Post) -> Store:
        prefix = f"t{uuid.uuid4().hex[:12]}"
        boxes = cast("QueueServiceClient", Boxes(queues, prefix, post))
        return build_store(lambda name: OwnTable(tables, f"{prefix}{name}"), Queues(boxes))

    return made


def twin_tables() -> Callable[[str], Table]:
    """The twins of the simulation, which keep the contract of tables (tests/simulation/test_twins.py)."""
    account, hub = TableAccount(), Hub()

    def table(name: str) -> Table:
        twin = TwinTable(account, name, hub)
        twin.ensure()
        return twin

    return table


def on_twins(post: Post) -> Store:
    """Nothing leaves the process."""
    return build_store(twin_tables(), Queues(cast("QueueServiceClient", TwinBoxes(post))))
