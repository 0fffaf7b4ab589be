"""The index is never half, whatever comes twice, dies or changes meanwhile."""

from itertools import count

from shared.domain.index import QUIET, REST
from shared.domain.messages import CountFleet
from shared.store.index import Held
from shared.workflows.fleet import read_summary
from tests.workflows.reading import Reading, ids, number, vm


class Killed(BaseException):
    """The worker is gone."""


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


def test_an_old_message_in_the_midst_takes_no_step(reading: Reading, fleet: list[str]) -> None:
    """That of the step before only repeats what follows it; those before that one do nothing."""
    reading.wish()
    for _ in range(3):
        reading.step()
    under_way = reading.store.index.building()
    waiting = reading.message()
    reading.handle(CountFleet(build=1, step=1))
    assert reading.message() == waiting == CountFleet(build=1, step=2)
    reading.handle(CountFleet(build=1, step=0))
    assert reading.message() is None
    assert reading.store.index.building() == under_way


def test_a_step_that_comes_late_moves_nothing_back(reading: Reading, fleet: list[str]) -> None:
    """While it worked, a double of it took the step, and the one after."""
    reading.wish()
    reading.step()
    message = reading.message()
    assert message is not None
    moved = list[Held | None]()

    def overtake(request: str) -> None:
        if "RowKey='build'" in request and request.startswith("PUT") and not moved:
            reading.handle(message)
            reading.step()
            moved.append(reading.store.index.building())

    reading.wire.before = overtake
    reading.handle(message)
    reading.wire.before = None
    assert [reading.store.index.building()] == moved
    assert reading.message() == CountFleet(build=1, step=2)
    assert reading.message() is None


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


def test_old_generations_are_removed(reading: Reading, fleet: list[str]) -> None:
    """All but the last two, with what a step that lost had written."""
    for _ in range(5):
        reading.rebuild()
    reading.wire.seen.clear()
    table = reading.store.index._table
    assert [len(table.page(f"generation|{each}")) for each in range(1, 6)] == [0, 0, 0, 8, 8]
