"""Table `assignments`: partition = subscription, row = `group|machine or scope|name`.

A configuration's runs need its assignments over all subscriptions. For that, partition `of|configuration` names the
subscriptions that ever had one. The name is written before the assignment and never taken away, so it can be too many
and never too few; what counts is the assignment's one row.
"""

from collections.abc import Iterator

import msgspec

from shared.domain.assignment import Assignment, AssignmentId
from shared.domain.maintenance_id import ConfigurationId
from shared.domain.prepared import prepared
from shared.domain.resource_id import MachineId, encode_key
from shared.store.table import Delete, Insert, Merge, Replace, Row, Table


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """An assignment as read, with the ETag that guards the next change."""

    assignment: Assignment
    etag: str


class Assignments:
    """What binds configurations to machines and scopes."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, address: AssignmentId) -> Stored | None:
        row = self._table.get(address.scope, address.row)
        return _stored(row) if row else None

    def of_configuration(self, configuration: ConfigurationId) -> Iterator[Stored]:
        """All that take part in its runs, over all subscriptions."""
        for hint in self._table.scan(_partition(configuration)):
            for row in self._table.scan(hint.key):
                stored = _stored(row)
                if stored.assignment.configuration.key == configuration.key:
                    yield stored

    def in_subscription(self, subscription: str) -> Iterator[Stored]:
        """All: on the subscription itself, on its groups, on their machines."""
        return (_stored(row) for row in self._table.scan(encode_key(subscription)))

    def in_group(self, subscription: str, group: str) -> Iterator[Stored]:
        """On a resource group and on its machines."""
        return self._below(subscription, encode_key(group))

    def on_scope(self, subscription: str, group: str) -> Iterator[Stored]:
        """Dynamic scopes of a resource group; `group` empty: of the subscription itself."""
        return self._below(subscription, f"{encode_key(group)}|scope")

    def on_machine(self, machine: MachineId) -> Iterator[Stored]:
        """A machine's own."""
        return self._below(machine.subscription, f"{encode_key(machine.group)}|{machine.row}")

    def page(self, subscription: str, group: str, first: str, size: int) -> tuple[list[Stored], str]:
        """Up to `size` from a row key on, and the row key of the one after; `group` empty: the whole subscription."""
        prefix = encode_key(group)
        begin, before = (f"{prefix}|", f"{prefix}}}") if group else ("", "")
        rows = self._table.page(encode_key(subscription), max(first, begin), before, size + 1)
        return [_stored(row) for row in rows[:size]], rows[size].key if len(rows) > size else ""

    def save(self, assignment: Assignment, etag: str = "") -> str:
        """Writes it and returns its new ETag; an empty `etag` makes a new one.

        Raises Conflict when it is there already, or is no longer as it was read.
        """
        address, text = assignment.id, msgspec.json.encode(assignment).decode()
        self._table.write(Merge(Row(partition=_partition(assignment.configuration), key=address.scope, values={})))
        row = Row(partition=address.scope, key=address.row, values={"assignment": text}, etag=etag)
        return self._table.write(Replace(row) if etag else Insert(row))

    def delete(self, stored: Stored) -> None:
        """Raises Conflict when it is no longer as it was read."""
        address = stored.assignment.id
        self._table.write(Delete(Row(partition=address.scope, key=address.row, values={}, etag=stored.etag)))

    def _below(self, subscription: str, prefix: str) -> Iterator[Stored]:
        rows = self._table.scan(encode_key(subscription), f"{prefix}|", f"{prefix}}}")
        return (_stored(row) for row in rows)


def _partition(configuration: ConfigurationId) -> str:
    return f"of|{configuration.key}"


def _stored(row: Row) -> Stored:
    text = str(row.values["assignment"])
    return Stored(assignment=msgspec.json.decode(text, type=prepared(Assignment)), etag=row.etag)
