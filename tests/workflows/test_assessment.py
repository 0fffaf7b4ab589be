"""Assessments from their plan or request to their result, on every kind of machine."""

import uuid
from datetime import datetime, timedelta

import pytest

from shared.cloud.clock import Clock
from shared.domain.assessment import REFUSAL_PAUSE
from shared.domain.errors import RequestError
from shared.domain.fleet import status_of
from shared.domain.machine import Outcome, unreachable
from shared.domain.operation import ASSESSMENT_DEADLINE, State
from shared.workflows.conclusion import RESULTS_PATIENCE
from shared.workflows.planner import plan_assessments
from tests.cloud.world import Json
from tests.workflows.conftest import Build
from tests.workflows.house import OLDEST, WHO, House

SKIPPED = ("poweredOff", "deallocated", "disconnected", "clusterNode")


def told(house: House, machine: Json) -> tuple[str, str]:
    """Outcome and reason of a machine as an overview says them."""
    record = house.record(machine)
    if record.assessment:
        why = record.assessment.reason
        return record.assessment.outcome, why.code if why else ""
    _, why = status_of(record)
    return "Skipped", why.code if why else ""


@pytest.mark.azurite
def test_a_whole_fleet_is_assessed_as_its_scripts_make_right(house: House) -> None:
    house.inventory()
    house.plan()
    house.run()
    for machine in house.fleet:
        expected = machine["expected"]["assessment"]
        assert told(house, machine) == (expected["outcome"], expected["reason"]), machine
        taken = [post for post in house.posts(machine["id"]) if post["effect"]]
        assert len(taken) == (machine["script"] not in SKIPPED), machine
        if machine["script"] in SKIPPED:
            assert house.posts(machine["id"]) == [], "never even asked"
        if expected["outcome"] == "Succeeded":
            assert house.pending(machine) == set(machine["pending"]), machine
    assert house.store.agenda.oldest() is not None, "struck out by the timer"
    house.live(20)
    assert house.store.agenda.oldest() is None


@pytest.mark.parametrize(("os", "vm"), [("Windows", True), ("Linux", True), ("Linux", False)])
def test_an_assessment_asked_for_now(house: House, os: str, vm: bool) -> None:
    machine = house.know(house.one(os=os, vm=vm))
    asked = house.assess(machine)
    assert (asked.state, asked.requested_by) == (State.CLAIMED, WHO)
    house.run()
    done = house.attempt(machine, asked.attempt)
    assert (done.state, done.outcome, done.reason) == (State.ENDED, Outcome.SUCCEEDED, None)
    (post,) = house.posts(machine["id"])
    assert post["clientRequestId"] == asked.attempt
    look = house.record(machine).assessment
    assert look == done.assessment
    assert look is not None
    assert (look.pending, look.requested_by) == (len(machine["pending"]), WHO)
    assert house.pending(machine) == set(machine["pending"])
    assert house.in_flight(machine) is None


def test_what_was_pending_and_is_not_any_more_is_forgotten(house: House) -> None:
    machine = house.know(house.one(os="Linux", vm=True, pending=3))
    house.assess(machine, "before")
    house.run()
    keep = sorted(machine["pending"])[1:]
    names = [
        update.name for update in house.store.updates.of(house.record(machine).machine.address) if update.id in keep
    ]
    house.install(machine, "install", linuxParameters={"packageNameMasksToInclude": sorted(set(names))})
    house.run()
    house.assess(machine, "after")
    house.run()
    (now,) = [each["pending"] for each in house.ask("/sandbox/fleet") if each["id"] == machine["id"]]
    assert house.pending(machine) == set(now)
    assert len(now) < len(machine["pending"])


def test_a_busy_machine_is_waited_for(build: Build) -> None:
    """Somebody else's operation keeps it for ten minutes: asked again within Azure's throttle, then assessed."""
    house = build(speed=2)
    machine = house.know(house.one("busy"))
    asked = house.assess(machine)
    house.run()
    assert told(house, machine) == ("Succeeded", "")
    statuses = [post["status"] for post in house.posts(machine["id"])]
    assert statuses[-1] == 202
    assert set(statuses[:-1]) == {409}
    assert len(statuses) > 3
    assert house.attempt(machine, asked.attempt).tries == len(statuses) - 1


def test_a_machine_that_stays_busy_ends_with_that_reason(build: Build) -> None:
    house = build(speed=0.5)
    machine = house.know(house.one("busy"))
    asked = house.assess(machine)
    house.run()
    done = house.attempt(machine, asked.attempt)
    assert (done.state, done.outcome) == (State.ENDED, Outcome.NOT_STARTED)
    assert done.reason is not None
    assert done.reason.code == "MachineBusy"
    assert "OperationNotAllowed" in done.reason.detail
    refusal = house.record(machine).refusal
    assert refusal is not None
    assert refusal.reason == done.reason
    assert {post["status"] for post in house.posts(machine["id"])} == {409}
    assert house.in_flight(machine) is None


