"""A fleet in real tables, its index, and what may come between two storage calls: a reader, a double, a crash."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import msgspec
from azure.core.pipeline.transport import HttpRequest
from azure.data.tables import TableServiceClient

from infra.local.azurite import Azurite
from shared.cloud.clock import Clock
from shared.domain.index import Cursor, Filter
from shared.domain.machine import Record
from shared.domain.messages import CountFleet
from shared.domain.resource_id import parse_machine_id
from shared.store.store import Store
from shared.store.table import Table
from shared.wiring import build_store
from shared.workflows.fleet import Page, list_machines
from shared.workflows.index import Share, count_fleet
from tests.domain.samples import NOW, VM, machine
from tests.simulation.queues import QueueAccount, TwinQueues
from tests.simulation.steps import Hub
from tests.store.wire import Wire

GROUPS = ("a", "b", "c", "d", "e")
SMALL = Share(scopes=3, rows=4)
"""So that a few machines are many packs."""


class Watched(Wire):
    """Lets something happen before each request; not within it, nor while nobody watches.

    Of requests that go at the same time one is watched.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before: Callable[[str], None] | None = None
        self._within = Lock()

    def send(self, request: HttpRequest, **options: Any) -> Any:  # noqa: ANN401 - the SDK's own type
        before = self.before
        if before and self._within.acquire(blocking=False):
            try:
                before(f"{request.method} {request.url}")
            finally:
                self._within.release()
        return super().send(request, **options)


def watched_tables(azurite: Azurite, wire: Watched) -> Callable[[str], Table]:
    """Under names of their own."""
    service = TableServiceClient.from_connection_string(azurite.connection_string, transport=wire)
    prefix = f"t{uuid.uuid4().hex[:12]}"

    def table(name: str) -> Table:
        opened = Table(service, f"{prefix}{name}")
        opened.ensure()
        return opened

    return table


class Reading:
    """The app's reading side on tables of its own. Time stands still unless it is moved."""

    def __init__(self, table: Callable[[str], Table], wire: Watched) -> None:
        self.wire = wire
        self.now = NOW
        self.clock = Clock(lambda: self.now)
        self.queues = TwinQueues(QueueAccount(lambda: (self.now - NOW).total_seconds()), Hub())
        self.store: Store = build_store(table, self.queues)

    def add(self, *ids: str) -> None:
        for each in ids:
            address = parse_machine_id(each)
            self.store.fleet.add_scopes([address.scope])
            self.store.machines.settle(address.scope, [Record(machine=machine(each))])

    def remove(self, *ids: str) -> None:
        for each in ids:
            gone = Record(machine=machine(each), deleted=self.now)
            self.store.machines.settle(parse_machine_id(each).scope, [gone])

    def wish(self) -> None:
        self.store.queues.send(CountFleet())

    def message(self) -> CountFleet | None:
        """The next one on the queue, taken off it."""
        stored = self.queues.receive("fleet", 30)
        if stored is None:
            return None
        self.queues.delete(stored)
        return msgspec.json.decode(stored.text, type=CountFleet)

    def handle(self, message: CountFleet) -> None:
        count_fleet(self.store, message, self.clock, lambda: uuid.uuid4().hex, SMALL)

    def step(self) -> CountFleet | None:
        """Handles the next message, if there is one."""
        message = self.message()
        if message:
            self.handle(message)
        return message

    def rebuild(self) -> int:
        """Handles all messages that there are and come, after one more wish; how many."""
        self.wish()
        count = 0
        while self.step():
            count += 1
        return count

    def later(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    def page(self, size: int = 1000, after: Cursor | None = None, wanted: Filter | None = None) -> Page:
        return list_machines(self.store, wanted or Filter(), size, after, self.now)

    def shown(self) -> list[str]:
        return ids(self.page().records)


def ids(records: Sequence[Record]) -> list[str]:
    return [each.machine.id for each in records]


def vm(number: int, group: str = "web") -> str:
    """Machines of one resource group stand in the order of their numbers."""
    return VM.replace("vm1", f"vm{number:03}").replace("/web/", f"/{group}/")


def number(reading: Reading) -> int:
    head = reading.store.index.shown().head
    return head.number if head else 0
