"""The app as Microsoft's worker library indexes it, in a worker process of its own and without a single setting."""

import asyncio
import os

import pytest

from infra.local.host.log import Logger
from infra.local.host.metadata import Function, functions
from infra.local.host.pool import Pool
from infra.local.host.slot import WorkerOptions
from infra.local.host.wire import Indexed
from infra.local.places import PROJECT
from shared.cloud.clock import system_time
from shared.settings import NAMES

WARNING = 30


async def _index() -> Indexed:
    bare = {name: value for name, value in os.environ.items() if name not in NAMES.values()}
    options = WorkerOptions(app=str(PROJECT), log_level=WARNING, environment=bare)
    pool = Pool(options, Logger(system_time, WARNING))
    try:
        return await pool.start(1)
    finally:
        await pool.stop()


@pytest.fixture(scope="session")
def indexed() -> dict[str, Function]:
    """Every function of the unchanged function_app.py, by name. Raises Refused with the library's own text."""
    found = functions(asyncio.run(_index()).functions)
    by_name = {function.name: function for function in found}
    assert len(by_name) == len(found)
    return by_name
