"""The official, unmodified SDK clients do their work on the sandbox, in this process and without sockets."""

from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

from infra.local.sandbox.config import PAGE_SIZE
from tests.sandbox.world import World, group_and_name, install_body


@pytest.fixture
def world() -> World:
    return World()


def client_of(world: World, machine: dict[str, Any]) -> Any:  # noqa: ANN401 - two generated classes without a common type
    """The operations of the machine's own kind of client."""
    if machine["kind"] == "AzureVM":
        return world.compute(machine["subscription"]).virtual_machines
    return world.hybrid(machine["subscription"]).machines


def subscriptions(world: World) -> list[str]:
    return sorted({machine["subscription"] for machine in world.fleet})


def test_vms_are_listed_over_several_pages(world: World) -> None:
    listed = {vm.id for id_ in subscriptions(world) for vm in world.compute(id_).virtual_machines.list_all()}
    vms = {machine["id"] for machine in world.fleet if machine["kind"] == "AzureVM"}
    assert listed == vms
    assert len(vms) > PAGE_SIZE
    pages = [entry for entry in world.journal("request") if "skiptoken" in entry["url"].lower()]
    assert pages, "no list was long enough to have a second page"


def test_arc_machines_are_listed_over_several_pages(world: World) -> None:
    listed = {
        machine.id for id_ in subscriptions(world) for machine in world.hybrid(id_).machines.list_by_subscription()
    }
    assert listed == {machine["id"] for machine in world.fleet if machine["kind"] != "AzureVM"}
    assert any("skiptoken" in entry["url"].lower() for entry in world.journal("request"))


def test_lists_by_group_hold_only_that_group(world: World) -> None:
    vm = world.one(vm=True)
    group, name = group_and_name(vm)
    names = {item.name for item in world.compute(vm["subscription"]).virtual_machines.list(group.upper())}
    assert name in names
    arc = world.one(vm=False)
    group, name = group_and_name(arc)
    found = list(world.hybrid(arc["subscription"]).machines.list_by_resource_group(group))
    assert name in {item.name for item in found}
    assert {item.id.split("/")[4] for item in found} == {group}


def test_status_only_tells_power_and_no_model(world: World) -> None:
    off = world.one(script="deallocated", pending=0)
    listed = world.compute(off["subscription"]).virtual_machines.list_all(status_only="true")
    found = next(vm for vm in listed if vm.id == off["id"])
    assert "PowerState/deallocated" in [status.code for status in found.instance_view.statuses]
    assert found.storage_profile is None


def test_get_shows_model_and_instance_view(world: World) -> None:
    machine = world.one(os="Windows", vm=True)
    group, name = group_and_name(machine)
    vms = world.compute(machine["subscription"]).virtual_machines
    plain, expanded = vms.get(group, name), vms.get(group.lower(), name.upper(), expand="instanceView")
    assert plain.id == expanded.id == machine["id"]
    assert plain.vm_id == expanded.vm_id
    assert plain.instance_view is None
    assert expanded.instance_view.os_name.startswith("Windows Server")
    assert plain.os_profile.windows_configuration.patch_settings.patch_mode


def test_arc_get_shows_kind_status_and_system(world: World) -> None:
    machine = next(item for item in world.fleet if item["kind"] == "VMware")
    group, name = group_and_name(machine)
    found = world.hybrid(machine["subscription"]).machines.get(group, name)
    assert found.kind == "VMware"
    assert found.properties.status == "Connected"
    assert found.properties.vm_id


