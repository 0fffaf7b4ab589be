"""Machines packed into two rows of the index, and read out of them: compressed, within what a row of storage may hold.

A pack has a text to search (see domain/index.py) and blocks of whole records. The text has a row of its own, so that
many are read by one query; each block has a property of its own, so that a reader fetches only those it shows.
"""

import zlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence

import msgspec

from shared.domain.index import MOST_TAG_NAMES, Cursor, Facet, Pack, facet_of, machine_line, scope_line
from shared.domain.machine import Record
from shared.domain.prepared import prepared
from shared.store.table import LARGEST_BINARY, LARGEST_ENTITY, Value

# A block is closed at so many bytes before compression (ours): some 40 machines, compressed about eightfold. One record
# cannot outgrow a property: its parts are strings of at most 64 KiB each in the table `machines`.
BLOCK = 32 * 1024
MOST_BLOCKS = 200  # of 252 properties
# A pack takes nothing more from here on: the block and the text that are still open always find room.
FULL = LARGEST_ENTITY - 3 * LARGEST_BINARY
_TEXT, _STARTS, _BLOCK = "text", "starts", "block"


class Packer:
    """Takes machines in key order until it is full."""

    def __init__(self) -> None:
        self._text = zlib.compressobj()
        self._lines = bytearray()
        self._blocks: list[bytes] = []
        self._starts: list[int] = []
        self._open: list[bytes] = []
        self._open_bytes = 0
        self._first = self._last = Cursor(scope="")
        self._facets: set[Facet] = set()
        self._tags: set[str] = set()
        self._bytes = 0
        self.machines = 0

    @property
    def full(self) -> bool:
        return self._bytes >= FULL or len(self._blocks) >= MOST_BLOCKS

    def add(self, at: Cursor, record: Record) -> None:
        """The next machine. Ask first whether the pack is full."""
        if not self.machines:
            self._first = at
        facet = facet_of(record)
        line = machine_line(at.row, record, facet)
        self._write(line if at.scope == self._last.scope else scope_line(at.scope) + line)
        self._last = at
        self._facets.add(facet)
        self._tags.update(name.lower() for name in record.machine.tags)
        packed = msgspec.msgpack.encode(record)
        self._open.append(packed)
        self._open_bytes += len(packed)
        self.machines += 1
        if self._open_bytes >= BLOCK:
            self._close_block()

    def pack(self, name: str) -> Pack:
        """What the index says of this pack."""
        few = len(self._tags) <= MOST_TAG_NAMES
        return Pack(
            name=name,
            first=self._first,
            last=self._last,
            machines=self.machines,
            facets=tuple(sorted(self._facets)),
            tags=tuple(sorted(self._tags)) if few else None,
        )

    def values(self) -> tuple[dict[str, Value], dict[str, Value]]:
        """The properties of the row to search and of the row of records. Nothing can be added afterwards."""
        if self._open:
            self._close_block()
        self._lines += self._text.flush()
        blocks: dict[str, Value] = {f"{_BLOCK}{number}": block for number, block in enumerate(self._blocks)}
        return {**split(_TEXT, bytes(self._lines)), _STARTS: msgspec.msgpack.encode(self._starts)}, blocks

    def _write(self, text: str) -> None:
        self._lines += self._text.compress(text.encode())

    def _close_block(self) -> None:
        """Flushes the text too, so that its size is known."""
        self._starts.append(self.machines - len(self._open))
        self._blocks.append(zlib.compress(msgspec.msgpack.encode([msgspec.Raw(each) for each in self._open])))
        self._lines += self._text.flush(zlib.Z_SYNC_FLUSH)
        self._open.clear()
        self._open_bytes = 0
        self._bytes = len(self._lines) + sum(map(len, self._blocks))


class Blocks(msgspec.Struct, frozen=True, kw_only=True):
    """Where a pack's records are: the number of the machine with which each block begins."""

    name: str
    starts: list[int]

    def block(self, number: int) -> int:
        """The block that holds this machine's record."""
        return bisect_right(self.starts, number) - 1


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """What is read first of a pack."""

    blocks: Blocks
    text: str


def lines(name: str, values: Mapping[str, Value]) -> Lines:
    """Of the row to search."""
    starts = msgspec.msgpack.decode(_bytes(values, _STARTS), type=list[int])
    return Lines(blocks=Blocks(name=name, starts=starts), text=zlib.decompress(join(_TEXT, values)).decode())


def needed(blocks: Blocks, numbers: Sequence[int]) -> list[str]:
    """The properties that hold these machines' records."""
    return [f"{_BLOCK}{block}" for block in sorted({blocks.block(number) for number in numbers})]


def records(blocks: Blocks, values: Mapping[str, Value], numbers: Sequence[int]) -> list[Record]:
    """The machines with these numbers, of a row of records read with what they need. Raises KeyError without it."""
    opened: dict[int, list[msgspec.Raw]] = {}
    for block in {blocks.block(number) for number in numbers}:
        packed = zlib.decompress(_bytes(values, f"{_BLOCK}{block}"))
        opened[block] = msgspec.msgpack.decode(packed, type=list[msgspec.Raw])
    places = [(block, number - blocks.starts[block]) for number in numbers for block in [blocks.block(number)]]
    return [msgspec.msgpack.decode(opened[block][place], type=prepared(Record)) for block, place in places]


def split(name: str, content: bytes) -> dict[str, Value]:
    """Properties that hold these bytes together, and one that says how many they are."""
    parts = [content[start : start + LARGEST_BINARY] for start in range(0, len(content), LARGEST_BINARY)]
    return {name: len(parts), **{f"{name}{number}": part for number, part in enumerate(parts)}}


def join(name: str, values: Mapping[str, Value]) -> bytes:
    """The bytes that `split` spread. Raises KeyError when a part is missing."""
    return b"".join(_bytes(values, f"{name}{number}") for number in range(int(str(values[name]))))


def _bytes(values: Mapping[str, Value], name: str) -> bytes:
    value = values[name]
    if not isinstance(value, bytes):
        raise TypeError(f"The property '{name}' is not binary.")
    return value
