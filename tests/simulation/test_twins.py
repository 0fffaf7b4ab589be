"""The twin of Table Storage keeps its contract: each test runs on the twin and on Azurite."""

import random
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from infra.local.azurite import Azurite
from shared.store.table import (
    LARGEST_BATCH,
    Change,
    Conflict,
    Delete,
    Insert,
    Merge,
    Replace,
    Row,
    Table,
    Value,
    open_tables,
)
from tests.simulation.steps import Hub
from tests.simulation.tables import TableAccount, TwinTable

if TYPE_CHECKING:
    from azure.data.tables import TableServiceClient

Write = Callable[[Table, Change], object]
BOTH_WAYS = [
    pytest.param(lambda table, change: table.write(change), id="write"),
    pytest.param(lambda table, change: table.transact([change]), id="transact"),
]
KINDS = ("twin", "azurite")


@pytest.fixture(scope="module")
def tables(azurite: Azurite) -> Iterator["TableServiceClient"]:
    with open_tables(azurite.connection_string) as service:
        yield service


@pytest.fixture(params=KINDS)
def table(request: pytest.FixtureRequest) -> Table:
    return open_table(request.param, request)


def open_table(kind: str, request: pytest.FixtureRequest) -> Table:
    name = f"t{uuid.uuid4().hex}"
    if kind == "twin":
        opened: Table = TwinTable(TableAccount(), name, Hub())
    else:
        opened = Table(request.getfixturevalue("tables"), name)
    opened.ensure()
    return opened


def row(key: str = "k", etag: str = "", **values: Value) -> Row:
    return Row(partition="p", key=key, values=values or {"a": "x"}, etag=etag)


def read(table: Table, key: str = "k") -> Row:
    found = table.get("p", key)
    assert found is not None
    return found


def contents(table: Table) -> dict[str, dict[str, object]]:
    return {each.key: dict(each.values) for each in table.scan("p")}


def test_a_row_comes_back_as_it_was_written(table: Table) -> None:
    values: dict[str, Value] = {
        "s": 'ä "😀"',
        "i": -7,
        "f": 2.5,
        "b": True,
        "t": datetime(2026, 3, 10, 12, tzinfo=UTC),
        "e": "",
        "y": bytes(range(256)),
    }
    etag = table.write(Insert(Row(partition="p", key="k", values=values)))
    found = read(table)
    assert found.values == values
    assert (found.partition, found.key, found.etag) == ("p", "k", etag)


def test_only_what_was_asked_for_is_read(table: Table) -> None:
    """What a row does not have is left out; its keys and its ETag are always there."""
    table.write(Insert(row("k", a="1", b="2", c="3")))
    table.write(Insert(row("l", b="4")))
    found = table.get("p", "k", only=("a", "c", "d"))
    assert found is not None
    assert (found.partition, found.key, found.etag) == ("p", "k", read(table).etag)
    assert found.values == {"a": "1", "c": "3"}
    assert [(each.key, each.values) for each in table.page("p", only=("a", "b"))] == [
        ("k", {"a": "1", "b": "2"}),
        ("l", {"b": "4"}),
    ]
    assert table.get("p", "m", only=("a",)) is None


def test_what_was_read_is_a_copy(table: Table) -> None:
    table.write(Insert(row(a="1")))
    read(table).values["a"] = "2"
    assert contents(table) == {"k": {"a": "1"}}


def test_ensure_keeps_what_is_there(table: Table) -> None:
    table.write(Insert(row()))
    table.ensure()
    assert list(contents(table)) == ["k"]


def test_nothing_is_there_at_first(table: Table) -> None:
    assert table.get("p", "k") is None
    assert table.page("p") == []
    assert list(table.scan("p")) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_table_is_an_error_and_no_absence(kind: str, request: pytest.FixtureRequest) -> None:
    from azure.core.exceptions import HttpResponseError

    name = f"t{uuid.uuid4().hex}"
    twin = kind == "twin"
    table = TwinTable(TableAccount(), name, Hub()) if twin else Table(request.getfixturevalue("tables"), name)
    for do in (lambda: table.get("p", "k"), lambda: table.write(Insert(row())), lambda: list(table.scan("p"))):
        with pytest.raises(HttpResponseError, match="TableNotFound"):
            do()


@pytest.mark.parametrize("write", BOTH_WAYS)
def test_insert_conflicts_with_what_is_there(table: Table, write: Write) -> None:
    write(table, Insert(row(a="1")))
    with pytest.raises(Conflict):
        write(table, Insert(row(a="2")))
    assert contents(table) == {"k": {"a": "1"}}


@pytest.mark.parametrize("write", BOTH_WAYS)
def test_merge_sets_and_keeps_whatever_the_etag(table: Table, write: Write) -> None:
    write(table, Merge(row(a="1", b="1")))
    write(table, Merge(row(b="2", etag="W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\"")))
    assert contents(table) == {"k": {"a": "1", "b": "2"}}


