"""No query without its partition: Azurite makes a scan of a whole table look free, Azure does not."""

import ast
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from shared.cloud.clock import Clock
from shared.domain.agenda import Item, ItemKind
from shared.domain.index import Cursor, Filter
from shared.domain.messages import QUEUES, CountFleet
from shared.domain.resource_id import parse_machine_id
from shared.store.queue import Queues
from shared.store.store import Store
from shared.store.table import Table
from shared.wiring import build_store, new_id
from shared.workflows.assignments import list_assignments
from shared.workflows.configurations import list_configurations, read_configuration
from shared.workflows.fleet import list_machines, read_summary
from shared.workflows.health import read_health
from shared.workflows.index import count_fleet
from shared.workflows.machines import (
    read_installation,
    read_installations,
    read_latest_assessment,
    read_machine,
    read_operation,
    read_pending_updates,
)
from shared.workflows.preview import preview_configuration, preview_machine
from tests.domain.assignments import scope
from tests.domain.maintenance import ADDRESS as CONFIGURATION
from tests.domain.maintenance import fleet, put
from tests.domain.samples import NOW, RUN, VM, assessment, installation, machine, minutes, operation, run, run_machine
from tests.store.wire import Sent, Wire

STORE = Path(__file__).parents[2] / "shared" / "store"
POINT = re.compile(r"/[A-Za-z0-9]+\(PartitionKey='[^']+',RowKey='[^']+'\)$")
PARTITION = re.compile(r"PartitionKey eq '[^']+' and RowKey ge '.*'")
ADDRESS = parse_machine_id(VM)


@pytest.fixture
def store(watched_tables: TableServiceClient, watched_queues: QueueServiceClient, wire: Wire, name: str) -> Store:
    """A store over tables of this test alone, one machine of everything in it."""

    def table(kind: str) -> Table:
        opened = Table(watched_tables, f"{name}{kind}")
        opened.ensure()
        return opened

    made = build_store(table, Queues(watched_queues))
    made.queues.ensure("fleet")
    made.fleet.add_scopes([ADDRESS.scope])
    made.machines.save(ADDRESS.scope, [machine()])
    made.machines.set_assessment(ADDRESS, assessment())
    made.history.add_installation(ADDRESS, installation(), ())
    made.operations.claim(operation())
    made.runs.create(run(), [run_machine()])
    made.agenda.add(Item(kind=ItemKind.RUN, id=RUN, since=NOW), NOW)
    made.configurations.save(put(fleet()))
    made.assignments.save(scope())
    wire.seen.clear()
    return made


def table_reads(wire: Wire) -> list[Sent]:
    return [each for each in wire.seen if each.method == "GET" and "comp" not in each.query]


def test_every_read_names_its_partition(store: Store, wire: Wire) -> None:
    """Every way of reading that a request or a message uses, judged by what went over the wire."""
    everything = Filter(subscription=ADDRESS.subscription, group="web", kind="AzureVM", tags=("env",))
    for message in (CountFleet(), CountFleet(build=1, step=0)):
        count_fleet(store, message, Clock(lambda: NOW), new_id)
    assert list_machines(store, Filter(), 10, None, NOW).records
    assert list_machines(store, everything, 10, Cursor(scope=ADDRESS.scope, row=ADDRESS.row), NOW).records == ()
    store.index.forget(1)
    read_health(store, NOW + minutes(1))
    read_summary(store, NOW)
    read_latest_assessment(store, ADDRESS)
    read_pending_updates(store, ADDRESS)
    read_installation(store, ADDRESS, installation().id)
    read_operation(store, ADDRESS, RUN)
    assert store.runs.load(RUN) is not None
    assert len(list(store.agenda.due(NOW))) == 1
    store.buckets.lease(ADDRESS.subscription, "westeurope", 1, NOW)
    store.poison.get("runs", "id")
    store.updates.replace(ADDRESS, ())
    reads = table_reads(wire)
    queries = [each for each in reads if "$filter" in each.query]
    points = [each for each in reads if POINT.search(each.path)]
    assert len(queries) > 20
    assert len(points) > 5
    assert [each.path for each in reads if each not in queries and each not in points] == []
    assert [each.query["$filter"] for each in queries if not PARTITION.match(each.query["$filter"])] == []


