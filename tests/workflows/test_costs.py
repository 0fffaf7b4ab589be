"""What one machine costs in calls of Azure and of storage, counted on the wire: it cannot grow unnoticed.

Storage: requests that the app's own SDK sends. The host's, which takes messages and deletes them, are not among them:
two a message, less where it takes several at once.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from infra.local.azurite import Azurite
from shared.domain.machine import Record
from shared.domain.planned import LARGEST_START
from tests.cloud.world import Json, address_of
from tests.store.wire import Wire
from tests.workflows.house import House
from tests.workflows.storage import Storage, on_azurite

MACHINES, DRIVEN = 30, 240
MOST_STORAGE, MOST_AZURE = 8.0, 2.0
"""A driven assessment's, where a plan starts a dozen or more machines together."""
SHARED = {f"{verb} {table}" for verb in ("GET", "POST", "PUT", "PATCH") for table in ("agenda", "index", "fleet")} - {
    "POST agenda"
}
"""What the whole fleet shares: the timer's scans of the agenda, the rebuilding of the index."""


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as wire:
        yield wire


@pytest.fixture
def watched(azurite: Azurite, wire: Wire) -> Storage:
    """The storage, seen through the wire."""
    return on_azurite(
        TableServiceClient.from_connection_string(azurite.connection_string, transport=wire),
        QueueServiceClient.from_connection_string(azurite.connection_string, transport=wire),
    )


def storage(wire: Wire) -> Counter[str]:
    """What the app asked of its storage. Receiving and deleting messages is the tests' own doing, as the host's."""
    found: Counter[str] = Counter()
    for each in wire.seen:
        if each.path.endswith("/Tables") or (
            each.method == "PUT" and each.path.count("/") == 2 and "(" not in each.path
        ):
            continue  # a table or a queue is made, once for all time
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


def largest(machines: list[Json]) -> list[Json]:
    """Those of the one subscription and region that has most: what a plan starts together."""
    together: dict[tuple[str, str], list[Json]] = defaultdict(list)
    for each in machines:
        region = address_of(each).group.rpartition("-")[2]  # the sandbox names its groups so
        together[each["subscription"], region].append(each)
    return max(together.values(), key=len)


def ready(house: House, machines: list[Json], wire: Wire) -> None:
    house.know(*machines)
    house.lose()
    wire.seen.clear()
    house.sandbox.seen.clear()


# One by one: the claim, Azure's answer, the end (3 writes), the operation in flight, what was pending (2 reads), what
# is pending (1 write). All together: two messages and those of the next looks, the machines' rows twice, the agenda's
# lines written and struck out, the history, the machines' rows, the looks in Resource Graph.
@pytest.mark.parametrize("vm", [True, False])
def test_a_driven_assessment(watched: Storage, wire: Wire, vm: bool) -> None:
    """At Azure's own speed, from the plan until the agenda has forgotten it. A plan is shared by the whole fleet."""
    house = House(watched, machines=DRIVEN, speed=1.0)
    machines = [each for each in house.fleet if each["script"] == "healthy" and (each["kind"] == "AzureVM") is vm]
    machines = largest(machines)[:LARGEST_START]
    ready(house, machines, wire)
    house.plan()
    plan = storage(wire)
    house.live(30)
    assert house.store.agenda.oldest() is None
    spent = storage(wire) - plan
    each = sum(count for what, count in spent.items() if what not in SHARED) / len(machines)
    print(each, calls(house) / len(machines), spent)  # noqa: T201 - the figures themselves
    assert each <= MOST_STORAGE, (each, spent)
    assert calls(house) / len(machines) <= MOST_AZURE, [request.url for request in house.sandbox.seen]
    assert all(house.record(machine).assessment for machine in machines)


def test_a_swept_result(watched: Storage, wire: Wire) -> None:
    """The second day, when most of what is pending has been pending before."""
    house = House(watched, machines=MACHINES, speed=1.0, platform=True)
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
