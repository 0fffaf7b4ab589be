"""Every machine of a fleet ends as its script says, judged by what Azure's answers show and nothing else."""

from collections import Counter
from random import Random
from typing import Any

import pytest

from infra.local.sandbox.casting import cast
from infra.local.sandbox.scripts import Script
from tests.sandbox.world import World, install_body, version_of

SEEDS = [1, 42, 2026]
Verdict = dict[str, str]


def verdict(outcome: str, reason: str = "") -> Verdict:
    return {"outcome": outcome, "reason": reason}


def left_alone(world: World, machine: dict[str, Any]) -> Verdict | None:
    """Why nothing can be asked of the machine, by its inventory."""
    version = version_of(machine)
    if machine["kind"] == "AzureVM":
        statuses = world.get(f"{machine['id']}/instanceView?api-version={version}")["statuses"]
        running = "PowerState/running" in [status["code"] for status in statuses]
        return None if running else verdict("Skipped", "PoweredOff")
    shown = world.get(f"{machine['id']}?api-version={version}")
    if shown["properties"].get("parentClusterResourceId"):
        return verdict("Skipped", "UpdatedThroughCluster")
    return None if shown["properties"]["status"] == "Connected" else verdict("Skipped", "Disconnected")


def result_of(world: World, machine: dict[str, Any], verb: str, body: object = None) -> tuple[int, Any]:
    """Status and body at the operation's end; a busy machine is asked again until it is free."""
    answer = world.post(machine, verb, body)
    for _ in range(30):
        if answer.status != 409:
            break
        world.clock.advance(40)
        answer = world.post(machine, verb, body)
    return world.finish(answer)


def assessed(world: World, machine: dict[str, Any]) -> Verdict:
    status, result = result_of(world, machine, "assessPatches")
    failed = status != 200 or result["status"] == "Failed"
    return verdict("Failed", "AssessmentFailed") if failed else verdict(result["status"])


def installed(world: World, machine: dict[str, Any]) -> Verdict:
    status, result = result_of(world, machine, "installPatches", install_body(machine))
    if status != 200:
        return verdict("Failed", "InstallationFailed")
    if result["status"] == "Failed":
        reason = "WindowExceeded" if result["maintenanceWindowExceeded"] else "InstallationFailed"
        return verdict("Failed", reason)
    return verdict(result["status"], "RebootRequired" if result["rebootStatus"] == "Required" else "")


@pytest.mark.parametrize("seed", SEEDS)
def test_every_machine_ends_as_its_script_says(seed: int) -> None:
    world = World(seed=seed)
    for machine in world.fleet:
        alone = left_alone(world, machine)
        seen = {
            "assessment": alone or assessed(world, machine),
            "installation": alone or installed(world, machine),
        }
        assert seen == machine["expected"], machine


def left_to_platform(world: World, machine: dict[str, Any]) -> bool:
    """Whether Azure patches the machine by itself, by what its address shows."""
    if machine["kind"] != "AzureVM":
        return False
    profile = world.get(f"{machine['id']}?api-version={version_of(machine)}")["properties"]["osProfile"]
    settings = (profile.get("windowsConfiguration") or profile["linuxConfiguration"])["patchSettings"]
    bypass = settings.get("automaticByPlatformSettings", {}).get("bypassPlatformSafetyChecksOnUserSchedule")
    return settings["patchMode"] == "AutomaticByPlatform" and not bypass


@pytest.mark.parametrize("seed", SEEDS)
def test_a_window_leaves_to_azure_what_azure_patches_and_nothing_else(seed: int) -> None:
    world = World(seed=seed)
    left = {item["id"]: left_to_platform(world, item) for item in world.fleet}
    assert any(left.values())
    for item in world.fleet:
        alone = verdict("Skipped", "PatchedByPlatform")
        assert item["expected_in_window"] == (alone if left[item["id"]] else item["expected"]["installation"])


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_pending_afterwards_follows_from_the_outcome(seed: int) -> None:
    world = World(seed=seed)
    for machine in world.fleet:
        if left_alone(world, machine) is None:
            installed(world, machine)
    for before, after in zip(world.fleet, world.get("/sandbox/fleet"), strict=True):
        left = set(after["pending"])
        assert left <= set(before["pending"])
        done = before["expected"]["installation"]["outcome"] in ("Succeeded", "CompletedWithWarnings")
        assert not left if done else left, before


@pytest.mark.parametrize("seed", SEEDS)
def test_sixty_machines_hold_two_of_each_script_and_are_mostly_healthy(seed: int) -> None:
    scripts = Counter(machine["script"] for machine in World(seed=seed).fleet)
    assert set(scripts) == {script.value for script in Script}
    assert min(scripts.values()) >= 2
    assert scripts["healthy"] > 30


def test_sixty_machines_of_which_one_is_real_hold_two_of_each_script_as_well() -> None:
    scripts = Counter(part.script for part in cast(59, Random(1)))
    assert [script for script in Script if scripts[script] < (1 if script is Script.CLUSTER_NODE else 2)] == []


def test_a_busy_machine_is_busy_once_and_by_somebody_else() -> None:
    world = World()
    machine = world.one(script="busy")
    assert world.post(machine, "assessPatches").status == 409
    world.clock.advance(9)
    assert world.post(machine, "assessPatches").status == 409
    world.clock.advance(2)
    world.finish(world.post(machine, "assessPatches"))
    accepted = [entry["principal"] for entry in world.journal("operationAccepted")]
    assert accepted[0] == "platform"
    assert "platform" not in accepted[1:]


def test_a_slow_machine_takes_four_times_as_long() -> None:
    world = World()
    slow = world.one(script="slow")
    began = world.clock.now
    world.finish(world.post(slow, "installPatches", install_body(slow)))
    took = (world.clock.now - began).total_seconds()
    assert took >= 20  # five minutes at least for the smallest update, four times, and two looks, at speed 120


def test_at_demo_speed_assessments_and_installations_are_short() -> None:
    world = World()
    for machine in [item for item in world.fleet if item["script"] in ("healthy", "windowExceeded")][:20]:
        began = world.clock.now
        world.finish(world.post(machine, "assessPatches"))
        assert (world.clock.now - began).total_seconds() <= 2
        began = world.clock.now
        world.finish(world.post(machine, "installPatches", install_body(machine)))
        assert (world.clock.now - began).total_seconds() <= 22


def test_a_machine_that_outlasts_its_window_says_what_is_left() -> None:
    world = World()
    machine = world.one(script="windowExceeded", vm=True)
    _, result = world.finish(world.post(machine, "installPatches", install_body(machine)))
    assert result["maintenanceWindowExceeded"] is True
    assert result["pendingPatchCount"] == 1
    assert result["installedPatchCount"] == len(machine["pending"]) - 1
    _, longer = world.finish(
        world.post(machine, "installPatches", {**install_body(machine), "maximumDuration": "PT6H"})
    )
    assert (longer["status"], longer["pendingPatchCount"]) == ("Succeeded", 0)
