"""One whole local cloud for all scenarios that ask for it; it stops after the last of them."""

from collections.abc import Iterator

import pytest

from infra.local.launch import Options
from infra.local.stack import Stack
from tests.conftest import MACHINES, SPEED, UNPLANNED


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    """With a small fleet: each test uses machines of its own."""
    with Stack.start(Options(machines=MACHINES, speed=SPEED, settings=UNPLANNED)) as running:
        yield running
