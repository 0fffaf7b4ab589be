"""Operations on one machine: accepted, followed, refused when busy or unreachable, and what a reboot leaves."""

import json
from collections.abc import Sequence
from datetime import datetime
from threading import Event
from typing import Any

import pytest

from infra.local.sandbox.guests import Assessment, GuestFailure, Installation, PendingUpdate
from infra.local.sandbox.http import Response
from tests.sandbox.world import World, install_body

BOTH = pytest.mark.parametrize("vm", [True, False], ids=["vm", "arc"])


@pytest.fixture
def world() -> World:
    return World()


def error(answer: Response) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(answer.body)["error"]


@BOTH
def test_an_operation_is_accepted_with_addresses_and_a_wait(world: World, vm: bool) -> None:
    machine = world.one(vm=vm)
    accepted = world.post(machine, "assessPatches")
    assert (accepted.status, accepted.body) == (202, b"")
    assert int(accepted.headers["Retry-After"]) >= 1
    location, followed = accepted.headers["Location"], accepted.headers["Azure-AsyncOperation"]
    assert "api-version=" in location
    if vm:
        assert "/providers/Microsoft.Compute/locations/" in followed
        assert "/operations/" in followed
        assert location == f"{followed}&monitor=true"
    else:
        assert "/providers/Microsoft.HybridCompute/locations/" in followed
        assert "/updateCenterOperationResults/" in location
        assert "/operationStatus/" in followed


@BOTH
def test_both_addresses_say_running_then_the_result(world: World, vm: bool) -> None:
    accepted = world.post(world.one(vm=vm), "assessPatches")
    followed = accepted.headers["Azure-AsyncOperation"]
    running = world.send("GET", followed)
    state = json.loads(running.body)
    assert (running.status, state["status"], "endTime" in state) == (200, "InProgress", False)
    assert "Retry-After" in running.headers
    waiting = world.send("GET", accepted.headers["Location"])
    assert (waiting.status, waiting.body) == (202, b"")
    assert waiting.headers["Location"] == accepted.headers["Location"]
    _, result = world.finish(accepted)
    ended = world.send("GET", followed)
    state = json.loads(ended.body)
    assert (state["status"], "endTime" in state) == ("Succeeded", True)
    assert "Retry-After" not in ended.headers
    assert state.get("properties", {}).get("output", result) == result
    assert ("properties" in state) == vm


@pytest.mark.parametrize(("speed", "wait"), [(1, "15"), (5, "3"), (120, "1"), (5000, "1")])
def test_the_wait_scales_with_speed_down_to_a_second(speed: float, wait: str) -> None:
    world = World(speed=speed, machines=12)
    assert world.post(world.one(), "assessPatches").headers["Retry-After"] == wait


def test_at_real_speed_an_assessment_takes_its_real_time() -> None:
    world = World(speed=1, machines=12)
    accepted = world.post(world.one(), "assessPatches")
    world.clock.advance(19)
    assert world.send("GET", accepted.headers["Location"]).status == 202
    world.clock.advance(102)
    assert world.send("GET", accepted.headers["Location"]).status == 200


@BOTH
@pytest.mark.parametrize("second", ["assessPatches", "installPatches"])
def test_a_second_operation_is_a_conflict_and_is_in_the_journal(world: World, vm: bool, second: str) -> None:
    machine = world.one(vm=vm)
    assert world.post(machine, "assessPatches").status == 202
    refused = world.post(machine, second, install_body(machine) if second == "installPatches" else None)
    assert (refused.status, error(refused)["code"]) == (409, "OperationNotAllowed")
    posts = [entry for entry in world.journal("request") if entry["method"] == "POST"]
    assert [(entry["status"], entry["effect"]) for entry in posts] == [(202, True), (409, False)]
    assert {entry["machine"] for entry in posts} == {machine["id"]}
    assert len(world.journal("operationAccepted")) == 1


@pytest.mark.parametrize("script", ["poweredOff", "deallocated"])
def test_a_vm_that_is_off_is_refused(world: World, script: str) -> None:
    machine = world.one(script=script, pending=0)
    for verb, body in (("assessPatches", None), ("installPatches", install_body(machine))):
        refused = world.post(machine, verb, body)
        assert refused.status == 409
        assert error(refused)["code"] == "OperationNotAllowed"
        assert "VM is not running" in error(refused)["message"]