@pytest.mark.parametrize("write", BOTH_WAYS)
@pytest.mark.parametrize("change", [Replace, Delete])
def test_a_guarded_change_conflicts_with_a_newer_row(
    table: Table, write: Write, change: type[Replace | Delete]
) -> None:
    table.write(Insert(row(a="1")))
    stale = read(table)
    table.write(Merge(row(a="2")))
    with pytest.raises(Conflict):
        write(table, change(stale))
    write(table, change(replace(read(table), values={"c": "3"})))
    assert contents(table) == ({"k": {"c": "3"}} if change is Replace else {})


@pytest.mark.parametrize("write", BOTH_WAYS)
@pytest.mark.parametrize("change", [Replace, Delete])
def test_a_guarded_change_conflicts_with_nothing(table: Table, write: Write, change: type[Replace | Delete]) -> None:
    table.write(Insert(row()))
    stale = read(table)
    table.write(Delete(stale))
    with pytest.raises(Conflict):
        write(table, change(stale))


def test_the_same_values_again_are_a_new_etag(table: Table) -> None:
    first = table.write(Insert(row()))
    assert table.write(Merge(row())) != first
    with pytest.raises(Conflict):
        table.write(Replace(row(etag=first)))


def test_an_unguarded_delete_removes_anything_and_alone_also_nothing(table: Table) -> None:
    table.write(Insert(row()))
    assert table.write(Delete(row())) == ""
    assert table.write(Delete(row())) == ""
    with pytest.raises(Conflict):
        table.transact([Delete(row()), Insert(row("other"))])
    assert contents(table) == {}


def test_a_transaction_is_all_or_nothing(table: Table) -> None:
    table.write(Insert(row("there")))
    with pytest.raises(Conflict):
        table.transact([Insert(row("new")), Insert(row("there"))])
    assert list(contents(table)) == ["there"]
    table.transact([Delete(read(table, "there")), Insert(row("new")), Merge(row("more"))])
    assert list(contents(table)) == ["more", "new"]
    table.transact([])


@pytest.mark.parametrize(
    "changes",
    [
        [Insert(row(f"{n:03}")) for n in range(LARGEST_BATCH + 1)],
        [Insert(row()), Merge(row())],
        [Insert(row("a/b"))],
        [Replace(row())],
        [Insert(row()), Insert(Row(partition="q", key="k", values={}))],
    ],
    ids=["too many", "a row twice", "a bad key", "no etag", "two partitions"],
)
def test_what_azure_would_refuse_is_a_mistake(table: Table, changes: list[Change]) -> None:
    with pytest.raises(ValueError, match=r"Table Storage|transaction|ETag"):
        table.transact(changes)
    assert contents(table) == {}


def test_ranges_are_in_order_of_keys(table: Table) -> None:
    for key in ("b", "a|2", "c", "a|10", "A", "a}"):
        table.write(Insert(row(key)))
    table.write(Insert(Row(partition="other", key="b", values={})))
    keys = [each.key for each in table.scan("p")]
    assert keys == ["A", "a|10", "a|2", "a}", "b", "c"]
    assert [each.key for each in table.scan("p", "a|", "a}")] == ["a|10", "a|2"]
    assert [each.key for each in table.page("p", "a|2", size=2)] == ["a|2", "a}"]


def test_a_long_walk_ends_the_same_on_both(request: pytest.FixtureRequest) -> None:
    """A hundred and fifty drawn changes, guarded by good and stale ETags, answer and leave the same."""
    both = [open_table(kind, request) for kind in KINDS]
    stale: list[dict[str, str]] = [{}, {}]
    drawn = random.Random(4711)
    for _ in range(150):
        key, word, good = drawn.choice("abc"), drawn.choice("imrd"), drawn.random() < 0.6
        batched = drawn.random() < 0.5
        answers = []
        for table, old in zip(both, stale, strict=True):
            current = table.get("p", key)
            etag = (current.etag if current and good else old.get(key)) or "W/\"datetime'2020-01-01T00%3A00%3A00Z'\""
            old[key] = etag
            answers.append(_change(table, _drawn(word, key, etag), batched))
        assert answers[0] == answers[1]
        assert contents(both[0]) == contents(both[1])


def _drawn(word: str, key: str, etag: str) -> Change:
    kinds: dict[str, type[Insert | Merge | Replace | Delete]] = {"i": Insert, "m": Merge, "r": Replace, "d": Delete}
    return kinds[word](Row(partition="p", key=key, values={word: key}, etag=etag))


def _change(table: Table, change: Change, batched: bool) -> str:
    try:
        if batched:
            table.transact([change, Merge(row("z", n="1"))])
        else:
            table.write(change)
    except Conflict:
        return "conflict"
    return "done"
