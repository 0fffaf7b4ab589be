"""Table `index`: the fleet packed for reading. One partition a generation; a row names the one that counts.

A generation is written pack by pack under names of its own and becomes visible in the transaction that ends its
rebuild, so a reader sees a whole one or the one before.
"""

import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

import msgspec

from shared.domain.index import Build, Head, Pack, Shown, finish
from shared.domain.machine import Record
from shared.domain.prepared import prepared
from shared.store.packs import Blocks, Lines, Packer, join, lines, needed, records, split
from shared.store.table import LARGEST_BATCH, READS_AT_ONCE, Delete, Insert, Merge, Replace, Row, Table, Value

_FLEET, _HEAD, _BUILD = "fleet", "head", "build"
_VALUE, _ASKED, _CONFIRMED, _NOBODY = "value", "asked", "confirmed", ""
_TEXT, _RECORDS = "text|", "records|"


class Gone(Exception):
    """The generation was replaced and removed while it was read: read the head again."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A rebuild as it was read."""

    build: Build
    etag: str


class Index:
    """The index that counts, the one that is being built, and their packs."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def shown(self) -> Shown:
        """One point read."""
        row = self._table.get(_FLEET, _HEAD)
        values = row.values if row else {}
        asked = values.get(_ASKED)
        head = _unpacked(values, Head) if _VALUE in values else None
        return Shown(
            head=head,
            asked=datetime.fromisoformat(str(asked)) if asked else None,
            confirmed=_confirmed(head, str(values.get(_CONFIRMED, ""))) if head else None,
        )

    def ask(self, now: datetime) -> None:
        """Remember that a reader asked for a newer index."""
        self._table.write(Merge(Row(partition=_FLEET, key=_HEAD, values={_ASKED: now.isoformat()})))

    def confirm(self, head: Head, began: datetime) -> None:
        """Remember that all rows were read since `began`, and were as this index has them."""
        confirmed = f"{head.as_of.isoformat()}|{began.isoformat()}"
        self._table.write(Merge(Row(partition=_FLEET, key=_HEAD, values={_CONFIRMED: confirmed})))

    def lines(self, generation: int, packs: Sequence[Pack]) -> list[Lines]:
        """The texts of these packs, which follow one another. One call. Raises Gone."""
        wanted = {f"{_TEXT}{pack.name}": pack.name for pack in packs}
        rows = self._table.page(_partition(generation), f"{_TEXT}{packs[0].name}", size=len(packs))
        found = [lines(wanted[row.key], row.values) for row in rows if row.key in wanted]
        if not found or found[0].blocks.name != packs[0].name:
            raise Gone(packs[0].name)
        return found

    def records(self, generation: int, of: Blocks, numbers: Sequence[int]) -> list[Record]:
        """The machines with these numbers in a pack. One call, which reads their blocks only. Raises Gone."""
        row = self._table.get(_partition(generation), f"{_RECORDS}{of.name}", only=needed(of, numbers))
        if row is None:
            raise Gone(of.name)
        return records(of, row.values, numbers)

    def records_of(self, generation: int, packs: Sequence[tuple[Blocks, Sequence[int]]]) -> list[Record]:
        """The machines with these numbers in several packs, in their order. One call a pack, several at once.

        Raises Gone.
        """
        if len(packs) < 2:
            return [record for pack in packs for record in self.records(generation, *pack)]
        with ThreadPoolExecutor(min(len(packs), READS_AT_ONCE), "index") as readers:
            found = list(readers.map(lambda pack: self.records(generation, *pack), packs))
        return [record for records in found for record in records]

    def building(self) -> Held | None:
        """The last rebuild, ended or not."""
        row = self._table.get(_FLEET, _BUILD)
        return Held(build=_unpacked(row.values, Build), etag=row.etag) if row else None

    def add(self, generation: int, name: str, packer: Packer) -> None:
        """A pack under a new name. Not seen before the generation is."""
        rows = zip((f"{_TEXT}{name}", f"{_RECORDS}{name}"), packer.values(), strict=True)
        made = [Row(partition=_partition(generation), key=key, values=values) for key, values in rows]
        self._table.transact([Insert(row) for row in made])

    def save(self, held: Held | None, build: Build) -> None:
        """The rebuild as it is now; one that has ended is what readers see from then on. Raises Conflict."""
        row = Row(partition=_FLEET, key=_BUILD, values=_packed(build), etag=held.etag if held else "")
        change = Replace(row) if held else Insert(row)
        if build.ended is None or (held and held.build.ended):
            self._table.write(change)
            return
        shown = {**_packed(finish(build)), _ASKED: _NOBODY}
        self._table.transact([change, Merge(Row(partition=_FLEET, key=_HEAD, values=shown))])

    def forget(self, generation: int) -> None:
        """Remove a generation's packs."""
        partition = _partition(generation)
        while rows := self._table.page(partition, size=LARGEST_BATCH, only=(_VALUE,)):
            self._table.transact([Delete(Row(partition=partition, key=row.key, values={})) for row in rows])


def _partition(generation: int) -> str:
    return f"generation|{generation}"


def _confirmed(head: Head, confirmed: str) -> datetime | None:
    """What was confirmed of another index says nothing of this one. Numbers come again, should their row be lost."""
    of, _, began = confirmed.partition("|")
    return datetime.fromisoformat(began) if of == head.as_of.isoformat() else None


def _packed(value: msgspec.Struct) -> dict[str, Value]:
    return split(_VALUE, zlib.compress(msgspec.msgpack.encode(value)))


_Kind = TypeVar("_Kind", Build, Head)


def _unpacked(values: Mapping[str, Value], kind: type[_Kind]) -> _Kind:
    return msgspec.msgpack.decode(zlib.decompress(join(_VALUE, values)), type=prepared(kind))
