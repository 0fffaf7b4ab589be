"""Installations asked for now: the window and what is left of it, its end, and what is kept."""

from datetime import timedelta

import pytest

from shared.domain.errors import RequestError
from shared.domain.installation import START_ROOM, shortest
from shared.domain.machine import OperatingSystem, Outcome
from shared.domain.operation import State
from shared.domain.run import CLOCK_GUARD, SEND_TIMEOUT
from tests.cloud.world import Json
from tests.workflows.conftest import Build
from tests.workflows.house import House

CHOSEN = ("healthy", "slow", "busy", "rebootLeft", "installationFails", "windowExceeded", "assessmentFails")


def minutes(text: str) -> int:
    assert text.startswith("PT")
    assert text.endswith("M")
    return int(text[2:-1])


def reason_of(house: House, machine: Json, run: str) -> str:
    why = house.attempt(machine, run).reason
    return why.code if why else ""


@pytest.mark.azurite
def test_a_whole_fleet_is_installed_as_its_scripts_make_right(build: Build) -> None:
    """Also that exactly what was pending is there afterwards or is not: by the truth inside each machine."""
    house = build(machines=20)
    house.inventory()
    chosen = [machine for machine in house.fleet if machine["script"] in CHOSEN]
    assert {machine["script"] for machine in chosen} == set(CHOSEN)
    runs = {machine["id"]: house.install(machine).attempt for machine in chosen}
    house.run()
    for machine in chosen:
        expected, done = machine["expected"]["installation"], house.record(machine).installation
        assert done is not None
        told = (done.outcome, done.reason.code if done.reason else "")
        assert told == (expected["outcome"], expected["reason"]), machine
        assert done.run == runs[machine["id"]]
        assert [post["effect"] for post in house.posts(machine["id"])].count(True) == 1
        loaded = house.store.runs.load(done.run)
        assert loaded is not None
        assert loaded.run.closed is not None
        assert (loaded.machines[0].outcome, loaded.machines[0].reason) == (done.outcome, done.reason)


@pytest.mark.parametrize(("os", "vm"), [("Windows", True), ("Linux", True), ("Linux", False)])
def test_what_was_installed_is_kept_update_by_update(house: House, os: str, vm: bool) -> None:
    """An Arc machine's list comes from Resource Graph, a while after the end."""
    machine = house.know(house.one(os=os, vm=vm, pending=2))
    asked = house.install(machine)
    house.run()
    address = house.record(machine).machine.address
    (kept,) = house.store.history.installations(address)
    assert (kept.run, kept.outcome, kept.counts["installed"]) == (asked.attempt, "Succeeded", len(machine["pending"]))
    states = {update.id: update.state for update in house.store.history.updates_of(address, kept.id)}
    assert states == dict.fromkeys(machine["pending"], "Installed")


@pytest.mark.parametrize(
    ("asked", "sent"),
    [("PT2H", 119), ("PT90M", 89), ("PT90M30S", 90), ("PT3H55M", 234), ("PT4H", 235), ("PT8H", 235), ("P1D", 235)],
)
def test_what_is_sent_is_whole_minutes_left_and_at_most_the_setting(house: House, asked: str, sent: int) -> None:
    machine = house.know(house.one(vm=True))
    house.install(machine, maximumDuration=asked)
    house.run()
    (body,) = house.sent_bodies(machine["id"])
    assert minutes(body["maximumDuration"]) == sent


def test_a_vm_may_leave_the_duration_out_and_an_arc_machine_may_not(house: House) -> None:
    vm, arc = house.one(vm=True), house.one(vm=False)
    house.know(vm, arc)
    house.install(vm, maximumDuration=None)
    house.run()
    (body,) = house.sent_bodies(vm["id"])
    assert minutes(body["maximumDuration"]) == 234
    with pytest.raises(RequestError) as refusal:
        house.install(arc, maximumDuration=None)
    assert (refusal.value.status, refusal.value.target) == (400, "maximumDuration")
    assert house.in_flight(arc) is None


