"""Fixtures of the host's tests."""

from pathlib import Path

import pytest

from infra.local.azurite import Azurite
from tests.host.queueing import Scene


@pytest.fixture
def scene(azurite: Azurite, tmp_path: Path) -> Scene:
    return Scene(azurite, tmp_path)
