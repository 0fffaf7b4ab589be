"""What one machine costs in calls of Azure and of storage, counted on the wire: it cannot grow unnoticed.

Storage: requests that the app's own SDK sends. The host's, which takes messages and deletes them, are not among them:
two a message, less where it takes several at once.
"""

from collections import Counter
from collections.abc import Iterator

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from infra.local.azurite import Azurite
from shared.domain.machine import Record
from tests.cloud.world import Json
from tests.store.wire import Wire
from tests.workflows.house import House

MACHINES = 30
SHARED = {f"{verb} {table}" for verb in ("GET", "POST", "PUT", "PATCH") for table in ("agenda", "index", "fleet")} - {
    "POST agenda"
}
"""What the whole fleet shares: the timer's scans of the agenda, the rebuilding of the index."""


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as wire:
        yield wire


@pytest.fixture
def services(azurite: Azurite, wire: Wire) -> tuple[TableServiceClient, QueueServiceClient]:
    """The storage, seen through the wire."""
    return (
        TableServiceClient.from_connection_string(azurite.connection_string, transport=wire),
        QueueServiceClient.from_connection_string(azurite.connection_string, transport=wire),
    )


def storage(wire: Wire) -> Counter[str]:
    """What the app asked of its storage. Receiving and deleting messages is the tests' own doing, as the host's."""
    found: Counter[str] = Counter()
    for each in wire.seen:
        if "/messages" in each.path:
            found.update(["put message"] if each.method == "POST" else [])
        else:
            name = each.path.rpartition("/")[2].partition("(")[0]
            found.update([f"{each.method} {name if name == '$batch' else name.partition('-')[0][13:]}"])
    return found


def calls(house: House) -> int:
    """Requests that reached Azure."""
    return len(house.sandbox.seen)


def _records(house: House) -> list[Record]:
    return [record for scope in house.store.fleet.scopes() for record in house.store.machines.in_scope(scope)]


def ready(house: House, machines: list[Json], wire: Wire) -> None:
    house.know(*machines)
    house.lose()
    wire.seen.clear()
    house.sandbox.seen.clear()


# The start reads the machine and, three times, the claim (4), writes agenda, claim, `sending` and `accepted` (4); the
# look reads claim, machine and what was pending (3), writes updates, history, machine and end (4); the agenda's timer
# reads the attempt and strikes the line out (2); two messages are put (2). An Arc machine's list is published minutes
# after its end: looks more, until a sweep or a look meets it.
@pytest.mark.parametrize(("vm", "azure", "most"), [(True, 2.0, 19), (False, 6.0, 29)])
def test_a_driven_assessment(
    services: tuple[TableServiceClient, QueueServiceClient], wire: Wire, vm: bool, azure: float, most: float
) -> None:
    """At Azure's own speed, from the plan until the agenda has forgotten it. A plan is shared by the whole fleet."""
    house = House(*services, machines=MACHINES, speed=1.0)
    machines = [each for each in house.fleet if each["script"] == "healthy" and (each["kind"] == "AzureVM") is vm]
    ready(house, machines, wire)
    house.plan()
    plan = storage(wire)
    house.live(30)
    assert house.store.agenda.oldest() is None
    spent = storage(wire) - plan
    each = sum(count for what, count in spent.items() if what not in SHARED) / len(machines)
    print(each, calls(house) / len(machines), spent)  # noqa: T201 - the figures themselves
    assert each <= most, (each, spent)
    assert calls(house) / len(machines) <= azure, [request.url for request in house.sandbox.seen]
    assert all(house.record(machine).assessment for machine in machines)


def test_a_swept_result(services: tuple[TableServiceClient, QueueServiceClient], wire: Wire) -> None:
    """The second day, when most of what is pending has been pending before."""
    house = House(*services, machines=MACHINES, speed=1.0, platform=True)
    house.inventory()
    house.sweep()
    house.run(1)
    house.lose()
    house.clock.advance(24 * 3600 + 600)
    wire.seen.clear()
    house.sandbox.seen.clear()
    house.sweep()
    before = {record.machine.id: record.assessment for record in _records(house)}
    wire.seen.clear()
    house.run(1)
    spent, requests = storage(wire), calls(house)
    swept = [record for record in _records(house) if record.assessment != before[record.machine.id]]
    assert len(swept) > 10
    scopes = len({record.machine.address.scope for record in _records(house)})
    shared = 4 * scopes + 8  # a group's rows are read once and written with its history; small groups make it dear here
    assert (sum(spent.values()) - shared) / len(swept) <= 1.0, spent
    assert requests == 2, "one page of results, one of their updates"
