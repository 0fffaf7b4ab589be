"""What tests share: one Azurite, and one whole local cloud, for the whole run; each is started when first asked for."""

from collections.abc import Iterator

import pytest

from infra.local.azurite import Azurite
from infra.local.launch import Options
from infra.local.stack import Stack
from tests.order import place

MACHINES = 14
"""Every script once, and a few healthy machines."""

SPEED = 1200.0
"""An installation of an hour takes three seconds."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long first; `--no-loadscope-reorder` keeps pytest-xdist from undoing it."""
    items.sort(key=lambda item: place(item.nodeid))


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """One storage emulator for every test of the run; each test uses table and queue names of its own."""
    with Azurite.start(tmp_path_factory.mktemp("azurite")) as storage:
        yield storage


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole local cloud with a small fleet, shared by every test that asks: each uses machines of its own."""
    with Stack.start(Options(machines=MACHINES, speed=SPEED)) as running:
        yield running
