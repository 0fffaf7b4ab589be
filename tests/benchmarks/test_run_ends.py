"""Many machines of a run end together: what their steps cost where the run's rows tell of the ends, over where not."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from infra.local.azurite import Azurite
from shared.cloud.clock import Clock
from shared.domain.messages import AdvanceRun
from shared.domain.run import Step
from shared.workflows.runs import advance_run
from tests.domain.samples import RUN
from tests.store.wire import Wire
from tests.workflows.house import House
from tests.workflows.opened_runs import OPEN, accepted, done, load, moved, opened, part, sent
from tests.workflows.storage import on_azurite

MACHINES = 60
LIMIT = 0.1
"""Of the times that all rows of the run are read: with the number of its machines that is what grows as its square."""


class Spent(NamedTuple):
    """`scans`: how often all rows of the run were read."""

    scans: int
    requests: int
    seconds: float


@contextmanager
def ended_run(azurite: Azurite, marked: bool) -> Iterator[tuple[House, Wire]]:
    """All its machines have ended and none of its steps has seen that."""
    wire = Wire()
    house = House(
        on_azurite(
            TableServiceClient.from_connection_string(azurite.connection_string, transport=wire),
            QueueServiceClient.from_connection_string(azurite.connection_string, transport=wire),
        )
    )
    machines = [part(number, Step.RUNNING) for number in range(MACHINES)]
    opened(house.store, *machines)
    for machine in machines:
        moved(house.store, machine, sent, accepted, done)
        if marked:
            house.store.runs.mark_over(RUN, machine.machine, failed=False)
    yield house, wire


def spent(house: House, wire: Wire) -> Spent:
    """Until every machine's message has had its step."""
    machines = load(house.store).machines
    wire.seen.clear()
    began = time.perf_counter()
    for machine in machines:
        advance_run(house.store, AdvanceRun(run=RUN, machine=machine.machine), Clock(lambda: OPEN))
    seconds, requests = time.perf_counter() - began, list(wire.seen)
    assert load(house.store).run.closed
    return Spent(sum("RowKey ge" in each.query.get("$filter", "") for each in requests), len(requests), seconds)


@pytest.mark.alone
@pytest.mark.azurite
def test_ends_that_come_together(azurite: Azurite, capsys: pytest.CaptureFixture[str]) -> None:
    with ended_run(azurite, marked=False) as (house, wire):
        alone = spent(house, wire)
    with ended_run(azurite, marked=True) as (house, wire):
        together = spent(house, wire)
    ratio = together.scans / alone.scans
    with capsys.disabled():
        print(f"\n{MACHINES} ends of a run, together over one by one: read whole {together.scans} over {alone.scans}"  # noqa: T201 - the result
              f" times, {together.requests / alone.requests:.2f} of the requests,"
              f" {together.seconds / alone.seconds:.2f} of the time")  # fmt: skip
    assert ratio <= LIMIT
