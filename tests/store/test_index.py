"""Packs and generations: what is written is read back whole, within the limits of a row, and switched in one step."""

import zlib
from collections.abc import Callable
from datetime import timedelta
from random import Random

import msgspec
import pytest
from msgspec.structs import replace

from shared.domain.fleet import Summary
from shared.domain.index import MOST_TAG_NAMES, Build, Cursor, Filter, Head, Shown, begin, facet_of, find
from shared.domain.machine import Machine, Record
from shared.domain.resource_id import parse_machine_id
from shared.store.index import Gone, Held, Index
from shared.store.packs import BLOCK, Packer, join, needed, split
from shared.store.table import LARGEST_BATCH, Conflict, Insert, Merge, Row, Table, check
from tests.benchmarks.large import fleet
from tests.domain.samples import NOW, VM, assessment, machine, minutes, record
from tests.store.wire import Wire

GENERATION, NAME = 7, "000000|x"


@pytest.fixture
def index(table: Table) -> Index:
    return Index(table)


def at(of: Record) -> Cursor:
    return Cursor(scope=of.machine.address.scope, row=of.machine.address.row)


def some(count: int) -> list[Record]:
    """Machines of a large fleet, in key order."""
    records = [each for _, group in fleet(count) for each in group]
    return sorted(records, key=lambda each: at(each).order)


def packed(records: list[Record]) -> Packer:
    packer = Packer()
    for each in records:
        packer.add(at(each), each)
    return packer


def strange(number: int) -> Record:
    """Fifty tags of noise from all over Unicode: nothing compresses less."""
    random = Random(number)

    def noise(length: int) -> str:
        return "".join(chr(random.randrange(0x4E00, 0x9FFF)) for _ in range(length))

    of: Machine = machine(VM.replace("vm1", f"vm{number:05}"))
    return record(replace(of, tags={noise(100): noise(200) for _ in range(50)}), assessment=assessment())


def ended(build: Build) -> Build:
    return replace(build, next=None, ended=build.started + minutes(1), summary=Summary(at=build.started, machines=3))


def held(index: Index) -> Held:
    found = index.building()
    assert found is not None
    return found


def shown(index: Index) -> Head:
    head = index.shown().head
    assert head is not None
    return head


def test_what_is_packed_is_read_back(index: Index) -> None:
    records = some(900)
    packer = packed(records)
    pack = packer.pack(NAME)
    assert (pack.first, pack.last, pack.machines) == (at(records[0]), at(records[-1]), 900)
    index.add(GENERATION, NAME, packer)
    (lines,) = index.lines(GENERATION, [pack])
    hits = list(find(lines.text, Filter(), None))
    assert [hit.at for hit in hits] == [at(each) for each in records]
    assert index.records(GENERATION, lines.blocks, [hit.number for hit in hits]) == records
    assert index.records(GENERATION, lines.blocks, [899, 0, 451]) == [records[899], records[0], records[451]]
    assert len(needed(lines.blocks, range(900))) > 10


def test_a_pack_tells_what_is_in_it() -> None:
    """Each kind, system and status that a machine has together; names of tags, unless they are too many."""
    records = some(900)
    pack = packed(records).pack(NAME)
    assert pack.facets == tuple(sorted({facet_of(each) for each in records}))
    assert pack.tags == ("application", "asset", "env", "owner")
    many = replace(records[0].machine, tags={f"Tag{number}": "" for number in range(MOST_TAG_NAMES + 1)})
    assert packed([record(many)]).pack(NAME).tags is None


def test_machines_of_several_packs_are_read_together(index: Index) -> None:
    """In the order in which they are asked for, a call a pack; one that is gone is told."""
    records = some(90)
    wanted = []
    for start in range(0, 90, 10):
        packer = packed(records[start : start + 10])
        index.add(GENERATION, f"{start:06}", packer)
        (lines,) = index.lines(GENERATION, [packer.pack(f"{start:06}")])
        wanted.append((lines.blocks, [9, 0, 5]))
    expected = [records[start + number] for start in range(0, 90, 10) for number in (9, 0, 5)]
    assert index.records_of(GENERATION, wanted) == expected
    assert index.records_of(GENERATION, wanted[:1]) == expected[:3]
    assert index.records_of(GENERATION, []) == []
    with pytest.raises(Gone):
        index.records_of(GENERATION + 1, wanted)


def test_only_the_blocks_that_are_shown_are_fetched(watched_table: Table, wire: Wire) -> None:
    index, records = Index(watched_table), some(900)
    packer = packed(records)
    pack = packer.pack(NAME)
    index.add(GENERATION, NAME, packer)
    wire.seen.clear()
    (lines,) = index.lines(GENERATION, [pack])
    index.records(GENERATION, lines.blocks, [0, 1, 899])
    query, point = wire.seen
    last = lines.blocks.block(899)
    assert "RowKey ge 'text|" in query.query["$filter"]
    assert point.query["$select"] == f"PartitionKey,RowKey,block0,block{last}"
    assert last > 10


def plain(number: int) -> Record:
    """As little as a machine can be: the number of blocks is what ends a pack of these."""
    return record(machine(VM.replace("vm1", f"vm{number:05}")))


@pytest.mark.parametrize(("make", "least"), [(strange, 10), (plain, 10_000)])
def test_a_full_pack_is_a_row_that_storage_takes(make: Callable[[int], Record], least: int, index: Index) -> None:
    packer, records = Packer(), list[Record]()
    while not packer.full:
        records.append(make(len(records)))
        packer.add(at(records[-1]), records[-1])
    assert packer.machines == len(records) > least
    index.add(GENERATION, NAME, packer)
    (lines,) = index.lines(GENERATION, [packer.pack(NAME)])
    assert index.records(GENERATION, lines.blocks, [0, len(records) - 1]) == [records[0], records[-1]]


