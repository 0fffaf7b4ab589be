"""Sweeps: who asks and who ends keep each other's word; hundreds in few transactions."""

import pytest
from msgspec.structs import replace

from shared.domain.results import Sweep
from shared.store.results import Results
from shared.store.table import Table
from tests.domain.samples import NOW, minutes
from tests.store.wire import Wire


@pytest.fixture
def results(table: Table) -> Results:
    return Results(table)


def test_nothing_is_swept_at_first(results: Results) -> None:
    assert results.sweeps() == {}


def test_asked_and_ended_read_back(results: Results) -> None:
    results.ask(["S-1"], NOW)
    assert results.sweeps() == {"S-1": Sweep(subscription="S-1", asked=NOW)}
    done = Sweep(subscription="S-1", asked=NOW, completed=NOW, whole=NOW - minutes(60))
    results.end([done])
    assert results.sweeps() == {"S-1": done}
    results.ask(["S-1"], NOW + minutes(5))
    assert results.sweeps() == {"S-1": replace(done, asked=NOW + minutes(5))}


def test_hundreds_are_few_transactions(watched_table: Table, wire: Wire) -> None:
    results = Results(watched_table)
    wire.seen.clear()
    results.ask([f"s{number:03}" for number in range(250)], NOW)
    assert len(wire.seen) == 3
    assert len(results.sweeps()) == 250
