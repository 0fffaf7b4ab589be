"""The twin of Table Storage: the six verbs of shared/store/table.py over dictionaries, its conflicts and limits."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import msgspec
from azure.core.exceptions import ResourceNotFoundError
from msgspec.structs import replace

from shared.store.table import Change, Conflict, Delete, Insert, Merge, Replace, Row, Table, Value, check
from tests.simulation.steps import Hub, Step

Watch = Callable[[str, Row | None, Row | None], None]
"""Told of every committed change: table, row before, row after."""


class Changes(msgspec.Struct, frozen=True):
    """What a write or a transaction is about."""

    all: Sequence[Change]

    def __str__(self) -> str:
        parts = ", ".join(f"{type(change).__name__} {change.row.key}" for change in self.all)
        return f"{self.all[0].row.partition}: {parts}"


class _Key(msgspec.Struct, frozen=True):
    """What a read of one row is about."""

    partition: str
    key: str

    def __str__(self) -> str:
        return f"{self.partition} {self.key}"


class _Stored:
    """One row as it stands; never changed in place."""

    __slots__ = ("etag", "values")

    def __init__(self, values: dict[str, Value], etag: str) -> None:
        self.values = values
        self.etag = etag


_Partition = dict[str, _Stored]
_GUARDED = (Replace, Delete)


class TableAccount:
    """All tables of one simulated storage account."""

    def __init__(self, watch: Watch = lambda table, before, after: None) -> None:
        self._tables: dict[str, dict[str, _Partition]] = {}
        self._etags = 0
        self._watch = watch
        self.changes: Counter[str] = Counter()
        """Changes committed so far, by table."""

    def ensure(self, table: str) -> None:
        self._tables.setdefault(table, {})

    def fill(self, other: "TableAccount") -> None:
        """With all rows of another account."""
        self._etags = other._etags
        for table, partitions in other._tables.items():
            self._tables[table] = {partition: dict(rows) for partition, rows in partitions.items()}

    def partitions(self, table: str) -> dict[str, _Partition]:
        """Raises ResourceNotFoundError `TableNotFound`."""
        if table not in self._tables:
            raise ResourceNotFoundError(f"TableNotFound: {table}")
        return self._tables[table]

    def rows(self, table: str, key: str = "") -> list[Row]:
        """Every row of a table, in all its partitions; those with this row key when given."""
        found = self._tables.get(table, {}).items()
        if key:
            return [self.row(partition, key, rows[key]) for partition, rows in found if key in rows]
        return [self.row(partition, name, stored) for partition, rows in found for name, stored in rows.items()]

    def row(self, partition: str, key: str, stored: _Stored) -> Row:
        return Row(partition=partition, key=key, values=dict(stored.values), etag=stored.etag)

    def commit(self, table: str, changes: Sequence[Change]) -> list[str]:
        """All or none. Returns each row's new ETag. Raises Conflict."""
        partition = self.partitions(table).setdefault(changes[0].row.partition, {})
        for change in changes:
            self._ensure_possible(partition, change)
        self.changes[table] += len(changes)
        return [self._apply(table, partition, change) for change in changes]

    def touch(self, table: str, partition: str, key: str) -> None:
        """Somebody else wrote the same values again: only the ETag is another."""
        stored = self.partitions(table).get(partition, {}).get(key)
        if stored is not None:
            self._tables[table][partition][key] = _Stored(stored.values, self._etag())

    def _ensure_possible(self, partition: _Partition, change: Change) -> None:
        stored, row = partition.get(change.row.key), change.row
        if isinstance(change, Insert) and stored is not None:
            raise Conflict(f"EntityAlreadyExists: {row.key}")
        if isinstance(change, _GUARDED) and (stored is None or (row.etag and stored.etag != row.etag)):
            raise Conflict(f"UpdateConditionNotSatisfied: {row.key}")

    def _apply(self, table: str, partition: _Partition, change: Change) -> str:
        row = change.row
        stored = partition.get(row.key)
        before = self.row(row.partition, row.key, stored) if stored else None
        if isinstance(change, Delete):
            del partition[row.key]
            self._watch(table, before, None)
            return ""
        kept = stored.values if stored and isinstance(change, Merge) else {}
        new = partition[row.key] = _Stored({**kept, **row.values}, self._etag())
        self._watch(table, before, self.row(row.partition, row.key, new))
        return new.etag

    def _etag(self) -> str:
        self._etags += 1
        return f'W/"{self._etags}"'


class TwinTable(Table):
    """One table. Every verb is one I/O step."""

    def __init__(self, account: TableAccount, name: str, hub: Hub) -> None:
        self._account = account
        self._name = name
        self._hub = hub

    def ensure(self) -> None:
        self._account.ensure(self._name)

    def get(self, partition: str, key: str, only: Sequence[str] = ()) -> Row | None:
        found = self._hub.io(Step(self._name, "get", _Key(partition, key)), partial(self._get, partition, key))
        return _chosen(found, only) if found else None

    def page(
        self, partition: str, first: str = "", before: str = "", size: int = 1000, only: Sequence[str] = ()
    ) -> list[Row]:
        step = Step(self._name, "page", partition)
        found = self._hub.io(step, lambda: self._range(partition, first, before)[:size])
        return [_chosen(row, only) for row in found]

    def scan(self, partition: str, first: str = "", before: str = "") -> Iterator[Row]:
        """One page holds all that a simulation has; it is read when the first row is."""
        step = Step(self._name, "scan", partition)
        yield from self._hub.io(step, partial(self._range, partition, first, before))

    def write(self, change: Change) -> str:
        changes = (change,)
        check(changes)
        step = Step(self._name, "write", Changes(changes))
        if isinstance(change, Delete) and not change.row.etag:
            return self._hub.io(step, partial(self._delete_whatever, change))
        return self._hub.io(step, partial(self._account.commit, self._name, changes))[0]

    def transact(self, changes: Sequence[Change]) -> list[str]:
        if not changes:
            return []
        check(changes)
        step = Step(self._name, "transact", Changes(changes))
        return self._hub.io(step, partial(self._account.commit, self._name, changes))

    def _get(self, partition: str, key: str) -> Row | None:
        stored = self._account.partitions(self._name).get(partition, {}).get(key)
        return self._account.row(partition, key, stored) if stored else None

    def _range(self, partition: str, first: str, before: str) -> list[Row]:
        rows = self._account.partitions(self._name).get(partition, {})
        keys = sorted(rows)
        start, end = bisect_left(keys, first), bisect_left(keys, before) if before else len(keys)
        return [self._account.row(partition, key, rows[key]) for key in keys[start:end]]

    def _delete_whatever(self, change: Delete) -> str:
        try:
            return self._account.commit(self._name, [change])[0]
        except Conflict:
            return ""


def _chosen(row: Row, only: Sequence[str]) -> Row:
    return replace(row, values={name: row.values[name] for name in row.values if name in only}) if only else row
