"""Pacing: a throttled start waits and comes again, its bucket is blocked for everybody, and nobody else's is."""

from datetime import timedelta

import pytest

from shared.domain.bucket import GUEST_PATCH_BURST, SLOT_LIFE
from shared.domain.machine import Outcome
from shared.domain.operation import ASSESSMENT_PATIENCE, State
from tests.cloud.world import Json
from tests.workflows.house import House

WAIT = 40


def place(house: House, machine: Json) -> tuple[str, str]:
    known = house.record(machine).machine
    return known.address.subscription, known.location


def throttled(house: House) -> Json:
    """A machine whose first start Azure answered with 429."""
    machine = house.know(house.one(vm=True, os="Linux"))
    house.fault(429, "/assessPatches", headers={"Retry-After": str(WAIT)})
    house.assess(machine)
    house.step()
    return machine


def test_a_throttled_start_waits_as_long_as_azure_says(house: House) -> None:
    machine = throttled(house)
    before = house.clock.now
    operation = house.in_flight(machine)
    assert operation is not None
    assert operation.state is State.CLAIMED
    assert operation.reason is not None
    assert operation.reason.code == "Throttled"
    (letter,) = house.waiting()
    assert letter.due >= before + timedelta(seconds=WAIT)
    house.run()
    assert [post["status"] for post in house.posts(machine["id"])] == [429, 202]
    look = house.record(machine).assessment
    assert look is not None
    assert (look.outcome, look.reason) == (Outcome.SUCCEEDED, None)


def test_the_bucket_is_blocked_for_every_other_machine_in_it(house: House) -> None:
    machine = throttled(house)
    blocked = house.store.buckets.blocked(*place(house, machine))
    assert blocked == house.clock.now + timedelta(seconds=WAIT)
    neighbours = [each for each in house.fleet if each["script"] == "healthy" and each is not machine]
    house.know(*neighbours)
    near = [each for each in neighbours if place(house, each) == place(house, machine)]
    house.lose()
    house.plan()
    due = {letter.text: letter.due for letter in house.waiting() if letter.queue == "planned-assessments"}
    for each in neighbours:
        (waits,) = [time for text, time in due.items() if each["id"] in text]
        assert (waits >= blocked) == (each in near), each["id"]


def test_a_throttle_in_one_region_is_not_another_ones(house: House) -> None:
    machine = throttled(house)
    subscription, region = place(house, machine)
    assert house.store.buckets.blocked(subscription, region) is not None
    assert house.store.buckets.blocked(subscription, "elsewhere") is None
    assert house.store.buckets.blocked("another", region) is None


def test_a_throttle_that_never_ends_ends_with_its_reason(house: House) -> None:
    machine = house.know(house.one(vm=True))
    house.fault(429, "/assessPatches", headers={"Retry-After": "300"}, times=99)
    asked = house.assess(machine)
    house.run()
    done = house.attempt(machine, asked.attempt)
    assert (done.state, done.outcome) == (State.ENDED, Outcome.NOT_STARTED)
    assert done.reason is not None
    assert done.reason.code == "Throttled"
    assert house.clock.now - asked.claimed <= ASSESSMENT_PATIENCE
    assert house.in_flight(machine) is None


def test_an_installation_waits_for_room_and_then_goes(house: House) -> None:
    machine = house.know(house.one(os="Windows", vm=True))
    house.fault(429, "/installPatches", headers={"Retry-After": str(WAIT)})
    house.install(machine)
    house.run()
    assert [post["status"] for post in house.posts(machine["id"])] == [429, 202]
    done = house.record(machine).installation
    assert done is not None
    assert done.outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("vm", [True, False])
def test_requests_beyond_the_burst_are_spread_out(house: House, vm: bool) -> None:
    """Leases made by anything else in the same subscription and region push a start back."""
    machine = house.know(house.one(vm=vm))
    house.store.buckets.lease(*place(house, machine), GUEST_PATCH_BURST + 100, house.now)
    house.assess(machine)
    (letter,) = house.waiting()
    assert timedelta(seconds=59) <= letter.due - house.clock.now <= timedelta(seconds=61)
    house.run()
    assert len(house.posts(machine["id"])) == 1


@pytest.mark.parametrize(("late", "again"), [(SLOT_LIFE, False), (SLOT_LIFE + timedelta(seconds=1), True)])
def test_a_slot_that_was_not_used_for_too_long_is_leased_anew(house: House, late: timedelta, again: bool) -> None:
    """After an outage everything that waited would leave at once, on top of a bucket that was full all the time."""
    machine = house.know(house.one(vm=True))
    house.assess(machine)
    house.clock.now += late
    house.store.buckets.lease(*place(house, machine), GUEST_PATCH_BURST, house.now)
    house.step()
    operation = house.in_flight(machine)
    assert operation is not None
    assert operation.state is (State.CLAIMED if again else State.ACCEPTED)
    house.run()
    assert [post["status"] for post in house.posts(machine["id"])] == [202]