def test_ordinary_machines_fill_a_pack_by_thousands() -> None:
    """Else a fleet of 100,000 would be too many rows to read."""
    packer = Packer()
    for each in some(4000):
        assert not packer.full
        packer.add(at(each), each)
    check(
        [Insert(Row(partition="p", key=key, values=values)) for key, values in zip("kl", packer.values(), strict=True)]
    )
    assert BLOCK < 64 * 1024


def test_packs_are_read_together_by_name(index: Index) -> None:
    """What a step that lost left beside them is not read."""
    records = some(90)
    packs = []
    for number, name in enumerate(("000000|b", "000001|a", "000002|a")):
        packer = packed(records[number * 30 : number * 30 + 30])
        packs.append(packer.pack(name))
        index.add(GENERATION, name, packer)
    index.add(GENERATION, "000001|lost", packed(records))
    assert [each.blocks.name for each in index.lines(GENERATION, packs[:2])] == ["000000|b", "000001|a"]
    assert [each.blocks.name for each in index.lines(GENERATION, packs[1:])] == ["000001|a"]
    assert [each.blocks.name for each in index.lines(GENERATION, packs[2:])] == ["000002|a"]


def test_nothing_is_shown_before_the_first_rebuild_has_ended(index: Index) -> None:
    assert index.shown() == Shown(head=None, asked=None)
    assert index.building() is None
    index.ask(NOW)
    assert index.shown() == Shown(head=None, asked=NOW)
    build = begin(None, NOW)
    index.save(None, build)
    assert held(index).build == build
    assert index.shown() == Shown(head=None, asked=NOW)
    index.save(held(index), ended(build))
    assert shown(index) == Head(
        number=1, as_of=NOW, seconds=60, packs=(), summary=Summary(at=NOW, machines=3), digest=0
    )
    assert index.shown().asked is None


def test_the_one_before_is_shown_until_the_next_has_ended(index: Index) -> None:
    first = ended(begin(None, NOW))
    index.save(None, first)
    second = begin(first, NOW + minutes(5))
    index.save(held(index), second)
    index.save(held(index), replace(second, step=1))
    assert shown(index).number == 1
    index.save(held(index), ended(second))
    assert (shown(index).number, shown(index).as_of) == (2, NOW + minutes(5))


def test_what_is_confirmed_is_one_index(index: Index) -> None:
    """A later one has its own age, also where a clock that is ahead confirmed the one before, or did so too late."""
    first = ended(begin(None, NOW))
    index.save(None, first)
    before = shown(index)
    index.confirm(before, NOW + minutes(40))
    assert (index.shown().as_of, index.shown().head) == (NOW + minutes(40), before)
    second = ended(begin(first, NOW + minutes(5)))
    index.save(held(index), replace(second, ended=None))
    index.save(held(index), second)
    assert index.shown().as_of == NOW + minutes(5)
    index.confirm(before, NOW + minutes(41))
    assert index.shown().as_of == NOW + minutes(5)


def test_an_index_of_an_older_version_has_no_digest(index: Index, table: Table) -> None:
    """Nor has one whose rebuild it began; the next one's has."""
    index.save(None, ended(begin(None, NOW)))
    for key in ("head", "build"):
        _without_digest(table, key)
    assert (shown(index).digest, held(index).build.digest) == (None, None)
    assert begin(held(index).build, NOW).digest == 0


def _without_digest(table: Table, key: str) -> None:
    row = table.get("fleet", key)
    assert row is not None
    fields = msgspec.msgpack.decode(zlib.decompress(join("value", row.values)))
    del fields["digest"]
    older = split("value", zlib.compress(msgspec.msgpack.encode(fields)))
    table.write(Merge(Row(partition="fleet", key=key, values=older)))


def test_of_two_that_move_a_rebuild_one_does(index: Index) -> None:
    first = begin(None, NOW)
    index.save(None, first)
    stale = held(index)
    index.save(stale, replace(first, step=1))
    for late in (replace(first, step=1, again=True), ended(first)):
        with pytest.raises(Conflict):
            index.save(stale, late)
    with pytest.raises(Conflict):
        index.save(None, first)
    assert held(index).build == replace(first, step=1)
    assert index.shown().head is None


def test_an_ended_rebuild_may_still_be_noted_upon(index: Index) -> None:
    """Which does not show it anew: the reader who asked since then did ask."""
    first = ended(begin(None, NOW))
    index.save(None, first)
    index.ask(NOW + minutes(1))
    index.save(held(index), replace(first, again=True))
    assert index.shown().asked == NOW + minutes(1)


def test_a_generation_that_is_forgotten_is_gone(index: Index) -> None:
    count = LARGEST_BATCH + 5
    packer = packed(some(3))
    pack = packer.pack(NAME)
    for number in range(count):
        index.add(GENERATION, f"{number:06}|x", packed(some(3)))
    index.add(GENERATION + 1, NAME, packer)
    (lines,) = index.lines(GENERATION, [pack])
    index.forget(GENERATION)
    with pytest.raises(Gone):
        index.lines(GENERATION, [pack])
    with pytest.raises(Gone):
        index.records(GENERATION, lines.blocks, [0])
    assert len(index.lines(GENERATION + 1, [pack])) == 1
    index.forget(GENERATION)


def test_times_keep_their_fractions(index: Index) -> None:
    instant = NOW + timedelta(microseconds=123456)
    of = replace(record(assessment=assessment(ended=instant)), planned=instant)
    index.add(GENERATION, NAME, packed([of]))
    (lines,) = index.lines(GENERATION, [packed([of]).pack(NAME)])
    assert index.records(GENERATION, lines.blocks, [0]) == [of]
    assert parse_machine_id(of.machine.id) == of.machine.address
