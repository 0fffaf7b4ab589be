"""Messages that were given up: kept with their reason, shown, and replayed under every law."""

import pytest

from shared.domain.errors import RequestError
from shared.domain.machine import Outcome
from shared.domain.messages import Planned, StartAssessment, StartPlanned
from shared.domain.poison import message_id
from shared.workflows.health import read_health
from shared.workflows.poison import MOST_REPLAYED, discard_message, park_message, replay_message, replay_queue
from tests.workflows.house import KINDS, House

pytestmark = pytest.mark.azurite

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
    (problem,) = house.problems()
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
    assert house.problems() == []
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
    house.deliver(StartAssessment(machine=stranger, attempt="a", requested_by="x"))
    planned = (Planned(machine=stranger, attempt="a", slot=house.now),)
    house.deliver(StartPlanned(requested_by="x", due=house.now, machines=planned))
    assert house.posts(stranger) == []
    assert house.lose() == []


def test_all_of_a_queue_are_put_back_by_one_call(house: House) -> None:
    ids = {park(house, "runs", b"%d" % number) for number in range(3)}
    other = park(house, "fleet", BROKEN)
    assert replay_queue(house.store, "runs", house.now, "ann") == (3, False)
    assert {message_id(letter.text.encode()) for letter in house.lose()} == ids
    assert [poison.id for poison in read_health(house.store, house.now).poison] == [other]
    assert replay_queue(house.store, "runs", house.now, "ann") == (0, False)


def test_one_call_puts_back_no_more_than_it_can_in_time(house: House) -> None:
    for number in range(MOST_REPLAYED + 1):
        park(house, "fleet", b"%d" % number)
    assert replay_queue(house.store, "fleet", house.now, "ann") == (MOST_REPLAYED, True)
    assert replay_queue(house.store, "fleet", house.now, "ann") == (1, False)


def test_a_discarded_message_stays_on_record_and_may_still_be_replayed(house: House) -> None:
    id_ = park(house, "runs", BROKEN)
    discard_message(house.store, "runs", id_, ("ann", "a test of mine"), house.now)
    assert house.lose() == []
    kept = house.store.poison.get("runs", id_)
    assert kept is not None
    assert kept.text == BROKEN.decode()
    with pytest.raises(RequestError) as refusal:
        discard_message(house.store, "runs", id_, ("ann", "again"), house.now)
    assert (refusal.value.status, refusal.value.code) == (409, "NotParked")
    replay_message(house.store, "runs", id_, house.now)
    assert [letter.text for letter in house.lose()] == [BROKEN.decode()]


@pytest.mark.parametrize(("queue", "message"), [("runs", "0" * 32), ("nowhere", "0" * 32), ("runs", "~done|x")])
def test_an_unknown_message_cannot_be_discarded(house: House, queue: str, message: str) -> None:
    with pytest.raises(RequestError) as refusal:
        discard_message(house.store, queue, message, ("ann", "no"), house.now)
    assert refusal.value.status == 404


def test_an_unknown_queue_cannot_be_replayed(house: House) -> None:
    with pytest.raises(RequestError) as refusal:
        replay_queue(house.store, "nowhere", house.now, "ann")
    assert refusal.value.status == 404
