"""Poison: a message that was given up stays visible with its text and reason until somebody replays it."""

import pytest

from shared.domain.poison import Poison, message_id
from shared.store.poison import Poisons
from shared.store.table import Table
from tests.domain.samples import NOW, minutes

TEXT = '{"run":"ä"}'
ID = message_id(TEXT.encode())


@pytest.fixture
def poisons(table: Table) -> Poisons:
    return Poisons(table)


def parked(why: str = "ValueError: no") -> Poison:
    return Poison(queue="runs", id=ID, text=TEXT, why=why, parked=NOW)


def test_a_failure_alone_is_not_poison(poisons: Poisons) -> None:
    poisons.note("runs", ID, "ValueError: no")
    assert poisons.get("runs", ID) is None
    assert poisons.parked("runs") == []


def test_a_message_given_up_is_shown_with_its_last_failure(poisons: Poisons) -> None:
    for why in ("OSError: first", "ValueError: no"):
        poisons.note("runs", ID, why)
    poisons.park("runs", ID, TEXT, NOW)
    assert poisons.get("runs", ID) == parked()
    assert poisons.parked("runs") == [parked()]


def test_without_a_noted_failure_there_is_a_reason_too(poisons: Poisons) -> None:
    """The worker died before it could note one."""
    poisons.park("runs", ID, TEXT, NOW)
    assert "worker" in poisons.parked("runs")[0].why


def test_a_replayed_message_is_kept_but_no_longer_parked(poisons: Poisons) -> None:
    poisons.note("runs", ID, "ValueError: no")
    poisons.park("runs", ID, TEXT, NOW)
    poisons.mark_replayed("runs", ID, NOW + minutes(1))
    assert poisons.parked("runs") == []
    assert poisons.get("runs", ID) == parked()


def test_a_discarded_message_is_kept_but_no_longer_parked(poisons: Poisons) -> None:
    poisons.note("runs", ID, "ValueError: no")
    poisons.park("runs", ID, TEXT, NOW)
    assert poisons.mark_discarded("runs", ID, "ann: no", NOW + minutes(1))
    assert poisons.parked("runs") == []
    assert poisons.get("runs", ID) == parked()
    assert not poisons.mark_discarded("runs", ID, "ann: no", NOW + minutes(2))


def test_what_was_settled_and_noted_costs_nothing_to_read(poisons: Poisons) -> None:
    """What is parked is one range: a short page finds it behind any number of others."""
    for number in range(20):
        other = message_id(b"%d" % number)
        poisons.note("runs", message_id(b"n%d" % number), "OSError: passing")
        poisons.park("runs", other, TEXT, NOW)
        poisons.mark_replayed("runs", other, NOW)
    poisons.park("runs", ID, TEXT, NOW)
    assert [each.id for each in poisons.parked("runs", 1)] == [ID]


def test_a_message_given_up_again_is_shown_again(poisons: Poisons) -> None:
    poisons.park("runs", ID, TEXT, NOW - minutes(5))
    poisons.mark_replayed("runs", ID, NOW - minutes(1))
    poisons.note("runs", ID, "ValueError: again")
    poisons.park("runs", ID, TEXT, NOW)
    assert poisons.parked("runs") == [parked("ValueError: again")]


def test_queues_and_messages_are_apart(poisons: Poisons) -> None:
    other = message_id(b"{}")
    for queue, message in (("runs", ID), ("runs", other), ("fleet", ID)):
        poisons.park(queue, message, TEXT, NOW)
    poisons.mark_replayed("runs", other, NOW)
    assert [each.id for each in poisons.parked("runs")] == [ID]
    assert [each.queue for each in poisons.parked("fleet")] == ["fleet"]
    assert poisons.parked("operations") == []


@pytest.mark.parametrize(
    "text", ["", "no JSON", "\x00\x01", "x" * 48 * 1024, "😀" * 12 * 1024, "x" * 16 * 1024 + "😀" * 8 * 1024]
)
def test_every_message_that_a_queue_can_hold_can_be_parked(poisons: Poisons, text: str) -> None:
    """Whoever put it there: 64 KiB in base64 are 48 KiB of text."""
    poisons.park("runs", message_id(text.encode()), text, NOW)
    assert [each.text for each in poisons.parked("runs")] == [text]


def test_a_message_that_is_unknown_is_none(poisons: Poisons) -> None:
    assert poisons.get("runs", "nothing") is None
