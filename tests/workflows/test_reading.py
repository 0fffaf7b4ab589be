"""Pages and counts from the index: what they cost, how old they are, and that no page repeats or skips a machine."""

from datetime import timedelta
from random import Random

import pytest

from shared.domain.errors import RequestError
from shared.domain.index import ASK_AGAIN, Cursor, Filter
from shared.domain.messages import CountFleet
from shared.workflows.fleet import read_summary
from tests.workflows.reading import GROUPS, Reading, ids, number, vm


def test_before_the_first_rebuild_there_is_nothing_to_show(reading: Reading, fleet: list[str]) -> None:
    """Whoever reads then has asked for it."""
    assert reading.page().as_of is None
    assert reading.page().records == ()
    assert read_summary(reading.store, reading.now) is None
    assert reading.message() == CountFleet()
    assert reading.message() is None
    reading.rebuild()
    assert reading.shown() == fleet


@pytest.mark.parametrize("seed", range(6))
def test_pages_while_machines_come_and_go(quick_reading: Reading, seed: int) -> None:
    """Rebuilds begin, go on and end between pages. Who is in the fleet throughout is seen once; nobody twice."""
    reading, random = quick_reading, Random(seed)
    every = [vm(number, group) for group in GROUPS for number in range(8)]
    stay, others = every[::2], every[1::2]
    there = set(random.sample(others, 8))
    reading.add(*stay, *there)
    reading.rebuild()
    first, generations = number(reading), set()
    seen, cursor = list[str](), None
    while True:
        page = reading.page(3, cursor)
        seen += ids(page.records)
        generations.add(number(reading))
        if page.next is None:
            break
        cursor = page.next
        for each in random.sample(others, 3):
            (reading.remove if each in there else reading.add)(each)
            there ^= {each}
        reading.wish()
        for _ in range(random.randrange(6, 14)):
            reading.step()
    assert len(seen) == len(set(seen))
    assert [each for each in seen if each in stay] == stay
    assert seen == sorted(seen)
    assert len(generations) > 2
    assert first == 1


def test_what_a_page_shows_is_of_one_generation(reading: Reading, fleet: list[str]) -> None:
    """And after the next one has ended, it is of the next."""
    reading.rebuild()
    reading.remove(fleet[0], fleet[-1])
    while reading.step():
        assert reading.shown() == fleet
    reading.rebuild()
    assert reading.shown() == fleet[1:-1]


def test_readers_ask_for_a_newer_index(reading: Reading, fleet: list[str]) -> None:
    """One of them, then none for a while."""
    reading.rebuild()
    reading.page()
    assert reading.message() is None
    reading.later(60)
    for _ in range(3):
        reading.page()
        read_summary(reading.store, reading.now)
    assert reading.message() == CountFleet()
    assert reading.message() is None
    reading.later(ASK_AGAIN.total_seconds())
    read_summary(reading.store, reading.now)
    assert reading.message() == CountFleet()
    reading.rebuild()
    assert reading.page().as_of == reading.now


def test_the_index_goes_away_under_a_reader(reading: Reading, fleet: list[str]) -> None:
    """It is read anew from the one that came instead; when that happens again and again, the reader is told so."""
    reading.rebuild()
    rounds = 1

    def replaced(request: str) -> None:
        nonlocal rounds
        if rounds and "$filter" in request and "generation" in request:
            rounds -= 1
            reading.rebuild()
            reading.rebuild()

    reading.wire.before = replaced
    assert ids(reading.page().records) == fleet
    assert rounds == 0
    rounds = 99
    with pytest.raises(RequestError) as refusal:
        reading.page()
    assert (refusal.value.status, refusal.value.code) == (503, "IndexChanging")


@pytest.mark.parametrize(
    ("wanted", "most"),
    [
        (Filter(), 1 + 1 + 1 + 3),
        (Filter(group="c"), 1 + 1 + 1 + 1),
        (Filter(tags=("nothing",)), 1 + 1 + 1),
        (Filter(subscription="another"), 1),
    ],
)
def test_storage_calls_of_a_page(reading: Reading, fleet: list[str], wanted: Filter, most: int) -> None:
    """Head, one pack's text, the texts of the rest, and the packs that hold what is shown; the same deep down."""
    reading.rebuild()
    for after in (None, Cursor(scope="zz"), reading.page(5).next, reading.page(9).next):
        reading.wire.seen.clear()
        reading.page(1000, after, wanted)
        assert len(reading.wire.seen) <= most + 1
        filters = [each.query["$filter"] for each in reading.wire.seen if "PartitionKey=" not in each.path]
        assert all(each.startswith("PartitionKey eq") for each in filters)
    reading.wire.seen.clear()
    read_summary(reading.store, reading.now + timedelta(seconds=1))
    assert len(reading.wire.seen) == 1
