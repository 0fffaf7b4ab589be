"""Table Storage in six verbs; the only importer of azure.data.tables.

The SDK is imported inside `Table`: it costs a tenth of a second that no cold start should pay before its first row.
What Azure enforces and the local emulator does not (key characters, sizes, batch limits) is enforced here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from shared.store.connections import transport

if TYPE_CHECKING:
    from azure.data.tables import TableClient, TableEntity, TableServiceClient

# Limits of Table Storage. Source: "Understanding the Table service data model", "Performing entity group transactions".
LARGEST_BATCH = 100  # entities of one partition
LARGEST_TRANSACTION = 4 * 1024 * 1024  # bytes
LARGEST_KEY = 512  # characters of either key (1 KiB of UTF-16)
LARGEST_PROPERTY = 32 * 1024  # characters of one string property (64 KiB of UTF-16)
LARGEST_BINARY = 64 * 1024  # bytes of one binary property
LARGEST_ENTITY = 1024 * 1024  # bytes
MOST_PROPERTIES = 252
# Rows that one reader reads at the same time (ours): a few such readers have connections that stay open
# (connections.py).
READS_AT_ONCE = 8
_OTHER_SIZE = 16  # bytes of a number or a time, at most
_FORBIDDEN = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f]")

Value = str | bytes | int | float | bool | datetime


class Conflict(Exception):
    """The row is there already, or has changed since it was read: read again and decide anew."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One entity: its two keys, its other properties, and the ETag it was read with."""

    partition: str
    key: str
    values: dict[str, Value]
    etag: str = ""


class Insert(msgspec.Struct, frozen=True):
    """Fails with Conflict when the row is there."""

    row: Row


class Merge(msgspec.Struct, frozen=True):
    """Sets the given properties, whatever else the row holds; makes the row when it is not there."""

    row: Row


class Replace(msgspec.Struct, frozen=True):
    """Replaces the whole row; Conflict unless it still has the ETag it was read with."""

    row: Row


class Delete(msgspec.Struct, frozen=True):
    """Removes the row; Conflict unless it still has its ETag.

    An empty ETag: whatever it holds; outside a transaction also when it is not there.
    """

    row: Row


Change = Insert | Merge | Replace | Delete


class Table:
    """One table. Every query names its partition, so none can become a scan."""

    def __init__(self, service: TableServiceClient, name: str) -> None:
        self._service = service
        self._client: TableClient = service.get_table_client(name)
        self._name = name

    def ensure(self) -> None:
        """Makes the table when it is not there."""
        self._service.create_table_if_not_exists(self._name)

    def get(self, partition: str, key: str, only: Sequence[str] = ()) -> Row | None:
        """The row, or None; of its properties those that `only` names, or all.

        Of keys that no row can have there is none: Azure would refuse the question.
        """
        from azure.core.exceptions import ResourceNotFoundError

        if not (_is_key(partition) and _is_key(key)):
            return None
        try:
            return _row(self._client.get_entity(partition, key, **_select(only)))
        except ResourceNotFoundError as error:
            if _is_table_missing(error):
                raise
            return None

    def page(
        self, partition: str, first: str = "", before: str = "", size: int = 1000, only: Sequence[str] = ()
    ) -> list[Row]:
        """Up to `size` rows of a partition in key order, keys from `first` up to but not including `before`."""
        query = "PartitionKey eq @p and RowKey ge @f" + (" and RowKey lt @b" if before else "")
        entities = self._client.query_entities(
            query,
            parameters={"p": partition, "f": first, "b": before},
            results_per_page=min(size, 1000),
            **_select(only),
        )
        rows = []
        for entity in entities:
            rows.append(_row(entity))
            if len(rows) == size:
                break
        return rows

    def scan(self, partition: str, first: str = "", before: str = "") -> Iterator[Row]:
        """All rows of a partition in key order, read as they are needed."""
        query = "PartitionKey eq @p and RowKey ge @f" + (" and RowKey lt @b" if before else "")
        for entity in self._client.query_entities(query, parameters={"p": partition, "f": first, "b": before}):
            yield _row(entity)

    def write(self, change: Change) -> str:
        """One change; returns the new ETag (empty after a deletion). Raises Conflict."""
        if isinstance(change, Delete) and change.row.etag:
            self.transact([change])  # alone, the SDK hides that the row is gone
            return ""
        check([change])
        return self._write(change)

    def transact(self, changes: Sequence[Change]) -> list[str]:
        """All changes or none; they share one partition. Returns each row's new ETag (empty after a deletion).

        Raises Conflict when any of them does.
        """
        from azure.core.exceptions import HttpResponseError
        from azure.data.tables import TableTransactionError

        if not changes:
            return []
        if len(changes) == 1 and not isinstance(changes[0], Delete):
            return [self.write(changes[0])]  # the same, without a batch, which costs the SDK three times as much
        check(changes)
        try:
            answers = self._client.submit_transaction([_operation(change) for change in changes])
        except TableTransactionError as error:
            raise _translated(error) from error
        except HttpResponseError as error:
            raise _translated(error) from error
        return [str(answer.get("etag", "")) for answer in answers]

    def _write(self, change: Change) -> str:
        from azure.core import MatchConditions
        from azure.core.exceptions import HttpResponseError
        from azure.data.tables import UpdateMode

        row, match = change.row, MatchConditions.IfNotModified
        try:
            match change:
                case Insert():
                    answer = self._client.create_entity(_entity(row))
                case Merge():
                    answer = self._client.upsert_entity(_entity(row), mode=UpdateMode.MERGE)
                case Replace():
                    answer = self._client.update_entity(
                        _entity(row), mode=UpdateMode.REPLACE, etag=row.etag, match_condition=match
                    )
                case Delete():
                    self._client.delete_entity(row.partition, row.key)
                    return ""
        except HttpResponseError as error:
            raise _translated(error) from error
        return str(answer["etag"])


