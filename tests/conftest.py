"""What tests share: one Azurite for the whole run, started when first asked for; and who goes with whom, and first."""

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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long first; `--no-loadscope-reorder` keeps pytest-xdist from undoing it.

    A file's tests stay together, and so do all that share a whole local cloud: one process starts one, and stops it
    after them. One that idles polls a dozen queues.
    """
    items.sort(key=lambda item: place(item.nodeid))
    for item in items:
        shared = "scenarios" if "stack" in getattr(item, "fixturenames", ()) else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(shared))


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """One storage emulator for every test of the run; each test uses table and queue names of its own."""
    with Azurite.start(tmp_path_factory.mktemp("azurite")) as storage:
        yield storage


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A whole local cloud with a small fleet: each test uses machines of its own."""
    with Stack.start(Options(machines=MACHINES, speed=SPEED)) as running:
        yield running