@pytest.mark.parametrize(("script", "was"), [("poweredOff", "running"), ("disconnected", "Connected")])
def test_a_machine_that_went_off_since_the_inventory(house: House, script: str, was: str) -> None:
    """Azure's 409 may mean busy or off; the app asks which, and does not wait for one that is off."""
    machine = house.know(house.one(script, pending=0), connection=was)
    assert house.plan() == 1
    house.run()
    refusal = house.record(machine).refusal
    assert refusal is not None
    assert refusal.reason.code == ("PoweredOff" if script == "poweredOff" else "Disconnected")
    assert len(house.posts(machine["id"])) == 1
    assert house.plan() == 0, "not asked again at once"
    house.clock.advance(REFUSAL_PAUSE.total_seconds())
    assert house.plan() == 1


def test_a_node_of_a_cluster_is_refused_with_that_reason(house: House) -> None:
    node = house.know(house.one("clusterNode"))
    for ask in (house.assess, house.install):
        with pytest.raises(RequestError) as refusal:
            ask(node)
        assert (refusal.value.status, refusal.value.code) == (409, "UpdatedThroughCluster")


@pytest.mark.parametrize("os", ["Windows", "Linux"])
def test_a_failed_assessment_keeps_azures_raw_error(build: Build, os: str) -> None:
    house = build(machines=60)
    machine = house.know(house.one("assessmentFails", os=os))
    house.assess(machine)
    house.run()
    look = house.record(machine).assessment
    assert look is not None
    assert look.reason is not None
    assert (look.outcome, look.reason.code) == (Outcome.FAILED, "AssessmentFailed")
    assert ("0x8024402C" if os == "Windows" else "PACKAGE_MANAGER_FAILURE") in look.reason.detail
    assert house.pending(machine) == set()


def test_every_machine_is_planned_again_after_a_day_and_not_before(house: House) -> None:
    machine = house.know(house.one(vm=True))
    assert house.plan() == 1
    assert house.plan() == 0, "under way"
    house.run()
    look = house.record(machine).assessment
    assert look is not None
    house.clock.now = look.ended + OLDEST - timedelta(seconds=1)
    assert house.plan() == 0
    house.clock.advance(1)
    assert house.plan() == 1
    house.run()
    assert len(house.posts(machine["id"])) == 2


def test_a_patched_machine_is_looked_at_again(house: House) -> None:
    machine = house.know(house.one(os="Windows", vm=True))
    house.assess(machine)
    house.run()
    assert house.plan() == 0
    house.install(machine)
    house.run()
    assert house.plan() == 1
    house.run()
    assert house.pending(machine) == set()


def test_a_list_that_azure_does_not_publish_is_late(build: Build) -> None:
    """Resource Graph takes longer than anybody waits: the counts stand, and the reason is said."""
    house = build(speed=0.1)
    machine = house.know(house.one(vm=False))
    asked = house.assess(machine)
    house.run(600, until=lambda: bool(house.journal("operationEnded")))
    house.run(5)
    assert house.attempt(machine, asked.attempt).state is State.ACCEPTED, "its list is waited for"
    house.clock.advance(RESULTS_PATIENCE.total_seconds() - 300)
    house.run(600)
    done = house.attempt(machine, asked.attempt)
    assert done.state is State.ENDED
    assert done.outcome is Outcome.SUCCEEDED
    assert done.reason is not None
    assert done.reason.code == "ResultsLate"
    assert done.assessment is not None
    assert done.assessment.pending == len(machine["pending"])
    assert done.ended is not None
    assert timedelta() <= done.ended - done.assessment.ended - RESULTS_PATIENCE < timedelta(minutes=5)


def test_a_list_that_cannot_be_read_is_late_too(house: House) -> None:
    """The app may not ask Resource Graph: what Azure's own result said is not thrown away for that."""
    machine = house.know(house.one(vm=False))
    house.fault(403, "/Microsoft.ResourceGraph/", headers={"Retry-After": "300"}, times=999)
    asked = house.assess(machine)
    house.run(600)
    done = house.attempt(machine, asked.attempt)
    assert done.state is State.ENDED
    assert done.outcome is Outcome.SUCCEEDED
    assert done.reason is not None
    assert done.reason.code == "ResultsLate"


def test_an_end_that_never_comes_is_no_answer(build: Build) -> None:
    house = build(speed=0.002)
    machine = house.know(house.one(vm=True))
    asked = house.assess(machine)
    house.run(600)
    done = house.attempt(machine, asked.attempt)
    assert (done.state, done.outcome) == (State.ENDED, Outcome.UNKNOWN)
    assert done.reason is not None
    assert done.reason.code == "NoAnswer"
    assert done.ended is not None
    assert done.ended - done.claimed <= ASSESSMENT_DEADLINE + timedelta(hours=1)
    assert house.in_flight(machine) is None
    assert len(house.posts(machine["id"])) == 1


def test_a_plan_that_takes_too_long_goes_on_next_time_where_it_stopped(house: House) -> None:
    """A minute passes at each look at the clock: a plan ends after a few resource groups, none is left out for ever."""
    house.inventory()
    scopes = house.store.fleet.scopes()

    def minutes_later() -> datetime:
        house.clock.advance(61)
        return house.clock.now

    stops = set()
    for _ in scopes:
        plan_assessments(house.store, OLDEST, Clock(minutes_later), lambda: str(uuid.uuid4()))
        stops.add(house.store.fleet.planner())
    records = [record for scope in scopes for record in house.store.machines.in_scope(scope)]
    assert len(stops) > 2
    assert [r.machine.name for r in records if r.planned is None and unreachable(r.machine) is None] == []
