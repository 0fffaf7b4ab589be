"""A start that Azure did not answer: looked for, never repeated in that run, and closed with a reason in time."""

from datetime import timedelta

import pytest

from shared.domain.machine import Outcome
from shared.domain.messages import FollowOperation
from shared.domain.operation import UNCONFIRMED_PATIENCE, State, end
from shared.domain.reason import reason
from tests.cloud.world import Json, address_of
from tests.workflows.house import House

MACHINES = [("Windows", True), ("Linux", True), ("Windows", False), ("Linux", False)]
ALL = pytest.mark.parametrize(("os", "vm"), MACHINES)
BOTH = pytest.mark.parametrize(("os", "vm"), [("Windows", True), ("Linux", False)])


def healthy(house: House, os: str, vm: bool) -> Json:
    """One that can end well; the only Windows machine of Arc's in a small fleet is slow."""
    script = "slow" if (os, vm) == ("Windows", False) else "healthy"
    return house.know(house.one(script, os=os, vm=vm))


def effects(house: House, machine: Json) -> list[bool]:
    """Of each POST that reached Azure: whether it was carried out."""
    return [post["effect"] for post in house.posts(machine["id"])]


@ALL
def test_an_assessment_that_was_taken_is_found_and_ends_well(house: House, os: str, vm: bool) -> None:
    machine = healthy(house, os, vm)
    house.fault(503, "/assessPatches", effect=True)
    asked = house.assess(machine)
    house.step()
    operation = house.in_flight(machine)
    assert operation is not None
    assert operation.state is State.UNCONFIRMED
    house.run()
    done = house.attempt(machine, asked.attempt)
    assert (done.state, done.outcome, done.reason) == (State.ENDED, Outcome.SUCCEEDED, None)
    assert effects(house, machine) == [True]
    assert house.pending(machine) == set(machine["pending"])
    assert house.in_flight(machine) is None


@ALL
def test_an_installation_that_was_taken_is_found_and_ends_well(house: House, os: str, vm: bool) -> None:
    machine = healthy(house, os, vm)
    house.fault(503, "/installPatches", effect=True)
    asked = house.install(machine)
    house.run()
    done = house.attempt(machine, asked.attempt)
    assert (done.state, done.outcome, done.reason) == (State.ENDED, Outcome.SUCCEEDED, None)
    assert effects(house, machine) == [True]
    loaded = house.store.runs.load(asked.attempt)
    assert loaded is not None
    assert loaded.run.closed is not None
    assert loaded.machines[0].outcome is Outcome.SUCCEEDED
    assert done.installation is not None
    assert done.installation.counts["installed"] == len(machine["pending"])
    kept = house.store.history.updates_of(house.record(machine).machine.address, done.installation.id)
    assert {(update.id, update.state) for update in kept} == {(id_, "Installed") for id_ in machine["pending"]}


@pytest.mark.parametrize("status", [408, 500, 502, 504])
def test_every_silent_answer_is_treated_so(house: House, status: int) -> None:
    machine = house.know(house.one(vm=True))
    house.fault(status, "/installPatches", effect=True, times=9)
    asked = house.install(machine)
    house.run()
    assert house.attempt(machine, asked.attempt).outcome is Outcome.SUCCEEDED
    assert effects(house, machine) == [True]


@BOTH
def test_an_assessment_that_was_lost_ends_unconfirmed_and_is_made_again_later(house: House, os: str, vm: bool) -> None:
    machine = healthy(house, os, vm)
    house.fault(503, "/assessPatches", effect=False)
    asked = house.assess(machine)
    house.run()
    done = house.attempt(machine, asked.attempt)
    assert (done.state, done.outcome) == (State.ENDED, Outcome.UNKNOWN)
    assert done.reason is not None
    assert done.reason.code == "StartUnconfirmed"
    assert done.ended is not None
    assert done.ended - done.claimed < UNCONFIRMED_PATIENCE + timedelta(minutes=2)
    assert effects(house, machine) == [False]
    refusal = house.record(machine).refusal
    assert refusal is not None
    assert refusal.reason == done.reason

    house.clock.advance(3600)
    assert house.plan() == 1
    house.run()
    assert effects(house, machine) == [False, True]
    look, later = house.record(machine).assessment, house.record(machine).refusal
    assert look is not None
    assert (look.outcome, later) == (Outcome.SUCCEEDED, None)


@BOTH
def test_an_installation_that_was_lost_is_never_sent_again_in_its_run(house: House, os: str, vm: bool) -> None:
    machine = healthy(house, os, vm)
    house.fault(503, "/installPatches", effect=False)
    asked = house.install(machine)
    house.live(30)
    done = house.attempt(machine, asked.attempt)
    assert (done.state, done.outcome) == (State.ENDED, Outcome.UNKNOWN)
    assert done.reason is not None
    assert done.reason.code == "StartUnconfirmed"
    loaded = house.store.runs.load(asked.attempt)
    assert loaded is not None
    assert loaded.run.closed is not None
    assert loaded.run.closed - asked.claimed < UNCONFIRMED_PATIENCE + timedelta(minutes=3)
    assert (loaded.machines[0].outcome, loaded.machines[0].reason) == (Outcome.UNKNOWN, done.reason)
    last = house.record(machine).installation
    assert last is not None
    assert (last.outcome, last.reason) == (Outcome.UNKNOWN, done.reason)
    assert effects(house, machine) == [False]
    assert house.store.agenda.oldest() is None

    house.install(machine, "another run")
    house.run()
    assert effects(house, machine) == [False, True], "another run may"