def open_tables(connection: str) -> TableServiceClient:
    """The account's tables, by connection string."""
    from azure.data.tables import TableServiceClient

    return TableServiceClient.from_connection_string(connection, transport=transport())


def check(changes: Sequence[Change]) -> None:
    """Raises ValueError for what Azure would refuse, or take as something else: bad keys, too large, too many, several
    partitions, a row twice, a Replace that names no ETag."""
    rows = [change.row for change in changes]
    if len(rows) > 1:
        _check_together(rows)
    for change in changes:
        if isinstance(change, Replace) and not change.row.etag:
            raise ValueError("A Replace needs the ETag that its row was read with.")
    if sum(map(_checked_size, rows)) > LARGEST_TRANSACTION:
        raise ValueError("A transaction takes at most 4 MiB.")


def _check_together(rows: Sequence[Row]) -> None:
    if len(rows) > LARGEST_BATCH or len({row.partition for row in rows}) > 1:
        raise ValueError(f"A transaction takes at most {LARGEST_BATCH} rows of one partition.")
    if len({row.key for row in rows}) < len(rows):
        raise ValueError("A transaction names each row at most once.")


def _checked_size(row: Row) -> int:
    """Bytes of the row, as Azure counts them. Raises ValueError when it is not a legal one."""
    if not (_is_key(row.partition) and _is_key(row.key) and row.key):
        raise ValueError(f"Table Storage forbids the key '{row.partition[:LARGEST_KEY]}' / '{row.key[:LARGEST_KEY]}'.")
    sizes = [_value_size(value) for value in row.values.values()]
    if len(sizes) > MOST_PROPERTIES or max(sizes, default=0) > LARGEST_BINARY:
        raise ValueError(f"The row '{row.key}' has too many properties or one that is too long.")
    whole = _size("".join((row.partition, row.key, *row.values))) + sum(sizes)
    if whole > LARGEST_ENTITY:
        raise ValueError(f"The row '{row.key}' is larger than 1 MiB.")
    return whole


def _is_key(text: str) -> bool:
    return len(text) <= LARGEST_KEY and not _FORBIDDEN.search(text) and _size(text) <= 2 * LARGEST_KEY


def _value_size(value: Value) -> int:
    if isinstance(value, str):
        return _size(value)
    return len(value) if isinstance(value, bytes) else _OTHER_SIZE


def _size(text: str) -> int:
    """Bytes in UTF-16, which storage counts in."""
    return 2 * len(text) if text.isascii() else len(text.encode("utf-16-le"))


def _entity(row: Row) -> dict[str, Any]:
    return {"PartitionKey": row.partition, "RowKey": row.key, **row.values}


def _plain(value: Value) -> Value:
    """The SDK's own kind of datetime stays in here: msgspec, rightly, writes no type it does not know."""
    return datetime.fromisoformat(value.isoformat()) if isinstance(value, datetime) else value


def _select(only: Sequence[str]) -> dict[str, Any]:
    return {"select": ["PartitionKey", "RowKey", *only]} if only else {}


def _row(entity: TableEntity) -> Row:
    """Without the empty places that storage sends for chosen properties which the row does not have."""
    named = ((name, value) for name, value in entity.items() if name not in ("PartitionKey", "RowKey"))
    values = {name: _plain(value) for name, value in named if value is not None}
    etag = str(entity.metadata["etag"])
    return Row(partition=entity["PartitionKey"], key=entity["RowKey"], values=values, etag=etag)


def _operation(change: Change) -> tuple[Any, ...]:
    from azure.core import MatchConditions

    row = change.row
    conditions = {"etag": row.etag, "match_condition": MatchConditions.IfNotModified} if row.etag else {}
    match change:
        case Insert():
            return ("create", _entity(row))
        case Merge():
            return ("upsert", _entity(row), {"mode": "merge"})
        case Replace():
            return ("update", _entity(row), {"mode": "replace", **conditions})
        case Delete():
            return ("delete", _entity(row), conditions)


def _translated(error: Exception) -> Exception:
    """Conflict for 409 and 412, and for the 404 of a replace or delete whose row is gone; else the error itself."""
    status = getattr(error, "status_code", None)
    conflicts = status in (404, 409, 412) and not _is_table_missing(error)
    return Conflict(str(error).splitlines()[0]) if conflicts else error


def _is_table_missing(error: Exception) -> bool:
    """By Azure's error code in the text: not every error of the SDK carries it as a property."""
    return "TableNotFound" in str(error)
