"""History: newest first, with the updates of each installation, and safe to write twice."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.domain.machine import Installation
from shared.domain.resource_id import MachineId, parse_machine_id
from shared.domain.update import Update
from shared.store.history import History
from shared.store.table import Table
from tests.domain.samples import ARC, NOW, VM, assessment, installation, minutes
from tests.store.wire import Wire

ADDRESS, OTHER = parse_machine_id(VM), parse_machine_id(ARC)


@pytest.fixture
def history(table: Table) -> History:
    return History(table)


def install(name: str, started: timedelta = timedelta()) -> Installation:
    return replace(installation(), id=name, started=NOW + started)


def updates(count: int) -> tuple[Update, ...]:
    return tuple(
        Update(id=f"patch-{number:03}", name=f"n{number}", classification="critical", published=NOW, state="Installed")
        for number in range(count)
    )


def names(history: History, address: MachineId = ADDRESS) -> list[str]:
    return [each.id for each in history.installations(address)]


def test_a_machine_without_history(history: History) -> None:
    assert history.installations(ADDRESS) == []
    assert history.updates_of(ADDRESS, "i") == []


def test_an_installation_reads_back_with_its_updates(history: History) -> None:
    history.add_installation(ADDRESS, install("i"), updates(3))
    assert history.installations(ADDRESS) == [install("i")]
    assert history.updates_of(ADDRESS, "i") == list(updates(3))
    assert history.updates_of(ADDRESS, "I") == list(updates(3))


def test_newest_first(history: History) -> None:
    """By their start, over decades, in whatever order they are written."""
    starts = {
        "old": timedelta(days=-9_000),
        "before": -minutes(1),
        "now": timedelta(),
        "second": timedelta(seconds=1),
        "new": timedelta(days=20_000),
    }
    for name in ("now", "new", "old", "second", "before"):
        history.add_installation(ADDRESS, install(name, starts[name]), ())
    assert names(history) == ["new", "second", "now", "before", "old"]


def test_two_in_one_second_are_two(history: History) -> None:
    for name in ("a", "b"):
        history.add_installation(ADDRESS, install(name), ())
    assert sorted(names(history)) == ["a", "b"]


def test_writing_it_twice_is_writing_it_once(history: History) -> None:
    for _ in range(2):
        history.add_installation(ADDRESS, install("i"), updates(2))
    assert names(history) == ["i"]
    assert history.updates_of(ADDRESS, "i") == list(updates(2))


def test_more_updates_than_one_transaction_takes(history: History) -> None:
    history.add_installation(ADDRESS, install("i"), updates(230))
    assert history.updates_of(ADDRESS, "i") == list(updates(230))


def test_an_update_that_azure_lists_twice(history: History) -> None:
    history.add_installation(ADDRESS, install("i"), (*updates(2), replace(updates(1)[0], state="Failed")))
    assert {each.id: each.state for each in history.updates_of(ADDRESS, "i")} == {
        "patch-000": "Failed",
        "patch-001": "Installed",
    }


def test_updates_belong_to_one_installation(history: History) -> None:
    history.add_installation(ADDRESS, install("i"), updates(1))
    history.add_installation(ADDRESS, install("i2"), updates(2))
    history.add_installation(ADDRESS, install("i|x"), updates(3))
    assert [len(history.updates_of(ADDRESS, name)) for name in ("i", "i2", "i|x", "i|", "")] == [1, 2, 3, 0, 0]


def test_assessments_are_kept_beside(history: History) -> None:
    history.add_assessments([(ADDRESS, assessment())])
    history.add_installation(ADDRESS, install("i"), updates(1))
    assert names(history) == ["i"]


def test_machines_are_apart(history: History) -> None:
    history.add_installation(ADDRESS, install("i"), updates(1))
    assert names(history, OTHER) == []
    assert history.updates_of(OTHER, "i") == []


def test_assessments_of_a_group_and_month_are_one_transaction(watched_table: Table, wire: Wire) -> None:
    history = History(watched_table)
    wire.seen.clear()
    next_month = assessment(ended=NOW + timedelta(days=31))
    history.add_assessments([(ADDRESS, assessment()), (OTHER, assessment()), (ADDRESS, assessment())])
    assert len(wire.seen) == 1
    history.add_assessments([(ADDRESS, assessment()), (ADDRESS, next_month)])
    assert len(wire.seen) == 3
    march = watched_table.page(f"{ADDRESS.scope}|2026-03", f"assessment|{ADDRESS.row}|", f"assessment|{ADDRESS.row}}}")
    assert len(march) == 1, "the same result twice is one line"
    assert len(watched_table.page(f"{ADDRESS.scope}|2026-04")) == 1
