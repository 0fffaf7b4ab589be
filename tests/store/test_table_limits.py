"""What Azure would refuse is refused before it is sent; a missing table is an error and never an empty answer."""

import pytest
from azure.core.exceptions import HttpResponseError
from azure.data.tables import TableServiceClient

from shared.store.table import (
    LARGEST_BATCH,
    LARGEST_BINARY,
    LARGEST_ENTITY,
    LARGEST_PROPERTY,
    MOST_PROPERTIES,
    Change,
    Conflict,
    Delete,
    Insert,
    Merge,
    Replace,
    Row,
    Table,
    check,
)
from tests.store.wire import Wire

LONGEST_KEY = 512
"""Characters: 1 KiB of UTF-16. This and the others: "Understanding the Table service data model"."""

FORBIDDEN = ["/", "\\", "#", "?", "\t", "\n", "\r", "\x00", "\x1f", "\x7f", "\x80", "\x9f"]


def row(key: str = "k", partition: str = "p", **values: str) -> Row:
    return Row(partition=partition, key=key, values={**values})


@pytest.fixture
def nowhere(tables: TableServiceClient) -> Table:
    """A table that was never made, or was removed under us."""
    return Table(tables, "missing")


@pytest.mark.parametrize("character", FORBIDDEN)
@pytest.mark.parametrize("change", [Insert, Merge, Delete])
def test_forbidden_characters(table: Table, character: str, change: type[Insert | Merge | Delete]) -> None:
    for bad in (row(f"a{character}b"), row(partition=f"a{character}b")):
        with pytest.raises(ValueError, match="forbids the key"):
            table.write(change(bad))
        with pytest.raises(ValueError, match="forbids the key"):
            table.transact([Insert(row("good", bad.partition)), change(bad)])
    assert table.page("p") == []


def test_long_keys(table: Table) -> None:
    longest = "k" * LONGEST_KEY
    table.write(Insert(row(longest, longest)))
    assert [each.key for each in table.scan(longest)] == [longest]
    for bad in (row(f"{longest}k"), row(partition=f"{longest}k"), row("😀" * (LONGEST_KEY // 2 + 1)), row("")):
        with pytest.raises(ValueError, match="key"):
            check([Insert(bad)])


def test_a_long_property(table: Table) -> None:
    """Counted as storage counts, in UTF-16: a character outside the basic plane is two."""
    for longest in ("x" * LARGEST_PROPERTY, "日" * LARGEST_PROPERTY, "😀" * (LARGEST_PROPERTY // 2)):
        table.write(Merge(row(a=longest)))
        found = table.get("p", "k")
        assert found is not None
        assert found.values["a"] == longest
        with pytest.raises(ValueError, match="too long"):
            table.write(Merge(row(a=f"{longest}x")))


def test_a_long_binary_property(table: Table) -> None:
    longest = bytes(LARGEST_BINARY)
    table.write(Merge(Row(partition="p", key="k", values={"a": longest})))
    found = table.get("p", "k")
    assert found is not None
    assert found.values["a"] == longest
    with pytest.raises(ValueError, match="too long"):
        table.write(Merge(Row(partition="p", key="k", values={"a": longest + b"x"})))
    parts = {f"p{number}": longest for number in range(16)}
    with pytest.raises(ValueError, match="1 MiB"):
        check([Insert(Row(partition="p", key="k", values={**parts}))])


def test_many_properties(table: Table) -> None:
    most = {f"p{number}": "x" for number in range(MOST_PROPERTIES)}
    table.write(Insert(row(**most)))
    with pytest.raises(ValueError, match="too many"):
        table.write(Merge(row(**most, more="x")))


def test_a_large_row() -> None:
    """1 MiB with keys, names and values: 15 properties of 64 KiB fit, 16 leave no room for their names."""
    whole = {f"p{number}": "x" * LARGEST_PROPERTY for number in range(15)}
    check([Insert(row(**whole))])
    assert 16 * 2 * LARGEST_PROPERTY == LARGEST_ENTITY
    with pytest.raises(ValueError, match="1 MiB"):
        check([Insert(row(**whole, p15="x" * LARGEST_PROPERTY))])


def test_a_transaction_has_at_most_a_hundred_rows_of_one_partition(table: Table) -> None:
    many: list[Change] = [Insert(row(f"{number}")) for number in range(LARGEST_BATCH + 1)]
    with pytest.raises(ValueError, match="100 rows of one partition"):
        table.transact(many)
    with pytest.raises(ValueError, match="100 rows of one partition"):
        table.transact([Insert(row("a")), Insert(row("a", "q"))])
    assert table.page("p") == []


@pytest.mark.parametrize("second", [Insert, Merge, Delete])
def test_a_transaction_names_a_row_once(table: Table, second: type[Insert | Merge | Delete]) -> None:
    with pytest.raises(ValueError, match="once"):
        table.transact([Merge(row("a")), second(row("a"))])
    assert table.page("p") == []


def test_a_transaction_has_at_most_four_mebibytes() -> None:
    """Source: "Performing entity group transactions"."""
    large = {f"p{number}": "x" * LARGEST_PROPERTY for number in range(15)}
    check([Insert(row(f"{number}", **large)) for number in range(4)])
    with pytest.raises(ValueError, match="4 MiB"):
        check([Insert(row(f"{number}", **large)) for number in range(10)])


@pytest.mark.parametrize(
    "change", [Insert(row(a="1")), Merge(row(a="1")), Replace(Row(partition="p", key="k", values={}, etag='W/"1"'))]
)
def test_a_missing_table_is_no_conflict(nowhere: Table, change: Change) -> None:
    """A conflict is tried again for ever; this has to be seen."""
    with pytest.raises(HttpResponseError):
        nowhere.write(change)
    with pytest.raises(HttpResponseError):
        nowhere.transact([change])


def test_a_missing_table_is_no_empty_table(nowhere: Table) -> None:
    with pytest.raises(HttpResponseError):
        nowhere.get("p", "k")
    with pytest.raises(HttpResponseError):
        nowhere.page("p")
    with pytest.raises(HttpResponseError):
        list(nowhere.scan("p"))


def test_a_conflict_says_what_azure_said(table: Table) -> None:
    table.write(Insert(row()))
    with pytest.raises(Conflict, match=r"\w+"):
        table.write(Insert(row()))


@pytest.mark.parametrize("key", ["x" * 513, "日" * 513, "a/b", "a\\b", "a#b", "a?b", "a\x00b", "a\x85b"])
def test_of_keys_that_no_row_can_have_there_is_no_row(watched_table: Table, wire: Wire, key: str) -> None:
    """Azure answers such a question with 400; it is not asked."""
    wire.seen.clear()
    assert watched_table.get(key, "k") is None
    assert watched_table.get("p", key) is None
    assert wire.seen == []
