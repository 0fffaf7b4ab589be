"""Messages that were given up: kept with their reason, shown, and replayed under every law."""

import pytest

from shared.domain.errors import RequestError
from shared.domain.machine import Outcome
from shared.domain.messages import StartAssessment
from shared.domain.poison import message_id
from shared.workflows.fleet import read_health
from shared.workflows.poison import park_message, replay_message
from tests.workflows.house import KINDS, House

BROKEN = b'{"machine": 7}'


def park(house: House, queue: str, body: bytes, why: str = "ValidationError: no") -> str:
    """What the triggers do: note each failure, then take the message from the poison queue."""
    id_ = message_id(body)
    house.store.poison.note(queue, id_, why)
    park_message(house.store, queue, body, house.now)
    return id_


@pytest.mark.parametrize("queue", KINDS)
def test_a_message_that_was_given_up_is_shown_with_its_reason(house: House, queue: str) -> None:
    id_ = park(house, queue, BROKEN)
    health = read_health(house.store, house.now)
    (shown,) = health.poison
    assert (shown.queue, shown.id, shown.text, shown.why) == (queue, id_, BROKEN.decode(), "ValidationError: no")
    (problem,) = health.problems
    assert queue in problem
    assert "ValidationError: no" in problem


def test_a_message_whose_worker_died_has_a_reason_too(house: House) -> None:
    park_message(house.store, "operations", BROKEN, house.now)
    (shown,) = read_health(house.store, house.now).poison
    assert "worker" in shown.why


def test_a_replayed_message_does_its_work_once(house: House) -> None:
    """Given up before it could start, and put back later: the assessment is made, and only once."""
    machine = house.know(house.one(vm=True))
    asked = house.assess(machine)
    (letter,) = house.lose()
    id_ = park(house, letter.queue, letter.text.encode())
    replay_message(house.store, letter.queue, id_, house.now)
    (back,) = house.waiting()
    assert (back.queue, back.text) == (letter.queue, letter.text)
    assert read_health(house.store, house.now).problems == ()
    house.run()
    assert house.attempt(machine, asked.attempt).outcome is Outcome.SUCCEEDED
    replay_message(house.store, letter.queue, id_, house.now)
    house.run()
    assert len(house.posts(machine["id"])) == 1


def test_a_message_replayed_hours_later_decides_anew(house: House) -> None:
    """Its operation has ended meanwhile: nothing is sent."""
    machine = house.know(house.one(vm=True))
    house.install(machine)
    house.run()
    starts = [letter for letter in house.handled if letter.queue in ("installations", "runs")]
    house.clock.advance(6 * 3600)
    for letter in starts:
        replay_message(house.store, letter.queue, park(house, letter.queue, letter.text.encode()), house.now)
    house.run()
    assert len(house.posts(machine["id"])) == 1


def test_a_message_that_fails_again_after_its_replay_is_shown_again(house: House) -> None:
    id_ = park(house, "assessments", BROKEN)
    replay_message(house.store, "assessments", id_, house.now)
    assert read_health(house.store, house.now).poison == ()
    park(house, "assessments", BROKEN, "still no")
    (shown,) = read_health(house.store, house.now).poison
    assert (shown.id, shown.why) == (id_, "still no")


@pytest.mark.parametrize(("queue", "message"), [("assessments", "0" * 32), ("nowhere", "0" * 32), ("", "")])
def test_an_unknown_message_cannot_be_replayed(house: House, queue: str, message: str) -> None:
    with pytest.raises(RequestError) as refusal:
        replay_message(house.store, queue, message, house.now)
    assert refusal.value.status == 404
    assert house.lose() == []


def test_a_message_about_a_machine_nobody_knows_is_nothing(house: House) -> None:
    stranger = house.fleet[0]["id"] + "-no"
    house.deliver(StartAssessment(machine=stranger, attempt="a", requested_by="x", slot=house.now))
    assert house.posts(stranger) == []
    assert house.lose() == []
