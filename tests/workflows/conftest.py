"""Every test of this folder has tables, queues, a cloud and a clock of its own.

Most have the twins of storage that the simulation has; those that stand for a whole way through the app, that look at
requests, or that come from several threads have the real emulator, and `dev.py prove workflows` gives it to all.
"""

from collections.abc import Callable, Iterator

import pytest
from azure.core.pipeline.transport import RequestsTransport
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from infra.local.azurite import Azurite
from tests.workflows.house import House
from tests.workflows.reading import GROUPS, Reading, Watched, vm, watched_tables
from tests.workflows.storage import Storage, on_azurite, on_twins, twin_tables

Build = Callable[..., House]


def plain() -> RequestsTransport:
    """The SDK's own; it need not look for a proxy to the loopback before each of a hundred thousand requests."""
    return RequestsTransport(use_env_settings=False)


@pytest.fixture(scope="session")
def real(azurite: Azurite) -> Iterator[Storage]:
    """Stores in the storage emulator."""
    connection = azurite.connection_string
    with (
        TableServiceClient.from_connection_string(connection, transport=plain()) as tables,
        QueueServiceClient.from_connection_string(connection, transport=plain()) as queues,
    ):
        yield on_azurite(tables, queues)


@pytest.fixture
def storage(request: pytest.FixtureRequest) -> Storage:
    """The emulator where a test says so, and everywhere with `--azurite`; else the twins."""
    if request.node.get_closest_marker("azurite") or request.config.getoption("azurite"):
        chosen: Storage = request.getfixturevalue("real")
        return chosen
    return on_twins


@pytest.fixture
def build(storage: Storage) -> Build:
    """Makes a house with a fleet of another size or speed."""
    return lambda **options: House(storage, **options)


@pytest.fixture
def house(build: Build) -> House:
    """Fourteen machines, none of them known to the app yet."""
    return build()


@pytest.fixture
def reading(azurite: Azurite) -> Iterator[Reading]:
    with Watched() as wire:
        yield Reading(watched_tables(azurite, wire), wire)


@pytest.fixture
def quick_reading(request: pytest.FixtureRequest) -> Iterator[Reading]:
    """On twins, which nobody can watch; on the emulator with `--azurite`."""
    with Watched() as wire:
        given = request.config.getoption("azurite")
        yield Reading(watched_tables(request.getfixturevalue("azurite"), wire) if given else twin_tables(), wire)


@pytest.fixture
def fleet(reading: Reading) -> list[str]:
    """Machines in five resource groups, in key order, already in storage."""
    names = [vm(number, group) for group in GROUPS for number in range(3)]
    reading.add(*names)
    return names
