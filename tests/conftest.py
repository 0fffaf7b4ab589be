"""What tests share: one Azurite for the whole run, started when first asked for; and who goes with whom, and first."""

from collections.abc import Iterator

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from infra.local.azurite import Azurite
from infra.local.launch import Options
from infra.local.stack import Stack
from tests.order import group, place

MACHINES = 14
"""Every script once, and a few healthy machines."""

UNPLANNED = {"AzureWebJobs.assessment_timer.Disabled": "true"}
"""The app plans no assessment by itself: what a test asks of a machine is never refused for one of the app's own."""

SPEED = 1200.0
"""An installation of an hour takes three seconds."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--azurite", action="store_true", help="every test of workflows on the storage emulator")


class Groups(LoadScopeScheduling):
    """What goes together is said in tests/order.py.

    pytest-xdist's own `loadgroup` writes a group into a test's id, which pytest 9 no longer lets it: then every
    process starts the fixtures of a file, its local cloud too.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups:
    return Groups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long first; `--no-loadscope-reorder` keeps pytest-xdist from undoing it."""
    items.sort(key=lambda item: place(item.nodeid))


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """One storage emulator for every test of the run; each test uses table and queue names of its own."""
    with Azurite.start(tmp_path_factory.mktemp("azurite"), saves=False) as storage:
        yield storage


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A whole local cloud with a small fleet: each test uses machines of its own."""
    with Stack.start(Options(machines=MACHINES, speed=SPEED, settings=UNPLANNED)) as running:
        yield running
