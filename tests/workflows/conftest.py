"""One storage for all tests of this folder; every test has tables, queues, a cloud and a clock of its own."""

from collections.abc import Callable, Iterator

import pytest
from azure.core.pipeline.transport import RequestsTransport
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from infra.local.azurite import Azurite
from tests.workflows.house import House
from tests.workflows.reading import GROUPS, Reading, Watched, vm

Build = Callable[..., House]


def plain() -> RequestsTransport:
    """The SDK's own; it need not look for a proxy to the loopback before each of a hundred thousand requests."""
    return RequestsTransport(use_env_settings=False)


@pytest.fixture(scope="session")
def storage_tables(azurite: Azurite) -> Iterator[TableServiceClient]:
    with TableServiceClient.from_connection_string(azurite.connection_string, transport=plain()) as service:
        yield service


@pytest.fixture(scope="session")
def storage_queues(azurite: Azurite) -> Iterator[QueueServiceClient]:
    with QueueServiceClient.from_connection_string(azurite.connection_string, transport=plain()) as service:
        yield service


@pytest.fixture
def build(storage_tables: TableServiceClient, storage_queues: QueueServiceClient) -> Build:
    """Makes a house with a fleet of another size or speed."""
    return lambda **options: House(storage_tables, storage_queues, **options)


@pytest.fixture
def house(build: Build) -> House:
    """Fourteen machines, none of them known to the app yet."""
    return build()


@pytest.fixture
def reading(azurite: Azurite) -> Iterator[Reading]:
    with Watched() as wire:
        yield Reading(azurite, wire)


@pytest.fixture
def fleet(reading: Reading) -> list[str]:
    """Machines in five resource groups, in key order, already in storage."""
    names = [vm(number, group) for group in GROUPS for number in range(3)]
    reading.add(*names)
    return names