@pytest.mark.parametrize("os", ["Windows", "Linux"])
def test_a_vm_is_assessed_installed_and_clean_afterwards(world: World, os: str) -> None:
    machine = world.one(os=os, vm=True, pending=2)
    group, name = group_and_name(machine)
    vms = world.compute(machine["subscription"]).virtual_machines
    assessed = vms.begin_assess_patches(group, name).result()
    assert assessed.status == "Succeeded"
    assert {patch.patch_id for patch in assessed.available_patches} == set(machine["pending"])
    assert assessed.critical_and_security_patch_count + assessed.other_patch_count == len(machine["pending"])

    installed = vms.begin_install_patches(group, name, install_body(machine)).result()
    assert installed.status == "Succeeded"
    assert {patch.patch_id for patch in installed.patches} == set(machine["pending"])
    assert {patch.installation_state for patch in installed.patches} == {"Installed"}
    assert installed.installed_patch_count == len(machine["pending"])

    view = vms.instance_view(group, name).patch_status
    assert view.last_patch_installation_summary.installation_activity_id == installed.installation_activity_id
    assert view.available_patch_summary.critical_and_security_patch_count == 0
    assert view.available_patch_summary.assessment_activity_id != assessed.assessment_activity_id
    assert vms.begin_assess_patches(group, name).result().available_patches == []


@pytest.mark.parametrize("os", ["Windows", "Linux"])
def test_an_arc_machine_answers_with_counts_and_resource_graph_with_the_list(world: World, os: str) -> None:
    machine = world.one(os=os, vm=False, pending=2)
    group, name = group_and_name(machine)
    machines = world.hybrid(machine["subscription"]).machines
    assessed = machines.begin_assess_patches(group, name).result()
    counts = assessed.available_patch_count_by_classification
    assert sum(value for value in counts.as_dict().values()) == len(machine["pending"])
    assert not hasattr(assessed, "available_patches")
    world.clock.advance(5)
    assert patch_names(world, machine, "patchassessmentresources") == set(machine["pending"])

    installed = machines.begin_install_patches(group, name, install_body(machine)).result()
    assert (installed.status, installed.installed_patch_count) == ("Succeeded", len(machine["pending"]))
    world.clock.advance(5)
    assert patch_names(world, machine, "patchinstallationresources") == set(machine["pending"])
    assert patch_names(world, machine, "patchassessmentresources") == set()


def patch_names(world: World, machine: dict[str, Any], table: str) -> set[str]:
    """Names of the machine's update rows, read as the app reads them: two rows a page."""
    id_ = machine["id"].lower()
    query = (
        f"{table} | where id startswith '{id_}/' and type has 'softwarepatches' | project id, name | order by id asc"
    )
    names, token = [], None
    while True:
        options = QueryRequestOptions(top=2, skip_token=token)
        page = world.graph().resources(
            QueryRequest(subscriptions=[machine["subscription"]], query=query, options=options)
        )
        names += [row["name"] for row in page.data]
        token = page.skip_token
        world.clock.advance(1)
        if not token:
            assert page.total_records == len(names)
            return set(names)


def test_a_failed_assessment_shows_its_error_in_either_form() -> None:
    world = World(machines=120)
    failing = [machine for machine in world.fleet if machine["script"] == "assessmentFails"]
    assert {machine["os"] for machine in failing} == {"Windows", "Linux"}
    for machine in failing:
        poller = client_of(world, machine).begin_assess_patches(*group_and_name(machine))
        if machine["os"] == "Linux":
            with pytest.raises(HttpResponseError) as raised:
                poller.result()
            assert raised.value.error is not None
            assert raised.value.error.code == "PACKAGE_MANAGER_FAILURE"
        else:
            result = poller.result()
            assert result.status == "Failed"
            assert "WindowsUpdateError" in str(result.as_dict())


def test_without_a_token_or_with_a_foreign_one_nothing_is_answered(world: World) -> None:
    world.token = world.token[:-8] + "tampered"
    with pytest.raises(ClientAuthenticationError, match="InvalidAuthenticationToken"):
        list(world.compute(subscriptions(world)[0]).virtual_machines.list_all())
    assert world.send("GET", "/subscriptions?api-version=2022-12-01", token="").status == 401


def test_a_busy_machine_is_refused_by_conflict(world: World) -> None:
    machine = world.one(vm=True)
    client_of(world, machine).begin_assess_patches(*group_and_name(machine), polling=False)
    with pytest.raises(ResourceExistsError, match="in progress"):
        client_of(world, machine).begin_assess_patches(*group_and_name(machine))
