"""Table `agenda`: partition = shard, row = due instant + what to look after. What stands here cannot be forgotten."""

import logging
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from shared.domain.agenda import Item
from shared.domain.logline import logline
from shared.domain.prepared import prepared
from shared.domain.resource_id import encode_key
from shared.store.table import Conflict, Delete, Insert, Merge, Row, Table

# Partitions the agenda is spread over; one handles 2,000 entities a second. Source: Table Storage scalability targets.
SHARDS = 4
log = logging.getLogger(__name__)
_AFTER = "}"  # the character after "|": behind every key of an instant


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One item as read, with the row it stands in."""

    item: Item
    row: Row


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """What is due first of each shard, whether there may be `more`, and when the oldest of it was, or will be, due.

    `unreadable`: how many lines of it are left out, as this version cannot read them.
    """

    items: list[Item]
    more: bool
    oldest: datetime | None
    unreadable: int = 0


class Agenda:
    """What has to be looked after, in order of time.

    A line that cannot be read, as one of a newer version, keeps no other: it stays where it is, and the log tells.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, item: Item, due: datetime) -> None:
        """Write the item down. Adding it twice at one instant is one item."""
        try:
            self._table.write(Insert(_row(item, due)))
        except Conflict:
            return

    def add_all(self, items: Sequence[Item], due: datetime) -> None:
        """Items that come and go together, at most a hundred: one transaction. Adding them twice changes nothing."""
        self._table.transact([Merge(_row(item, due, items[0].id)) for item in items])

    def strike(self, items: Sequence[Item], due: datetime, first: str) -> None:
        """Some of those that were added together, `first` being the first one's id, are closed.

        Quietly nothing when one of them does not stand there any more: whoever tends the agenda strikes out the others.
        """
        try:
            self._table.transact([Delete(_row(item, due, first)) for item in items])
        except Conflict:
            return

    def due(self, now: datetime, first: int = 0) -> Iterator[Entry]:
        """Everything due at this instant, to the millisecond, from shard `first` on; oldest first in each shard."""
        before = _instant(now) + _AFTER
        for shard in ((first + number) % SHARDS for number in range(SHARDS)):
            for row in self._table.scan(str(shard), before=before):
                if item := _item(row):
                    yield Entry(item=item, row=row)

    def first(self, size: int) -> Beginning:
        """Up to `size` items of each shard, those that are due first."""
        pages = [self._table.page(str(shard), size=size) for shard in range(SHARDS)]
        read = [_item(row) for page in pages for row in page]
        items = [item for item in read if item]
        more = any(len(page) == size for page in pages)
        return Beginning(items=items, more=more, oldest=_oldest(pages), unreadable=len(read) - len(items))

    def items(self) -> Iterator[Item]:
        """Everything that is looked after: whatever is in flight stands here."""
        for shard in range(SHARDS):
            for row in self._table.scan(str(shard)):
                if item := _item(row):
                    yield item

    def postpone(self, entry: Entry, due: datetime) -> bool:
        """Move an item to a later instant in one transaction; False when another instance was quicker."""
        later = msgspec.structs.replace(_row(entry.item, due), partition=entry.row.partition)
        if later.key == entry.row.key:
            return True
        try:
            self._table.transact([Delete(entry.row), Insert(later)])
        except Conflict:
            return False
        return True

    def remove(self, entry: Entry) -> None:
        """The item is closed. Quietly nothing when another instance removed it."""
        try:
            self._table.write(Delete(entry.row))
        except Conflict:
            return

    def oldest(self) -> datetime | None:
        """When the oldest item was, or will be, due."""
        return _oldest([self._table.page(str(shard), size=1) for shard in range(SHARDS)])


def _oldest(pages: Sequence[Sequence[Row]]) -> datetime | None:
    first = [page[0].key for page in pages if page]
    return datetime.fromisoformat(min(first).partition("|")[0]) if first else None


def _item(row: Row) -> Item | None:
    """None when this version cannot read it."""
    try:
        return msgspec.json.decode(str(row.values.get("item", "")), type=prepared(Item))
    except msgspec.MsgspecError as error:
        log.warning(logline("agenda line not read", shard=row.partition, line=row.key, detail=error))
        return None


def _row(item: Item, due: datetime, first: str = "") -> Row:
    """`first`: the id by which items that come and go together share a shard."""
    shard = zlib.crc32(f"{item.kind}|{first or item.id}".encode()) % SHARDS
    key = f"{_instant(due)}|{item.kind}|{encode_key(item.machine)}|{encode_key(item.id)}"
    return Row(partition=str(shard), key=key, values={"item": msgspec.json.encode(item).decode()})


def _instant(time: datetime) -> str:
    """Sorts as text in order of time: fixed width, UTC."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds")
