"""A planned assessment that Azure refused for the moment waits for minutes: it makes way for who needs the machine."""

from datetime import timedelta

import msgspec
import pytest

from shared.domain.errors import RequestError
from shared.domain.machine import Outcome
from shared.domain.messages import StartAssessment, StartPlanned
from shared.domain.operation import Operation, State
from shared.store.operations import Held
from shared.workflows.assessment import bring_forward
from tests.cloud.world import Json, address_of
from tests.workflows.house import House
from tests.workflows.windows import healthy, save, soon


def refused(house: House, machine: Json) -> Operation:
    """Planned, and answered 409 by Azure; no other machine is started."""
    house.plan()
    house.fault(409, f"{address_of(machine).name}/assessPatches", times=1)
    for letter in house.lose():
        if isinstance(letter.message, StartPlanned):
            wanted = tuple(each for each in letter.message.machines if each.machine == machine["id"])
            house.deliver(msgspec.structs.replace(letter.message, machines=wanted))
    waiting = house.in_flight(machine)
    assert waiting is not None
    assert (waiting.state, waiting.reason and waiting.reason.code) == (State.CLAIMED, "MachineBusy")
    return waiting


@pytest.mark.parametrize("verb", ["install", "assess"])
def test_whoever_asks_again_finds_the_machine_free(house: House, verb: str) -> None:
    (machine,) = healthy(house, 1)
    waiting = refused(house, machine)
    with pytest.raises(RequestError) as turned_away:
        getattr(house, verb)(machine)
    assert turned_away.value.status == 409
    ended = house.attempt(machine, waiting.attempt)
    assert (ended.state, ended.outcome, ended.reason) == (State.ENDED, Outcome.NOT_STARTED, waiting.reason)
    asked = getattr(house, verb)(machine, "r-2")
    assert house.in_flight(machine) == asked
    house.deliver(StartAssessment(machine=machine["id"], attempt=waiting.attempt, requested_by="planner"))
    house.live(20)
    assert house.attempt(machine, asked.attempt).outcome is Outcome.SUCCEEDED
    sent = [post for post in house.posts(machine["id"]) if post["status"] == 202]
    assert len(sent) == 1


def test_a_window_does_not_wait_for_it(house: House) -> None:
    (machine,) = healthy(house, 1)
    start = save(house, soon(house, 5), machine)
    kept = [letter.message for letter in house.lose()]
    house.clock.now = start - timedelta(seconds=50)
    waiting = refused(house, machine)
    assert waiting.not_before
    assert waiting.not_before > start
    for message in kept:
        house.deliver(message)
    house.tend()
    house.live(5, until=lambda: bool(house.posts(machine["id"], "installPatches")))
    (post,) = house.posts(machine["id"], "installPatches")
    assert post["time"] < waiting.not_before.isoformat()
    assert house.attempt(machine, waiting.attempt).state is State.ENDED


def test_a_later_plan_makes_it_again(house: House) -> None:
    (machine,) = healthy(house, 1)
    waiting = refused(house, machine)
    with pytest.raises(RequestError):
        house.install(machine)
    house.lose()
    house.clock.now += timedelta(hours=1)
    house.tend()
    house.plan()
    house.live(20)
    assert house.record(machine).assessment
    assert house.attempt(machine, waiting.attempt).outcome is Outcome.NOT_STARTED


def test_one_that_moved_on_or_is_about_to_start_is_left_alone(house: House) -> None:
    (machine,) = healthy(house, 1)
    waiting = refused(house, machine)
    bring_forward(house.store, Held(operation=waiting, etag='W/"old"'), house.now)
    assert house.in_flight(machine) == waiting
    assert waiting.not_before
    held = house.store.operations.in_flight(address_of(machine))
    bring_forward(house.store, held, waiting.not_before)  # its message is about to come
    assert house.in_flight(machine) == waiting