def test_a_disconnected_arc_machine_is_refused(world: World) -> None:
    refused = world.post(world.one(script="disconnected", pending=0), "assessPatches")
    assert (refused.status, error(refused)["code"]) == (409, "MachineNotConnected")


def test_the_instance_view_shows_an_operation_from_its_start(world: World) -> None:
    machine = world.one(vm=True, pending=2)
    view = f"{machine['id']}/instanceView?api-version=2025-04-01"
    accepted = world.post(machine, "installPatches", install_body(machine))
    summary = world.get(view)["patchStatus"]["lastPatchInstallationSummary"]
    assert (summary["status"], summary["installedPatchCount"]) == ("InProgress", 0)
    assert summary["startTime"].startswith(world.clock.now.strftime("%Y-%m-%dT%H:%M:%S"))
    _, result = world.finish(accepted)
    status = world.get(view)["patchStatus"]
    ended = status["lastPatchInstallationSummary"]
    assert ended["installationActivityId"] == summary["installationActivityId"] == result["installationActivityId"]
    assert (ended["status"], ended["installedPatchCount"]) == ("Succeeded", len(machine["pending"]))
    assert status["availablePatchSummary"]["otherPatchCount"] == 0


@pytest.mark.parametrize(
    ("setting", "rebooted", "pending_after"), [("Never", "Required", True), ("IfRequired", "Completed", False)]
)
def test_a_needed_reboot_follows_the_setting(world: World, setting: str, rebooted: str, pending_after: bool) -> None:
    machine = world.one(script="rebootLeft")
    body = {**install_body(machine), "rebootSetting": setting}
    _, result = world.finish(world.post(machine, "installPatches", body))
    assert result["rebootStatus"] == rebooted
    _, assessed = world.finish(world.post(machine, "assessPatches"))
    assert assessed["rebootPending"] is pending_after


def test_a_reboot_that_was_left_is_made_up_for(world: World) -> None:
    machine = world.one(script="rebootLeft")
    world.finish(world.post(machine, "installPatches", install_body(machine)))
    body = {**install_body(machine), "rebootSetting": "IfRequired"}
    _, result = world.finish(world.post(machine, "installPatches", body))
    assert (result["status"], result["rebootStatus"], result["installedPatchCount"]) == ("Succeeded", "Completed", 0)


def test_always_reboots_and_nothing_needed_reboots_not(world: World) -> None:
    machine = world.one(vm=True)
    everything = install_body(machine)
    world.finish(world.post(machine, "installPatches", everything))
    _, quiet = world.finish(world.post(machine, "installPatches", everything))
    assert quiet["rebootStatus"] == "NotNeeded"
    _, loud = world.finish(world.post(machine, "installPatches", {**everything, "rebootSetting": "Always"}))
    assert loud["rebootStatus"] == "Completed"


def test_a_failed_update_stays_pending_with_its_error(world: World) -> None:
    machine = world.one(script="installationFails")
    _, result = world.finish(world.post(machine, "installPatches", install_body(machine)))
    assert (result["status"], result["failedPatchCount"]) == ("Failed", 1)
    assert result["installedPatchCount"] == len(machine["pending"]) - 1
    assert (result.get("error") or result["errorDetails"])["message"]
    after = next(item for item in world.get("/sandbox/fleet") if item["id"] == machine["id"])
    assert after["pending"] == machine["pending"][-1:]


@pytest.mark.parametrize("os", ["Windows", "Linux"])
def test_windows_names_classes_as_windows_update_does(world: World, os: str) -> None:
    machine = world.one(os=os, vm=True, pending=1)
    _, result = world.finish(world.post(machine, "assessPatches"))
    names = {word for patch in result["availablePatches"] for word in patch["classifications"]}
    shown = {"Critical Updates", "Security Updates", "Definition Updates", "Update Rollups", "Updates"}
    assert names <= (shown if os == "Windows" else {"Critical", "Security", "Other"})
    kbs = [patch.get("kbId", "") for patch in result["availablePatches"]]
    assert all(kb.isdigit() if os == "Windows" else kb == "" for kb in kbs)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/subscriptions/00000000-0000-0000-0000-000000000000", 404, "SubscriptionNotFound"),
        (
            "{subscription}/resourceGroups/nowhere/providers/Microsoft.Compute/virtualMachines",
            404,
            "ResourceGroupNotFound",
        ),
        ("{group}/providers/Microsoft.Compute/virtualMachines/nobody", 404, "ResourceNotFound"),
        ("{group}/providers/Microsoft.HybridCompute/machines/nobody", 404, "ResourceNotFound"),
        ("{subscription}/providers/Microsoft.Compute/locations/westeurope/operations/none", 404, "NotFound"),
        ("{subscription}/providers/Microsoft.Compute/disks", 501, "NotImplemented"),
        ("{machine}/restart", 501, "NotImplemented"),
    ],
)
def test_what_is_not_there_is_said_in_azures_words(world: World, path: str, status: int, code: str) -> None:
    id_ = world.one(vm=True)["id"]
    parts = id_.split("/")
    filled = path.format(subscription="/".join(parts[:3]), group="/".join(parts[:5]), machine=id_)
    version = "2022-12-01"
    if "providers" in filled:
        version = "2025-01-13" if "HybridCompute" in filled else "2025-04-01"
    answer = world.send("GET", f"{filled}?api-version={version}")
    assert (answer.status, error(answer)["code"]) == (status, code)


