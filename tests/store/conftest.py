"""Tables and queues of their own for every test, on one storage emulator."""

import uuid
from collections.abc import Iterator

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from infra.local.azurite import Azurite
from shared.store.table import Table, open_tables
from tests.store.wire import Wire


@pytest.fixture(scope="session")
def tables(azurite: Azurite) -> Iterator[TableServiceClient]:
    with open_tables(azurite.connection_string) as service:
        yield service


@pytest.fixture
def name() -> str:
    """Of the test's own table or queue."""
    return f"t{uuid.uuid4().hex}"


@pytest.fixture
def table(tables: TableServiceClient, name: str) -> Table:
    """An empty one."""
    table = Table(tables, name)
    table.ensure()
    return table


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Carries requests to storage and keeps them to be looked at."""
    with Wire() as wire:
        yield wire


@pytest.fixture
def watched_tables(azurite: Azurite, wire: Wire) -> TableServiceClient:
    return TableServiceClient.from_connection_string(azurite.connection_string, transport=wire)


@pytest.fixture
def watched_table(watched_tables: TableServiceClient, name: str) -> Table:
    """An empty one, seen through the wire."""
    table = Table(watched_tables, name)
    table.ensure()
    return table


@pytest.fixture
def watched_queues(azurite: Azurite, wire: Wire) -> QueueServiceClient:
    return QueueServiceClient.from_connection_string(azurite.connection_string, transport=wire)