def test_time_spent_waiting_is_taken_off_the_window(build: Build) -> None:
    """Busy for ten minutes: what is asked of Azure in the end is only what is left."""
    house = build(speed=2)
    machine = house.know(house.one("busy"))
    asked = house.install(machine, maximumDuration="PT60M")
    house.run()
    bodies = [minutes(body["maximumDuration"]) for body in house.sent_bodies(machine["id"])]
    assert bodies == sorted(bodies, reverse=True)
    posts = house.posts(machine["id"])
    assert [post["status"] for post in posts] == [*[409] * (len(posts) - 1), 202]
    started = house.attempt(machine, asked.attempt).sent
    assert started is not None
    left = asked.claimed + timedelta(minutes=60) - started
    assert bodies[-1] == int(left.total_seconds() // 60)
    assert 45 <= bodies[-1] <= 50


def test_no_time_left_ends_the_run_and_frees_the_machine(build: Build) -> None:
    """Busy beyond the cut-off: nothing is sent after it, the reason is said, and the next request may come."""
    house = build(speed=0.5)
    machine = house.know(house.one("busy"))
    asked = house.install(machine, maximumDuration="PT30M")
    house.run()
    assert house.attempt(machine, asked.attempt).state is State.ENDED
    assert reason_of(house, machine, asked.attempt) in ("NoTimeLeft", "MachineBusy")
    last = house.record(machine).installation
    assert last is not None
    assert last.outcome is Outcome.NOT_STARTED
    reserve = shortest(OperatingSystem(machine["os"]), "IfRequired") + CLOCK_GUARD + SEND_TIMEOUT
    cut_off = asked.claimed + timedelta(minutes=30) - reserve
    assert asked.not_after == cut_off
    assert all(moment(post) <= cut_off.isoformat() for post in house.posts(machine["id"]))
    assert house.in_flight(machine) is None
    assert house.install(machine, "another").state is State.CLAIMED


def moment(entry: Json) -> str:
    return str(entry["time"])


def test_messages_that_come_after_the_cut_off_start_nothing(house: House) -> None:
    machine = house.know(house.one(vm=True))
    asked = house.install(machine, maximumDuration="PT30M")
    house.clock.advance(30 * 60)
    house.run()
    done = house.attempt(machine, asked.attempt)
    assert (done.state, done.outcome) == (State.ENDED, Outcome.NOT_STARTED)
    assert reason_of(house, machine, asked.attempt) == "NoTimeLeft"
    assert house.posts(machine["id"]) == []
    assert house.in_flight(machine) is None
    loaded = house.store.runs.load(asked.attempt)
    assert loaded is not None
    assert loaded.run.closed is not None
    assert loaded.machines[0].reason == done.reason


def test_nothing_is_sent_before_the_window_is_surely_open(house: House) -> None:
    machine = house.know(house.one(vm=True))
    asked = house.install(machine)
    house.run()
    (post,) = house.posts(machine["id"])
    assert moment(post) >= (asked.claimed + CLOCK_GUARD).isoformat()


@pytest.mark.parametrize(("os", "reboot"), [("Windows", "IfRequired"), ("Linux", "IfRequired"), ("Windows", "Never")])
def test_the_shortest_window_that_is_taken_is_used(house: House, os: str, reboot: str) -> None:
    machine = house.know(house.one(os=os, vm=True))
    least = shortest(OperatingSystem(os), reboot) + START_ROOM
    text = f"PT{int(least.total_seconds())}S"
    asked = house.install(machine, maximumDuration=text, rebootSetting=reboot)
    house.run()
    assert len(house.posts(machine["id"])) == 1
    shorter = f"PT{int(least.total_seconds()) - 1}S"
    with pytest.raises(RequestError) as refusal:
        house.install(machine, "another", maximumDuration=shorter, rebootSetting=reboot)
    assert (refusal.value.status, refusal.value.target) == (400, "maximumDuration")
    assert house.attempt(machine, asked.attempt).state is State.ENDED


def test_a_body_that_azure_refuses_ends_with_azures_words(house: House) -> None:
    machine = house.know(house.one(vm=True))
    house.fault(400, "/installPatches")
    asked = house.install(machine)
    house.run()
    done = house.attempt(machine, asked.attempt)
    assert (done.outcome, reason_of(house, machine, asked.attempt)) == (Outcome.NOT_STARTED, "StartRefused")
    assert done.reason is not None
    assert "400 InjectedFault: A fault that was asked for." in done.reason.detail
    assert len(house.posts(machine["id"])) == 1
    assert house.in_flight(machine) is None


def test_a_machine_that_azure_deleted_meanwhile_is_not_started(house: House) -> None:
    machine = house.know(house.one(vm=True))
    house.fault(404, "/installPatches")
    asked = house.install(machine)
    house.run()
    assert reason_of(house, machine, asked.attempt) == "StartRefused"
    assert len(house.posts(machine["id"])) == 1
    loaded = house.store.runs.load(asked.attempt)
    assert loaded is not None
    assert loaded.run.closed is not None


def test_a_vm_that_is_off_is_not_waited_for(house: House) -> None:
    machine = house.know(house.one("poweredOff", pending=0), connection="running")
    asked = house.install(machine)
    house.run()
    done = house.attempt(machine, asked.attempt)
    assert (done.outcome, reason_of(house, machine, asked.attempt)) == (Outcome.NOT_STARTED, "PoweredOff")
    assert len(house.posts(machine["id"])) == 1


def test_only_what_was_selected_is_asked_for_and_installed(house: House) -> None:
    machine = house.know(house.one(os="Linux", vm=True, pending=3))
    house.assess(machine)
    house.run()
    updates = house.store.updates.of(house.record(machine).machine.address)
    chosen = updates[0].name
    house.install(machine, linuxParameters={"packageNameMasksToInclude": [chosen]})
    house.run()
    (body,) = house.sent_bodies(machine["id"])
    assert body["linuxParameters"] == {"packageNameMasksToInclude": [chosen]}
    changed = [entry["installed"] for entry in house.journal("guestChanged") if entry["machine"] == machine["id"]]
    assert [set(ids) for ids in changed] == [{update.id for update in updates if update.name == chosen}]
