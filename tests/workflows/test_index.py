"""The index is never half, whatever comes twice, dies or changes meanwhile; no page repeats or skips a machine."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from random import Random

import pytest

from infra.local.azurite import Azurite
from shared.domain.errors import RequestError
from shared.domain.index import ASK_AGAIN, QUIET, REST, Cursor, Filter
from shared.domain.messages import CountFleet
from shared.workflows.fleet import read_summary
from tests.workflows.reading import Reading, Watched, ids, vm

GROUPS = ("a", "b", "c", "d", "e")


class Killed(BaseException):
    """The worker is gone."""


@pytest.fixture
def reading(azurite: Azurite) -> Iterator[Reading]:
    with Watched() as wire:
        yield Reading(azurite, wire)


@pytest.fixture
def fleet(reading: Reading) -> list[str]:
    """Machines in five resource groups, in key order, already in storage."""
    names = [vm(number, group) for group in GROUPS for number in range(3)]
    reading.add(*names)
    return names


def number(reading: Reading) -> int:
    head = reading.store.index.shown().head
    return head.number if head else 0


def test_before_the_first_rebuild_there_is_nothing_to_show(reading: Reading, fleet: list[str]) -> None:
    """Whoever reads then has asked for it."""
    assert reading.page().as_of is None
    assert reading.page().records == ()
    assert read_summary(reading.store, reading.now) is None
    assert reading.message() == CountFleet()
    assert reading.message() is None
    reading.rebuild()
    assert reading.shown() == fleet


def test_a_rebuild_in_many_steps(reading: Reading, fleet: list[str]) -> None:
    began = reading.now
    assert reading.rebuild() > 4
    page, summary = reading.page(), read_summary(reading.store, reading.now)
    assert ids(page.records) == fleet
    assert summary is not None
    assert (page.as_of, summary.at, summary.machines) == (began, began, len(fleet))
    head = reading.store.index.shown().head
    assert head is not None
    assert [pack.machines for pack in head.packs] == [4, 4, 4, 3]


def test_no_machine_at_all(reading: Reading) -> None:
    reading.rebuild()
    assert reading.shown() == []
    assert reading.page().as_of == reading.now
    reading.add(vm(1))
    reading.remove(vm(1))
    reading.rebuild()
    assert reading.shown() == []


@pytest.mark.parametrize("seed", range(6))
def test_pages_while_machines_come_and_go(reading: Reading, seed: int) -> None:
    """Rebuilds begin, go on and end between pages. Who is in the fleet throughout is seen once; nobody twice."""
    random = Random(seed)
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


def test_at_no_time_is_half_an_index_seen(reading: Reading, fleet: list[str]) -> None:
    """Looked at before every storage call of a rebuild and in the middle of its clean-up."""
    reading.rebuild()
    after = fleet[2:]
    reading.remove(*fleet[:2])
    looks = []

    def look(_: str) -> None:
        looks.append(reading.shown())

    reading.wire.before = look
    reading.rebuild()
    reading.wire.before = None
    assert len(looks) > 20
    turn = looks.index(after)
    assert looks == [fleet] * turn + [after] * (len(looks) - turn)


def test_every_message_comes_twice(reading: Reading, fleet: list[str]) -> None:
    for generation in (1, 2):
        reading.wish()
        while message := reading.message():
            reading.handle(message)
            reading.handle(message)
        assert number(reading) >= generation
        assert reading.shown() == fleet


def test_an_old_message_moves_nothing(reading: Reading, fleet: list[str]) -> None:
    """Nor does one of a rebuild that never was."""
    reading.wish()
    messages = []
    while message := reading.step():
        messages.append(message)
    done = reading.store.index.building()
    for message in [*messages[1:-1], CountFleet(build=9), CountFleet(build=1, step=77)]:
        reading.handle(message)
        assert reading.message() is None
    assert reading.store.index.building() == done
    assert reading.shown() == fleet


def test_of_two_that_take_a_step_at_once_one_counts(reading: Reading, fleet: list[str]) -> None:
    """The double comes just before the first records its step; machines came between, so they read different fleets."""
    reading.wish()
    reading.step()
    late = [vm(number, "b2") for number in range(2)]
    doubled = 0
    while message := reading.message():
        again: list[CountFleet] = [message]

        def double(request: str, again: list[CountFleet] = again) -> None:
            nonlocal doubled
            if "RowKey='build'" in request and request.startswith("PUT") and again:
                reading.add(late[doubled % 2])
                doubled += 1
                reading.handle(again.pop())

        reading.wire.before = double
        reading.handle(message)
        reading.wire.before = None
    assert doubled >= 3
    assert set(reading.shown()) - set(late) == set(fleet)
    assert len(reading.shown()) == len(set(reading.shown()))
    reading.rebuild()
    assert reading.shown() == sorted([*fleet, *late])


def test_killed_before_any_storage_call(reading: Reading, fleet: list[str]) -> None:
    """The host delivers the message again, half a minute later; the rebuild ends all the same, and is whole."""
    kills = 0
    for call in count():
        generation, killed = number(reading), 0
        reading.wish()
        while message := reading.message():
            if _is_killed(reading, message, call):
                killed += 1
                reading.later(31)
                reading.handle(message)
        assert reading.shown() == fleet
        assert number(reading) > generation
        reading.later(3600)
        kills += killed
        if not killed:
            break
    assert kills > 20


def _is_killed(reading: Reading, message: CountFleet, after: int) -> bool:
    """Handles a message and dies before one of its storage calls, if it makes so many."""
    left = after

    def die(_: str) -> None:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1

    reading.wire.before = die
    try:
        reading.handle(message)
    except Killed:
        return True
    finally:
        reading.wire.before = None
    return False


def test_a_lost_message_is_sent_again(reading: Reading, fleet: list[str]) -> None:
    """By the next wish, once the rebuild has not moved for a while."""
    reading.wish()
    reading.step()
    reading.step()
    assert reading.message() is not None
    reading.wish()
    reading.step()
    assert reading.message() is None
    reading.later(QUIET.total_seconds())
    reading.rebuild()
    assert reading.shown() == fleet


def test_wishes_that_come_meanwhile_become_one_rebuild(reading: Reading, fleet: list[str]) -> None:
    """Each machine that came before its wish is in the index in the end."""
    reading.wish()
    reading.step()
    reading.step()
    late = vm(0, "0 before all others")
    reading.add(late)
    for _ in range(20):
        reading.wish()
    while reading.step():
        pass
    assert number(reading) == 2
    assert reading.shown() == [late, *fleet]


def test_a_rebuild_that_took_long_is_followed_by_a_rest(reading: Reading, fleet: list[str]) -> None:
    reading.wish()
    reading.step()
    reading.later(10)
    while reading.step():
        pass
    for _ in range(5):
        reading.wish()
    while reading.step():
        pass
    assert number(reading) == 1
    reading.later(REST * 10 - 1)
    assert reading.message() is None
    reading.later(1)
    while reading.step():
        pass
    assert number(reading) == 2
    assert reading.message() is None


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


def test_old_generations_are_removed(reading: Reading, fleet: list[str]) -> None:
    """All but the last two, with what a step that lost had written."""
    for _ in range(5):
        reading.rebuild()
    reading.wire.seen.clear()
    table = reading.store.index._table
    assert [len(table.page(f"generation|{each}")) for each in range(1, 6)] == [0, 0, 0, 4, 4]


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
