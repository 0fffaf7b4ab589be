"""Table `configurations`: partition = subscription, row = `group|name`: a group is one range, as a subscription is.

Partition `|scopes` names the subscriptions: written before a configuration, never taken away. Partition `|native` names
what an import found in Azure: it stays when the configuration is deleted here.
"""

from collections.abc import Iterator

import msgspec

from shared.domain.configuration import Configuration
from shared.domain.maintenance_id import ConfigurationId
from shared.domain.prepared import prepared
from shared.domain.resource_id import encode_key
from shared.store.table import Delete, Insert, Merge, Replace, Row, Table

_SCOPES, _NATIVE = "|scopes", "|native"  # no key that is made from a name begins so


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration as read, with the ETag that guards the next change."""

    configuration: Configuration
    etag: str


class Configurations:
    """Every maintenance configuration."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, address: ConfigurationId) -> Stored | None:
        row = self._table.get(address.scope, address.row)
        return _stored(row) if row else None

    def in_subscription(self, subscription: str) -> Iterator[Stored]:
        """By resource group and name."""
        return (_stored(row) for row in self._table.scan(encode_key(subscription)))

    def in_group(self, subscription: str, group: str) -> Iterator[Stored]:
        """By name."""
        prefix = encode_key(group)
        rows = self._table.scan(encode_key(subscription), f"{prefix}|", f"{prefix}}}")
        return (_stored(row) for row in rows)

    def page(self, subscription: str, group: str, first: str, size: int) -> tuple[list[Stored], str]:
        """Up to `size` from a row key on, and the row key of the one after; `group` empty: the whole subscription."""
        prefix = encode_key(group)
        begin, before = (f"{prefix}|", f"{prefix}}}") if group else ("", "")
        rows = self._table.page(encode_key(subscription), max(first, begin), before, size + 1)
        return [_stored(row) for row in rows[:size]], rows[size].key if len(rows) > size else ""

    def save(self, configuration: Configuration, etag: str = "") -> str:
        """Writes it and returns its new ETag; an empty `etag` makes a new one.

        Raises Conflict when it is there already, or is no longer as it was read.
        """
        address, text = configuration.id, msgspec.json.encode(configuration).decode()
        self._table.write(Merge(Row(partition=_SCOPES, key=address.scope, values={})))
        row = Row(partition=address.scope, key=address.row, values={"configuration": text}, etag=etag)
        return self._table.write(Replace(row) if etag else Insert(row))

    def all(self) -> Iterator[Stored]:
        """Of every subscription that ever had one."""
        for scope in self._table.scan(_SCOPES):
            yield from (_stored(row) for row in self._table.scan(scope.key))

    def note_native(self, address: ConfigurationId) -> None:
        """Azure has a configuration of this id itself."""
        self._table.write(Merge(Row(partition=_NATIVE, key=address.key, values={})))

    def is_native(self, address: ConfigurationId) -> bool:
        """Whether an import found one of this id in Azure."""
        return self._table.get(_NATIVE, address.key) is not None

    def delete(self, stored: Stored) -> None:
        """Raises Conflict when it is no longer as it was read."""
        address = stored.configuration.id
        self._table.write(Delete(Row(partition=address.scope, key=address.row, values={}, etag=stored.etag)))


def _stored(row: Row) -> Stored:
    text = str(row.values["configuration"])
    return Stored(configuration=msgspec.json.decode(text, type=prepared(Configuration)), etag=row.etag)
