"""The contract of a table: what each change does, when it conflicts, and how rows are read back in order."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from shared.store.table import LARGEST_BATCH, Change, Conflict, Delete, Insert, Merge, Replace, Row, Table, Value

Write = Callable[[Table, Change], object]
BOTH_WAYS = [
    pytest.param(lambda table, change: table.write(change), id="write"),
    pytest.param(lambda table, change: table.transact([change]), id="transact"),
]


def row(key: str = "k", partition: str = "p", etag: str = "", **values: Value) -> Row:
    return Row(partition=partition, key=key, values=values or {"a": "x"}, etag=etag)


def values(table: Table, key: str = "k", partition: str = "p") -> dict[str, Value] | None:
    found = table.get(partition, key)
    return found.values if found else None


def read(table: Table, key: str = "k") -> Row:
    found = table.get("p", key)
    assert found is not None
    return found


def keys(rows: Sequence[Row]) -> list[str]:
    return [each.key for each in rows]


def test_what_is_written_is_read_back(table: Table) -> None:
    time = datetime(2026, 3, 10, 12, 0, 0, 123456, tzinfo=UTC)
    given: dict[str, Value] = {"s": 'ä "日" 😀\n', "i": -7, "f": 2.5, "yes": True, "t": time, "empty": ""}
    etag = table.write(Insert(Row(partition="p", key="k", values=given)))
    found = read(table)
    assert found.values == given
    assert found.etag == etag
    assert (found.partition, found.key) == ("p", "k")
    assert isinstance(found.values["yes"], bool)
    assert isinstance(found.values["t"], datetime)
    assert found.values["t"].tzinfo is not None


def test_what_is_not_there_is_none(table: Table) -> None:
    assert table.get("p", "k") is None
    assert table.page("p") == []
    assert list(table.scan("p")) == []


@pytest.mark.parametrize("write", BOTH_WAYS)
def test_insert_conflicts_with_a_row_that_is_there(table: Table, write: Write) -> None:
    write(table, Insert(row(a="first")))
    with pytest.raises(Conflict):
        write(table, Insert(row(a="second", b="more")))
    assert values(table) == {"a": "first"}


@pytest.mark.parametrize("write", BOTH_WAYS)
def test_merge_makes_sets_and_leaves_the_rest(table: Table, write: Write) -> None:
    write(table, Merge(row(a="1", b="1")))
    stale = read(table)
    write(table, Merge(row(b="2", c="2")))
    write(table, Merge(replace(stale, values={"c": "3"})))
    assert values(table) == {"a": "1", "b": "2", "c": "3"}


@pytest.mark.parametrize("write", BOTH_WAYS)
def test_replace_leaves_nothing_of_the_old_row(table: Table, write: Write) -> None:
    table.write(Insert(row(a="1", b="1")))
    write(table, Replace(row(etag=read(table).etag, c="2")))
    assert values(table) == {"c": "2"}


@pytest.mark.parametrize("write", BOTH_WAYS)
@pytest.mark.parametrize("change", [Replace, Delete])
def test_a_row_changed_since_conflicts(table: Table, write: Write, change: type[Replace | Delete]) -> None:
    table.write(Insert(row(a="1")))
    stale = read(table)
    table.write(Merge(row(a="2")))
    with pytest.raises(Conflict):
        write(table, change(stale))
    assert values(table) == {"a": "2"}


@pytest.mark.parametrize("write", BOTH_WAYS)
@pytest.mark.parametrize("change", [Replace, Delete])
def test_a_row_gone_since_conflicts(table: Table, write: Write, change: type[Replace | Delete]) -> None:
    table.write(Insert(row(a="1")))
    stale = read(table)
    table.write(Delete(stale))
    with pytest.raises(Conflict):
        write(table, change(stale))
    assert table.get("p", "k") is None


@pytest.mark.parametrize("write", BOTH_WAYS)
def test_a_row_made_anew_since_conflicts(table: Table, write: Write) -> None:
    table.write(Insert(row(a="1")))
    stale = read(table)
    table.write(Delete(stale))
    table.write(Insert(row(a="2")))
    with pytest.raises(Conflict):
        write(table, Replace(stale))


@pytest.mark.parametrize("write", BOTH_WAYS)
def test_replace_without_an_etag_is_a_mistake(table: Table, write: Write) -> None:
    """It would undo whatever somebody else wrote."""
    table.write(Insert(row(a="1")))
    with pytest.raises(ValueError, match="ETag"):
        write(table, Replace(row(a="2")))
    assert values(table) == {"a": "1"}


@pytest.mark.parametrize("write", BOTH_WAYS)
def test_delete_removes_the_row(table: Table, write: Write) -> None:
    table.write(Insert(row("other")))
    table.write(Insert(row()))
    write(table, Delete(read(table)))
    table.write(Insert(row()))
    write(table, Delete(row()))
    assert keys(table.page("p")) == ["other"]


def test_delete_without_an_etag_removes_nothing_too(table: Table) -> None:
    assert table.write(Delete(row())) == ""


def test_an_etag_from_a_write_guards_the_next_one(table: Table) -> None:
    first = table.write(Insert(row(a="1")))
    second = table.write(Replace(row(etag=first, a="2")))
    assert second != first
    with pytest.raises(Conflict):
        table.write(Replace(row(etag=first, a="3")))
    table.write(Replace(row(etag=second, a="3")))
    assert values(table) == {"a": "3"}


def test_a_transaction_is_all_or_nothing(table: Table) -> None:
    for key in ("replaced", "deleted", "merged"):
        table.write(Insert(row(key, a="1")))
    changes: list[Change] = [
        Insert(row("new")),
        Merge(row("merged", b="2")),
        Replace(replace(read(table, "replaced"), values={"c": "3"})),
        Delete(read(table, "deleted")),
    ]
    for culprit in (
        Insert(row("taken")),
        Delete(row("absent")),
        Replace(row("absent2", etag=read(table, "merged").etag)),
    ):
        table.write(Merge(row("taken")))
        with pytest.raises(Conflict):
            table.transact([*changes, culprit])
        assert keys(table.page("p")) == ["deleted", "merged", "replaced", "taken"]
        assert values(table, "merged") == {"a": "1"}
    table.transact(changes)
    assert keys(table.page("p")) == ["merged", "new", "replaced", "taken"]
    assert values(table, "merged") == {"a": "1", "b": "2"}
    assert values(table, "replaced") == {"c": "3"}


def test_a_transaction_of_a_hundred_rows(table: Table) -> None:
    table.transact([Insert(row(f"{number:03}")) for number in range(LARGEST_BATCH)])
    assert len(table.page("p")) == 100


def test_an_empty_transaction_is_nothing(table: Table) -> None:
    table.transact([])
    assert table.page("p") == []


def test_rows_come_in_key_order_and_only_of_their_partition(table: Table) -> None:
    for key in ("b", "a|2", "a|10", "a", "a}", "A", "a~", "ä"):
        table.write(Insert(row(key)))
    table.write(Insert(row("a", partition="q")))
    ordered = ["A", "a", "a|10", "a|2", "a}", "a~", "b", "ä"]
    assert keys(table.page("p")) == ordered
    assert keys(list(table.scan("p"))) == ordered


def test_ranges_begin_with_first_and_end_before(table: Table) -> None:
    table.transact([Insert(row(key)) for key in ("a", "m|1", "m|2", "m}", "z")])
    assert keys(table.page("p", "m|", "m}")) == ["m|1", "m|2"]
    assert keys(list(table.scan("p", "m|1", "m}"))) == ["m|1", "m|2"]
    assert keys(list(table.scan("p", "m|2"))) == ["m|2", "m}", "z"]
    assert keys(list(table.scan("p", before="m|1"))) == ["a"]
    assert keys(table.page("p", "zz")) == []


def test_a_page_has_at_most_its_size(table: Table) -> None:
    table.transact([Insert(row(f"{number}")) for number in range(5)])
    assert keys(table.page("p", size=2)) == ["0", "1"]
    assert keys(table.page("p", "1", size=2)) == ["1", "2"]
    assert keys(table.page("p", size=5)) == keys(table.page("p", size=6)) == ["0", "1", "2", "3", "4"]


def test_more_rows_than_storage_returns_at_once(table: Table) -> None:
    """Storage answers at most 1,000 rows and a continuation."""
    expected = [f"{number:04}" for number in range(2_150)]
    for start in range(0, len(expected), LARGEST_BATCH):
        table.transact([Insert(row(key)) for key in expected[start : start + LARGEST_BATCH]])
    assert keys(list(table.scan("p"))) == expected
    assert keys(table.page("p", size=1_500)) == expected[:1_500]
    assert len(table.page("p")) == 1_000


ODD_KEYS = [
    "it's",
    "a%2Fb",
    "50%",
    "a b",
    " a",
    "a+b",
    "a&b=c",
    "é日😀",
    "~|",
    "'",
    "''",
    "a;b,c@d:e!",
    "(x)",
    "$filter",
]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_odd_but_legal_keys(table: Table, key: str) -> None:
    """As partition and as row, written, read, found, changed and removed."""
    table.write(Insert(row(key, partition=key)))
    table.transact([Insert(row("other", partition=key))])
    found = table.get(key, key)
    assert found is not None
    assert (found.partition, found.key) == (key, key)
    assert [each.key for each in table.scan(key, key, f"{key}\uffff")][:1] == [key]
    table.transact([Replace(replace(found, values={"a": "2"}))])
    table.write(Replace(replace(table.get(key, key) or found, values={"a": "3"})))
    assert values(table, key, key) == {"a": "3"}
    table.write(Delete(table.get(key, key) or found))
    assert table.get(key, key) is None


def test_a_value_is_never_read_as_part_of_a_query(table: Table) -> None:
    table.write(Insert(row()))
    assert table.page("q' or PartitionKey eq 'p") == []
    assert list(table.scan("p", "k' or '1' eq '1")) == []


def test_ensure_may_be_repeated(table: Table) -> None:
    table.write(Insert(row()))
    table.ensure()
    assert values(table) == {"a": "x"}