@pytest.mark.parametrize(
    ("query", "code"),
    [("", "MissingApiVersionParameter"), ("?api-version=2015-06-15", "InvalidApiVersionParameter")],
)
def test_a_version_is_needed_and_known(world: World, query: str, code: str) -> None:
    answer = world.send("GET", world.one(vm=True)["id"] + query)
    assert (answer.status, error(answer)["code"]) == (400, code)


@pytest.mark.parametrize("version", ["2020-12-01", "2022-11-01", "2024-11-01", "2026-04-01"])
def test_the_versions_of_sdk_and_command_line_are_taken(world: World, version: str) -> None:
    path = world.one(vm=True)["id"].upper().replace("/SUBSCRIPTIONS", "/subscriptions")
    assert world.send("GET", f"{path}?API-Version={version}").status == 200


class Folder:
    """A real system as the sandbox sees one: its calls block until the test lets them go on."""

    blocking = True

    def __init__(self) -> None:
        self.go_on = Event()
        self.pending = [PendingUpdate(id="bash_5.2", name="bash", version="5.2", classification="Security")]
        self.problem: Exception | None = None

    def assess(self) -> Assessment:
        if self.problem is not None:
            raise self.problem
        return Assessment(pending=tuple(self.pending), reboot_pending=False, source="APT")

    def install(self, ids: Sequence[str]) -> Installation:
        self.go_on.wait(10)
        self.pending = [update for update in self.pending if update.id not in ids]
        return Installation(states=dict.fromkeys(ids, "Installed"), reboot_required=False)


def until_ended(world: World, accepted: Response) -> tuple[int, Any]:
    """A real system needs real time: asks again until it is over, or the test's own time limit is."""
    began = datetime.now().astimezone()
    while (datetime.now().astimezone() - began).total_seconds() < 10:
        answer = world.send("GET", accepted.headers["Location"])
        world.clock.advance(1)
        if answer.status != 202:
            return answer.status, json.loads(answer.body)
    raise AssertionError("the real system's operation did not end")


def test_a_real_system_ends_its_operation_itself() -> None:
    guest = Folder()
    world = World(guest=guest, machines=10)
    machine = world.fleet[-1]
    assert (machine["real_guest"], machine["pending"]) == (True, ["bash_5.2"])
    assert sum(item["real_guest"] for item in world.fleet) == 1
    accepted = world.post(machine, "installPatches", install_body(machine))
    world.clock.advance(12 * 3600)
    assert world.send("GET", accepted.headers["Location"]).status == 202
    assert world.post(machine, "assessPatches").status == 409
    guest.go_on.set()
    status, result = until_ended(world, accepted)
    assert (status, result["status"], result["installedPatchCount"]) == (200, "Succeeded", 1)
    assert world.journal("guestChanged")[-1]["installed"] == ["bash_5.2"]
    assert world.get("/sandbox/fleet")[-1]["pending"] == []


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (GuestFailure("PACKAGE_MANAGER_FAILURE", "no mirror"), "PACKAGE_MANAGER_FAILURE"),
        (OSError("gone"), "GuestCrashed"),
    ],
)
def test_a_real_systems_failure_is_the_operations_error(problem: Exception, code: str) -> None:
    guest = Folder()
    world = World(guest=guest, machines=10)
    guest.problem = problem
    status, result = until_ended(world, world.post(world.fleet[-1], "assessPatches"))
    assert (status, result["error"]["code"]) == (409, code)
    guest.problem = None
    assert until_ended(world, world.post(world.fleet[-1], "assessPatches"))[0] == 200