def test_a_look_of_days_ago_is_no_trace(house: House) -> None:
    """Two machines in five carry an assessment from before, in the instance view and in Resource Graph."""
    told = [each for each in house.fleet if each["script"] == "healthy" and remembers(house, each)]
    assert told, "no healthy machine of this fleet was assessed before"
    for machine in told:
        house.know(machine)
        house.fault(503, "/assessPatches", effect=False)
        asked = house.assess(machine)
        house.run()
        reason = house.attempt(machine, asked.attempt).reason
        assert reason is not None
        assert reason.code == "StartUnconfirmed"


def remembers(house: House, machine: Json) -> bool:
    compute = house.azure.compute(machine["subscription"]).virtual_machines
    if machine["kind"] != "AzureVM":
        return False
    parts = machine["id"].split("/")
    status = compute.instance_view(parts[4], parts[8]).patch_status
    return bool(status and status.available_patch_summary)


def test_a_reboot_that_is_left_is_said_so_also_by_a_trace(house: House) -> None:
    """What was installed without its reboot is no failed installation, whatever told us."""
    machine = house.know(house.one(os="Windows", vm=True, pending=2))
    house.fault(503, "/installPatches", effect=True)
    asked = house.install(machine, rebootSetting="Never")
    house.run()
    done = house.attempt(machine, asked.attempt)
    assert done.outcome is Outcome.WARNINGS
    assert done.reason is not None
    assert done.reason.code == "RebootRequired"


def test_a_failure_to_look_for_traces_does_not_end_the_search(house: House) -> None:
    machine = house.know(house.one(vm=True))
    house.fault(503, "/assessPatches", effect=True)
    house.fault(403, "/instanceView", "GET", times=3)
    asked = house.assess(machine)
    house.run()
    assert house.attempt(machine, asked.attempt).outcome is Outcome.SUCCEEDED
    assert effects(house, machine) == [True]


def test_an_operation_whose_address_expired_is_found_by_its_trace(house: House) -> None:
    """404 and 410 are no outcome."""
    machine = house.know(house.one(vm=True))
    asked = house.assess(machine)
    house.fault(404, "/operations/", "GET", times=99)
    house.run()
    done = house.attempt(machine, asked.attempt)
    assert (done.state, done.outcome) == (State.ENDED, Outcome.SUCCEEDED)
    assert house.pending(machine) == set(machine["pending"])
    assert effects(house, machine) == [True]


def test_a_start_that_was_found_late_is_not_called_unconfirmed_while_its_updates_are_waited_for(house: House) -> None:
    """The look that finds it is the last one for traces, and Resource Graph has not published its updates."""
    machine = house.know(house.one(vm=True))
    house.fault(503, "/assessPatches", effect=True)
    asked = house.assess(machine)
    house.step()
    house.lose()
    house.clock.advance(UNCONFIRMED_PATIENCE.total_seconds())
    house.sandbox.hidden = ("/subscriptions/",)
    house.deliver(FollowOperation(machine=machine["id"], attempt=asked.attempt, look=0))
    assert house.record(machine).refusal is None
    operation = house.in_flight(machine)
    assert operation is not None
    assert operation.state is State.ACCEPTED
    assert [letter.queue for letter in house.waiting()] == ["operations"], "its looks go on"
    house.sandbox.hidden = ()
    house.run()
    assert house.attempt(machine, asked.attempt).outcome is Outcome.SUCCEEDED
    assert house.record(machine).refusal is None


def given_up(house: House, machine: Json) -> FollowOperation:
    """The end is saved, and its worker dies; the message that comes again."""
    house.fault(503, "/assessPatches", effect=False)
    house.assess(machine)
    house.step()
    held = house.store.operations.in_flight(address_of(machine))
    assert held is not None
    ended = end(held.operation, Outcome.UNKNOWN, reason("StartUnconfirmed"), house.now)
    house.store.operations.save(held, ended)
    return FollowOperation(machine=machine["id"], attempt=ended.attempt, look=ended.looks)


def test_the_machine_is_told_of_an_end_though_the_worker_that_saved_it_died(house: House) -> None:
    machine = house.know(house.one(vm=True))
    again = given_up(house, machine)
    assert house.record(machine).refusal is None
    house.clock.advance(60)
    house.deliver(again)
    told = house.record(machine).refusal
    assert told is not None
    assert (told.at, told.reason.code) == (house.attempt(machine, again.attempt).ended, "StartUnconfirmed")


def test_a_message_that_comes_again_after_newer_work_tells_nothing(house: House) -> None:
    machine = house.know(house.one(vm=True))
    again = given_up(house, machine)
    house.clock.advance(60)
    house.assess(machine, "r-2")
    house.run()
    before = house.record(machine)
    assert before.assessment is not None
    house.deliver(again)
    assert house.record(machine) == before
