"""Machines change on request, and every page of Azure's shows it: lists, gets and Resource Graph."""

import json
from typing import Any

import pytest

from tests.sandbox.world import World

QUERY = "resources | where type in~ ('microsoft.compute/virtualmachines', 'microsoft.hybridcompute/machines')"


@pytest.fixture(scope="module")
def world() -> World:
    return World(machines=20)


def change(world: World, verb: str, machine: str, **more: str) -> Any:  # noqa: ANN401 - any JSON
    return world.send("POST", "/sandbox/machines", {"verb": verb, "machine": machine, **more})


def ids(world: World) -> dict[str, str]:
    """Every machine's vmId by its id, as Resource Graph has it; the gets agree."""
    answer = world.send(
        "POST", "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01",
        {"query": f"{QUERY} | project id, v = properties.vmId"},
    )  # fmt: skip
    assert answer.status == 200, answer.body
    rows = {row["id"]: row["v"] for row in json.loads(answer.body)["data"]}
    assert rows.keys() == {each["id"] for each in world.get("/sandbox/fleet")}
    world.clock.advance(10)  # Resource Graph's quota
    return rows


def status_of(world: World, machine: dict[str, Any]) -> int:
    return world.send("GET", f"{machine['id']}?api-version=2025-04-01").status


def test_each_change_shows_everywhere(world: World) -> None:
    before, machine = ids(world), world.one(vm=True)
    vm_id = before[machine["id"]]
    stranger = next(each for each in world.fleet if each["subscription"] != machine["subscription"])
    group = stranger["id"].partition("/providers/")[0]

    moved = f"{group}/providers/Microsoft.Compute/virtualMachines/{machine['id'].split('/')[-1]}"
    assert change(world, "move", machine["id"], group=group).status == 200
    assert (ids(world)[moved], status_of(world, machine)) == (vm_id, 404)

    renamed = f"{group}/providers/Microsoft.Compute/virtualMachines/renamed"
    assert change(world, "rename", moved.upper(), name="renamed").status == 200
    assert moved not in ids(world)

    assert change(world, "clone", renamed, name="clone").status == 200
    both = [id_ for id_, each in ids(world).items() if each == vm_id]
    assert sorted(id_.split("/")[-1] for id_ in both) == ["clone", "renamed"]

    assert change(world, "recreate", renamed).status == 200
    assert ids(world)[renamed] != vm_id

    assert change(world, "delete", renamed).status == 200
    assert renamed not in ids(world)
    assert len(ids(world)) == len(before)


def test_a_machine_is_stopped_and_started(world: World) -> None:
    healthy = [each for each in world.get("/sandbox/fleet") if each["script"] == "healthy"]
    vm, arc = (next(each for each in healthy if (each["kind"] == "AzureVM") is right) for right in (True, False))
    for verb, power, agent in (("stop", "stopped", "Disconnected"), ("start", "running", "Connected")):
        assert change(world, verb, vm["id"]).status == change(world, verb, arc["id"]).status == 200
        view = world.get(f"{vm['id']}/instanceView?api-version=2025-04-01")
        assert f"PowerState/{power}" in [each["code"] for each in view["statuses"]]
        assert world.get(f"{arc['id']}?api-version=2025-01-13")["properties"]["status"] == agent
    again = {each["id"]: each["pending"] for each in world.get("/sandbox/fleet")}
    assert (again[vm["id"]], again[arc["id"]]) == (vm["pending"], arc["pending"])


@pytest.mark.parametrize(
    ("verb", "more", "status"),
    [
        ("paint", {}, 400),
        ("move", {"group": "/subscriptions/x/resourceGroups/y"}, 404),
        ("rename", {"name": ""}, 400),
        ("clone", {}, 400),
        ("delete", {"colour": "red"}, 400),
    ],
)
def test_a_change_that_cannot_be_is_refused_and_nothing_changes(
    world: World, verb: str, more: dict[str, str], status: int
) -> None:
    before, machine = ids(world), world.get("/sandbox/fleet")[0]
    assert change(world, verb, machine["id"], **more).status == status
    assert ids(world) == before
    assert change(world, "delete", machine["id"] + "-no").status == 404


def test_a_vm_loses_its_agent_or_the_right_to_extensions_and_its_page_says_so(world: World) -> None:
    machine = next(m for m in world.get("/sandbox/fleet") if m["kind"] == "AzureVM" and m["script"] == "healthy")
    page = f"{machine['id']}?api-version=2025-04-01&$expand=instanceView"

    def facts() -> tuple[str, bool]:
        properties = world.get(page)["properties"]
        (status,) = properties["instanceView"]["vmAgent"]["statuses"]
        return status["displayStatus"], properties["osProfile"]["allowExtensionOperations"]

    assert facts() == ("Ready", True)
    assert change(world, "stopAgent", machine["id"]).status == 200
    assert facts() == ("Not Ready", True)
    assert change(world, "forbidExtensions", machine["id"]).status == 200
    assert facts() == ("Not Ready", False)


def test_a_vm_of_a_client_and_an_arc_machine_that_tells_no_system_say_so_everywhere(world: World) -> None:
    vm, arc = world.one(vm=True, os="Windows"), world.one(vm=False)

    def facts() -> tuple[str, str]:
        image = world.get(f"{vm['id']}?api-version=2025-04-01")["properties"]["storageProfile"]["imageReference"]
        properties = world.get(f"{arc['id']}?api-version=2025-01-13")["properties"]
        return image.get("publisher", ""), properties.get("osType", "")

    publisher, system = facts()
    assert publisher != "MicrosoftWindowsDesktop"
    assert system
    assert change(world, "runClient", vm["id"]).status == 200
    assert change(world, "hideSystem", arc["id"]).status == 200
    assert facts() == ("MicrosoftWindowsDesktop", "")
    for verb in ("stop", "start"):
        assert {change(world, verb, each["id"]).status for each in (vm, arc)} == {200}
    assert facts() == ("MicrosoftWindowsDesktop", ""), "what it runs, it runs on"


def test_vms_of_an_availability_set_tell_their_update_domain(world: World) -> None:
    together = [each for each in world.get("/sandbox/fleet") if each["availability_set"]]
    for machine in together:
        view = world.get(f"{machine['id']}/instanceView?api-version=2025-04-01")
        assert view["platformUpdateDomain"] == machine["update_domain"]
    assert len({each["update_domain"] for each in together}) > 1