def _list(store: Store, wanted: Filter, now: datetime = NOW) -> object:
    return list_machines(store, wanted, 10, None, now)


def _preview(store: Store) -> object:
    return preview_configuration(store, CONFIGURATION, None, 10, NOW)


REQUESTS: dict[str, tuple[Callable[[Store], object], int]] = {
    "GET fleet/machines": (lambda store: _list(store, Filter()), 3),
    "GET fleet/machines, nothing found": (lambda store: _list(store, Filter(tags=("none",))), 1),
    "GET fleet/machines, old index": (lambda store: _list(store, Filter(), NOW + minutes(9)), 5),
    "GET fleet/summary": (lambda store: read_summary(store, NOW), 1),
    "GET machine": (lambda store: read_machine(store, ADDRESS), 1),
    "GET patchAssessmentResults/latest": (lambda store: read_latest_assessment(store, ADDRESS), 1),
    "GET softwarePatches of it": (lambda store: read_pending_updates(store, ADDRESS), 2),
    "GET patchInstallationResults": (lambda store: read_installations(store, ADDRESS), 2),
    "GET one of them, its updates": (lambda store: read_installation(store, ADDRESS, installation().id), 3),
    "GET configuration": (lambda store: read_configuration(store, CONFIGURATION), 1),
    "GET configurations of a group": (lambda store: list_configurations(store, ADDRESS.subscription, "ops", "", 9), 1),
    "GET assignments of a subscription": (lambda store: list_assignments(store, ADDRESS.subscription, "", "", 9), 1),
    "GET preview of a configuration": (lambda store: _preview(store), 6),
    "GET preview of a machine": (lambda store: preview_machine(store, ADDRESS, NOW), 3),
    "GET operation": (lambda store: read_operation(store, ADDRESS, RUN), 2),
}
"""Every read that answers a request, but health, and the most storage calls it may take."""


@pytest.mark.parametrize("request_name", REQUESTS)
def test_storage_calls_of_each_request(store: Store, wire: Wire, request_name: str) -> None:
    for message in (CountFleet(), CountFleet(build=1, step=0)):
        count_fleet(store, message, Clock(lambda: NOW), new_id)
    ask, most = REQUESTS[request_name]
    wire.seen.clear()
    ask(store)
    filters = [each.query["$filter"] for each in table_reads(wire) if "$filter" in each.query]
    points = [each for each in table_reads(wire) if POINT.search(each.path)]
    assert len(wire.seen) == most
    assert all(PARTITION.match(each) for each in filters)
    assert len(filters) + len(points) == len(table_reads(wire))


def test_health_costs_the_same_however_much_is_open(store: Store, wire: Wire) -> None:
    """Its calls are counted with little and with much open; it never reads a machine or an operation."""
    costs = []
    for more in (0, 1000):
        for number in range(more):
            store.agenda.add(Item(kind=ItemKind.RUN, id=f"r-{number}", since=NOW), NOW)
        wire.seen.clear()
        read_health(store, NOW)
        costs.append(len(wire.seen))
    read = {each.path.strip("/").split("/")[-1].partition("(")[0] for each in table_reads(wire)}
    assert {name for name in read if name.endswith(("machines", "operations", "history", "updates"))} == set()
    assert costs[0] == costs[1] <= 24 + 2 * len(QUEUES)


def test_only_two_verbs_query() -> None:
    """`page` and `scan` ask with a filter that begins with the partition; nothing else of the SDK reads many rows."""
    many = {"query_entities", "list_entities", "query_tables", "list_tables"}
    callers = {}
    for path in sorted(STORE.glob("*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                called = {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)} & many
                callers.update({f"{path.name}:{function.name}": called for _ in called})
    assert callers == {"table.py:page": {"query_entities"}, "table.py:scan": {"query_entities"}}


@pytest.mark.parametrize("verb", ["page", "scan"])
def test_both_filters_begin_with_the_partition(verb: str, watched_table: Table, wire: Wire) -> None:
    list(getattr(watched_table, verb)("p", "a", "b"))
    list(getattr(watched_table, verb)("p"))
    filters = [each.query["$filter"] for each in table_reads(wire) if "$filter" in each.query]
    assert filters == [
        "PartitionKey eq 'p' and RowKey ge 'a' and RowKey lt 'b'",
        "PartitionKey eq 'p' and RowKey ge ''",
    ]
