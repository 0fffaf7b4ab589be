"""The fleet is the same for the same seed, holds every kind, and could be somebody's."""

from collections import Counter
from typing import Any

import pytest

from infra.local.sandbox.catalogue import load_catalogue
from infra.local.sandbox.places import estate
from infra.local.sandbox.systems import SYSTEMS
from tests.sandbox.world import World, version_of


def shown(world: World) -> list[Any]:
    return [world.get(f"{machine['id']}?api-version={version_of(machine)}") for machine in world.fleet]


def test_the_same_seed_makes_the_same_fleet_and_answers() -> None:
    first, second = World(seed=5, machines=20), World(seed=5, machines=20)
    assert first.fleet == second.fleet
    assert shown(first) == shown(second)
    machine = first.one()
    ends = [world.finish(world.post(machine, "assessPatches")) for world in (first, second)]
    assert ends[0] == ends[1]


def test_another_seed_makes_another_fleet() -> None:
    first, second = World(seed=5, machines=20), World(seed=6, machines=20)
    assert not {machine["id"] for machine in first.fleet} & {machine["id"] for machine in second.fleet}


@pytest.mark.parametrize("count", [1, 2, 7, 60, 250])
def test_any_size_has_unlike_ids_and_vm_ids(count: int) -> None:
    world = World(machines=count)
    assert len({machine["id"].lower() for machine in world.fleet}) == count
    assert len({body["properties"]["vmId"] for body in shown(world)[:80]}) == min(count, 80)


def test_sixty_machines_hold_every_kind_in_three_subscriptions_and_four_regions() -> None:
    world = World()
    kinds = Counter(machine["kind"] for machine in world.fleet)
    assert set(kinds) == {"AzureVM", "Arc", "AWS", "GCP", "VMware", "AVS", "SCVMM", "HCI", "AzureLocalNode"}
    assert len({machine["subscription"] for machine in world.fleet}) == 3
    assert {body["location"] for body in shown(world)} == {"westeurope", "northeurope", "eastus", "japaneast"}
    assert {machine["os"] for machine in world.fleet} == {"Windows", "Linux"}


def test_special_machines_are_told_apart_as_in_azure() -> None:
    bodies = {body["id"]: body for body in shown(World())}
    arc = [body["properties"] for body in bodies.values() if "HybridCompute" in body["id"]]
    assert any(item["mssqlDiscovered"] == "true" for item in arc)
    assert any(item.get("parentClusterResourceId") for item in arc)
    products = {item["licenseProfile"]["productProfile"]["productType"] for item in arc if "licenseProfile" in item}
    assert products == {"WindowsServer", "WindowsIoTEnterprise"}
    plain = [body for body in bodies.values() if "HybridCompute" in body["id"] and "kind" not in body]
    assert plain, "a plain server has no kind"
    publishers = {
        body["properties"]["storageProfile"]["imageReference"]["publisher"]
        for body in bodies.values()
        if "Compute/virtualMachines" in body["id"]
    }
    assert {"MicrosoftSQLServer", "MicrosoftWindowsServer", "Canonical", "Debian", "almalinux"} <= publishers


def test_patch_modes_tags_zones_and_sets_vary() -> None:
    bodies = shown(World())
    vms = [body["properties"] for body in bodies if "Compute/virtualMachines" in body["id"]]
    blocks = [vm["osProfile"].get("windowsConfiguration") or vm["osProfile"]["linuxConfiguration"] for vm in vms]
    modes = Counter(block["patchSettings"]["patchMode"] for block in blocks)
    assert modes["AutomaticByPlatform"] > len(vms) / 2
    assert len(modes) >= 3
    assert any("zones" in body for body in bodies)
    assert any("availabilitySet" in vm for vm in vms)
    pilots = sum(body["tags"].get("ring") == "pilot" for body in bodies)
    assert 20 <= pilots <= 40
    names = [{name.lower() for name in body["tags"]} for body in bodies]
    assert all(len(set(lower)) == len(body["tags"]) for lower, body in zip(names, bodies, strict=True))


@pytest.mark.parametrize(
    ("script", "ring"),
    [("installationFails", "pilot"), ("windowExceeded", "pilot"), ("rebootLeft", "attended"), ("slow", "pilot")],
)
def test_each_interesting_script_has_a_machine_in_its_ring(script: str, ring: str) -> None:
    world = World()
    chosen = [machine for machine in world.fleet if machine["script"] == script]
    rings = [world.get(f"{item['id']}?api-version={version_of(item)}")["tags"].get("ring") for item in chosen]
    assert ring in rings


def test_the_catalogue_has_updates_for_every_system() -> None:
    served = {entry.family for entry in load_catalogue()}
    assert [key for key, system in SYSTEMS.items() if not served & set(system.families)] == []
    assert {family for system in SYSTEMS.values() for family in system.families} <= served


def test_a_machine_misses_only_the_newest_of_each_line() -> None:
    lines = {(entry.kb or entry.package, entry.version): (entry.family, entry.line) for entry in load_catalogue()}
    world = World()
    machine = world.one(os="Linux", vm=True, pending=5)
    _, result = world.finish(world.post(machine, "assessPatches"))
    found = [lines[patch["name"], patch["version"]] for patch in result["availablePatches"]]
    assert len(found) == len(set(found)) >= 5


def test_some_machines_carry_an_assessment_from_before() -> None:
    world = World()
    running = [machine for machine in world.fleet if machine["kind"] == "AzureVM"]
    views = [world.get(f"{machine['id']}/instanceView?api-version=2025-04-01")["patchStatus"] for machine in running]
    earlier = [view["availablePatchSummary"] for view in views if "availablePatchSummary" in view]
    assert 0 < len(earlier) < len(views)
    assert all(summary["lastModifiedTime"] < "2026-11-19T09" for summary in earlier)


def test_a_crowded_estate_shares_one_throttle() -> None:
    places = estate(1, crowded=True).places
    assert len({(place.subscription, place.location) for place in places}) == 1
    assert {place.group for place in places} == {place.group for place in estate(1).places}
