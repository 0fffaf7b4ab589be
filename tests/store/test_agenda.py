"""The agenda: in order of time, nothing twice, and nothing lost when two instances tend it at once."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from threading import Barrier

import pytest

from shared.domain.agenda import Item, ItemKind
from shared.store.agenda import SHARDS, Agenda, Entry
from shared.store.table import Insert, Row, Table
from tests.domain.samples import ARC, NOW, VM, minutes

FAR = NOW + minutes(10_000)


@pytest.fixture
def agenda(table: Table) -> Agenda:
    return Agenda(table)


def run(name: str) -> Item:
    return Item(kind=ItemKind.RUN, id=name, since=NOW)


def items(agenda: Agenda, now: datetime = FAR) -> list[Item]:
    return sorted((entry.item for entry in agenda.due(now)), key=str)


def only(agenda: Agenda, now: datetime = FAR) -> Entry:
    (entry,) = agenda.due(now)
    return entry


@pytest.mark.parametrize(
    "item", [run("r"), Item(kind=ItemKind.ASSESSMENT, id="a|1", since=NOW, machine=VM), run("a/b?#"), run("日")]
)
def test_an_item_reads_back_as_itself(agenda: Agenda, item: Item) -> None:
    agenda.add(item, NOW)
    assert only(agenda).item == item


def test_an_empty_agenda(agenda: Agenda) -> None:
    assert items(agenda) == []
    assert agenda.oldest() is None


@pytest.mark.parametrize(
    ("late", "due"),
    [(-minutes(1), False), (timedelta(milliseconds=-1), False), (timedelta(), True), (minutes(1), True)],
)
def test_an_item_is_due_from_its_instant_on(agenda: Agenda, late: timedelta, *, due: bool) -> None:
    agenda.add(run("r"), NOW)
    assert items(agenda, NOW + late) == ([run("r")] if due else [])


def test_items_come_in_order_of_time_and_from_every_shard(agenda: Agenda) -> None:
    chance = random.Random(5)
    times = [NOW + timedelta(seconds=chance.randint(-100_000, 100_000), milliseconds=number) for number in range(120)]
    for number, time in enumerate(times):
        agenda.add(run(f"{number}"), time)
    found = list(agenda.due(NOW))
    assert sorted(entry.item.id for entry in found) == sorted(f"{n}" for n, time in enumerate(times) if time <= NOW)
    shards = {entry.row.partition for entry in found}
    assert len(shards) == SHARDS
    for shard in shards:
        inside = [times[int(entry.item.id)] for entry in found if entry.row.partition == shard]
        assert inside == sorted(inside)
    assert agenda.oldest() == min(times).replace(microsecond=min(times).microsecond // 1000 * 1000)


def test_times_of_another_zone_are_in_order_too(agenda: Agenda) -> None:
    """The same instant is the same row, however it is written."""
    tokyo = timezone(timedelta(hours=9))
    agenda.add(run("r"), NOW.astimezone(tokyo))
    agenda.add(run("r"), NOW)
    assert items(agenda, NOW - minutes(1)) == []
    assert items(agenda, (NOW + minutes(1)).astimezone(tokyo)) == [run("r")]


def test_the_same_item_at_one_instant_is_one(agenda: Agenda) -> None:
    for _ in range(2):
        agenda.add(run("r"), NOW)
    assert items(agenda) == [run("r")]


def test_different_items_at_one_instant_are_different(agenda: Agenda) -> None:
    both = [Item(kind=ItemKind.ASSESSMENT, id="a", since=NOW, machine=machine) for machine in (VM, ARC)]
    for item in (*both, run("a")):
        agenda.add(item, NOW)
    assert items(agenda) == sorted([*both, run("a")], key=str)


def test_a_postponed_item_comes_back_later(agenda: Agenda) -> None:
    agenda.add(run("r"), NOW)
    assert agenda.postpone(only(agenda), NOW + minutes(2))
    assert items(agenda, NOW + minutes(1)) == []
    assert items(agenda) == [run("r")]
    assert agenda.oldest() == NOW + minutes(2)


def test_an_item_postponed_to_the_instant_it_has(agenda: Agenda) -> None:
    agenda.add(run("r"), NOW)
    agenda.postpone(only(agenda), NOW)
    assert items(agenda) == [run("r")]


def test_an_item_that_stands_there_twice_becomes_one(agenda: Agenda) -> None:
    """Added again while its older line waits: the two meet, and none of them blocks the other for ever."""
    agenda.add(run("r"), NOW)
    agenda.add(run("r"), NOW + minutes(1))
    for entry in list(agenda.due(FAR)):
        agenda.postpone(entry, NOW + minutes(5))
    for entry in list(agenda.due(FAR)):
        agenda.postpone(entry, NOW + minutes(7))
    assert set(items(agenda)) == {run("r")}
    assert run("r") in items(agenda, NOW + minutes(7))


def test_a_removed_item_is_gone(agenda: Agenda) -> None:
    agenda.add(run("r"), NOW)
    entry = only(agenda)
    agenda.remove(entry)
    assert items(agenda) == []
    agenda.remove(entry)


def test_whoever_comes_second_changes_nothing(agenda: Agenda) -> None:
    agenda.add(run("r"), NOW)
    first = second = only(agenda)
    assert agenda.postpone(first, NOW + minutes(2))
    assert not agenda.postpone(second, NOW + minutes(3))
    agenda.remove(second)
    assert items(agenda) == [run("r")]
    agenda.remove(only(agenda))
    assert not agenda.postpone(second, NOW + minutes(4))
    assert items(agenda) == []


def test_two_tenders_at_once_keep_one_line_an_item(agenda: Agenda) -> None:
    """Each round both read the same line and move it: exactly one succeeds, and the item is never lost or doubled."""
    agenda.add(run("r"), NOW)

    def move(barrier: Barrier, entry: Entry, due: datetime) -> bool:
        barrier.wait(timeout=30)
        return agenda.postpone(entry, due)

    with ThreadPoolExecutor(2) as pool:
        for number in range(1, 25):
            barrier, entry = Barrier(2), only(agenda)
            times = [NOW + minutes(number), NOW + minutes(number + 0.5)]
            assert sorted(pool.map(move, [barrier] * 2, [entry] * 2, times)) == [False, True]
            assert items(agenda) == [run("r")]


def test_of_removing_and_postponing_at_once_one_wins(agenda: Agenda) -> None:
    def remove(barrier: Barrier, entry: Entry) -> None:
        barrier.wait(timeout=30)
        agenda.remove(entry)

    def postpone(barrier: Barrier, entry: Entry) -> bool:
        barrier.wait(timeout=30)
        return agenda.postpone(entry, NOW + minutes(1))

    with ThreadPoolExecutor(2) as pool:
        for _ in range(25):
            agenda.add(run("r"), NOW)
            barrier, entry = Barrier(2), only(agenda)
            removed, moved = pool.submit(remove, barrier, entry), pool.submit(postpone, barrier, entry)
            removed.result()
            assert items(agenda) == ([run("r")] if moved.result() else [])
            for left in list(agenda.due(FAR)):
                agenda.remove(left)


def test_the_first_of_each_shard_and_whether_there_may_be_more(agenda: Agenda) -> None:
    for number in range(40):
        agenda.add(run(f"r{number}"), NOW + minutes(number))
    some, every = agenda.first(3), agenda.first(40)
    assert (len(some.items), some.more) == (3 * SHARDS, True)
    assert ({item.id for item in every.items}, every.more) == ({f"r{number}" for number in range(40)}, False)
    assert "r0" in {item.id for item in some.items}
    assert some.oldest == every.oldest == agenda.oldest() == NOW


def test_everything_on_it_can_be_read_whenever_it_is_due(agenda: Agenda) -> None:
    wanted = [run(f"r{number}") for number in range(20)]
    for number, item in enumerate(wanted):
        agenda.add(item, NOW + minutes(number))
    assert sorted(agenda.items(), key=str) == sorted(wanted, key=str)


def test_a_line_that_this_version_cannot_read_keeps_no_other(
    agenda: Agenda, table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    """A newer version wrote it; it stays where it is."""
    wanted = [run(f"r{number}") for number in range(8)]
    for item in wanted:
        agenda.add(item, NOW)
    for shard in range(SHARDS):
        texts = ('{"kind":"tomorrow","id":"a b","since":"2026-01-01T00:00:00Z"}', "{")
        for number, text in enumerate(texts):
            key = f"{(NOW - minutes(1)).isoformat(timespec='milliseconds')}|tomorrow|{number}"
            table.write(Insert(Row(partition=str(shard), key=key, values={"item": text})))
    assert items(agenda) == sorted(wanted, key=str)
    assert len(caplog.records) == 2 * SHARDS
    assert "\n" not in caplog.text.strip().splitlines()[0]
    assert "agenda line not read shard=0 line=" in caplog.text
    assert sorted(agenda.items(), key=str) == sorted(wanted, key=str)
    first = agenda.first(40)
    assert (sorted(first.items, key=str), first.unreadable) == (sorted(wanted, key=str), 2 * SHARDS)
