"""The inventory as Azure's own listings give it: both kinds, page after page, every kind of machine told apart."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from infra.local.sandbox.config import PAGE_SIZE
from shared.cloud.errors import CloudError
from shared.cloud.machines import arc_machine, machines, subscriptions, vm_machine
from shared.domain.machine import Kind, Machine, OperatingSystem
from shared.domain.resource_id import ARC_TYPE, VM_TYPE
from shared.store.table import LARGEST_PROPERTY
from tests.cloud.world import World, is_vm

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def world() -> World:
    return World(machines=60)


@pytest.fixture(scope="module")
def listed(world: World) -> dict[str, Machine]:
    found = [machine for each in subscriptions(world.azure) for machine in machines(world.azure, each)]
    assert len(found) == len({machine.id for machine in found})
    return {machine.id: machine for machine in found}


def test_every_machine_of_every_subscription_is_listed_once(world: World, listed: dict[str, Machine]) -> None:
    assert listed.keys() == {machine["id"] for machine in world.fleet}


def test_both_listings_are_followed_over_their_pages(world: World, listed: dict[str, Machine]) -> None:
    assert len(listed) == len(world.fleet)
    followed = [request.url.lower() for request in world.sandbox.seen if "skiptoken" in request.url.lower()]
    for provider in ("/microsoft.compute/virtualmachines", "/microsoft.hybridcompute/machines"):
        assert any(provider in url for url in followed), f"no {provider} list was longer than {PAGE_SIZE}"


def test_each_machine_has_the_kind_and_system_it_was_made_with(world: World, listed: dict[str, Machine]) -> None:
    wrong = [
        (machine["id"], listed[machine["id"]].kind)
        for machine in world.fleet
        if (listed[machine["id"]].kind, listed[machine["id"]].os) != (machine["kind"], machine["os"])
    ]
    assert wrong == []
    in_fleet = {machine.kind for machine in listed.values()}
    assert in_fleet == set(Kind) - {Kind.EPS}, "every kind but EPS is in the fleet"


def test_power_and_connection_are_azures_words(world: World, listed: dict[str, Machine]) -> None:
    words = {"poweredOff": "stopped", "deallocated": "deallocated", "disconnected": "Disconnected"}
    for machine in world.fleet:
        usual = "running" if is_vm(machine) else "Connected"
        assert listed[machine["id"]].connection == words.get(machine["script"], usual), machine


def test_sql_iot_tags_settings_and_identity_are_read(listed: dict[str, Machine]) -> None:
    everyone = listed.values()
    assert {machine.address.is_vm for machine in everyone if machine.sql} == {True, False}
    assert any(machine.iot for machine in everyone)
    assert not any(machine.iot and (machine.address.is_vm or machine.os != "Windows") for machine in everyone)
    assert all(machine.vm_id and machine.location and machine.os_name for machine in everyone)
    assert any(machine.tags.get("ring") == "pilot" for machine in everyone)
    vms = [machine.settings for machine in everyone if machine.address.is_vm]
    assert {settings.patch_mode for settings in vms} >= {"AutomaticByPlatform", "AutomaticByOS", "ImageDefault"}
    assert {settings.bypass_platform_safety_checks for settings in vms} == {True, False}


def vm(**properties: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    address = f"/subscriptions/{SUBSCRIPTION.upper()}/resourceGroups/RG/providers/microsoft.compute/virtualmachines/VM1"
    return {"id": address, "name": "VM1", "location": "westeurope", "properties": properties}


def arc(kind: str | None = None, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    address = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/m1"
    return {"id": address, "name": "m1", "location": "eastus", "kind": kind, "properties": properties}


@pytest.mark.parametrize("word", ["AVS", "HCI", "SCVMM", "VMware", "EPS", "GCP", "AWS"])
def test_arcs_kinds_are_read_in_any_case(word: str) -> None:
    assert arc_machine(arc(word)).kind == word
    assert arc_machine(arc(word.upper())).kind == word
    assert arc_machine(arc(word.lower())).kind == word


@pytest.mark.parametrize("word", [None, "", "SomethingNew"])
def test_an_arc_machine_of_no_known_kind_is_a_plain_server(word: str | None) -> None:
    assert arc_machine(arc(word)).kind is Kind.ARC


def test_a_node_of_an_azure_local_cluster_is_no_vm_on_it() -> None:
    cluster = "/subscriptions/s/resourceGroups/g/providers/Microsoft.AzureStackHCI/clusters/c"
    assert arc_machine(arc("HCI", parentClusterResourceId=cluster)).kind is Kind.AZURE_LOCAL_NODE
    assert arc_machine(arc("HCI")).kind is Kind.AZURE_LOCAL_VM


def test_what_is_recognised_by_its_properties() -> None:
    assert arc_machine(arc(mssqlDiscovered="true")).sql
    assert not arc_machine(arc(mssqlDiscovered="false")).sql
    licence = {"productProfile": {"productType": "WindowsIoTEnterprise"}}
    assert arc_machine(arc(licenseProfile=licence)).iot
    image = {"publisher": "MicrosoftSQLServer", "offer": "sql2022-ws2022", "sku": "standard-gen2"}
    sql = vm_machine(vm(storageProfile={"imageReference": image, "osDisk": {"osType": "Windows"}}), "running")
    assert (sql.sql, sql.os_name) == (True, "sql2022-ws2022 standard-gen2")


def test_a_machine_that_says_little_is_still_a_machine() -> None:
    bare_vm, bare_arc = vm_machine({**vm(), "properties": None}, ""), arc_machine({**arc(), "properties": None})
    assert (bare_vm.kind, bare_vm.os, bare_vm.connection, bare_vm.tags) == (Kind.AZURE_VM, "Unknown", "", {})
    assert (bare_arc.kind, bare_arc.os, bare_arc.connection) == (Kind.ARC, OperatingSystem.UNKNOWN, "")


def test_an_id_in_azures_odd_casing_becomes_one_spelling() -> None:
    assert vm_machine(vm(), "").id == f"/subscriptions/{SUBSCRIPTION}/resourceGroups/RG/providers/{VM_TYPE}/VM1"
    assert f"/providers/{ARC_TYPE}/" in arc_machine(arc()).id


def test_hotpatching_and_modes_come_from_either_system_block() -> None:
    windows = {"patchSettings": {"patchMode": "AutomaticByPlatform", "enableHotpatching": True}}
    linux = {"patchSettings": {"patchMode": "ImageDefault", "assessmentMode": "AutomaticByPlatform"}}
    assert vm_machine(vm(osProfile={"windowsConfiguration": windows}), "").settings.hotpatching
    assert arc_machine(arc(osProfile={"linuxConfiguration": linux})).settings.assessment_mode == "AutomaticByPlatform"


def test_an_os_name_stands_in_for_a_missing_os_type() -> None:
    assert arc_machine(arc(osName="windows")).os is OperatingSystem.WINDOWS


def test_only_enabled_subscriptions_are_looked_at() -> None:
    world = World()
    assert sorted(subscriptions(world.azure)) == sorted({machine["subscription"] for machine in world.fleet})


@pytest.mark.parametrize(("status", "code"), [(403, "AuthorizationFailed"), (404, "InjectedFault")])
def test_a_refused_listing_is_a_cloud_error_with_azures_words(status: int, code: str) -> None:
    world = World()
    subscription = world.fleet[0]["subscription"]
    world.fault(status, f"/subscriptions/{subscription}/providers/Microsoft.Compute", "GET")
    with pytest.raises(CloudError) as raised:
        list(machines(world.azure, subscription))
    assert (raised.value.status, raised.value.code) == (status, code)
    assert "A fault that was asked for." in raised.value.message


def test_a_listing_that_fails_for_a_moment_is_asked_again() -> None:
    """Reading may be repeated: the SDK does it."""
    world = World()
    subscription = world.fleet[0]["subscription"]
    world.fault(503, f"/subscriptions/{subscription}/providers/Microsoft.HybridCompute", "GET", times=2)
    assert {machine.id for machine in machines(world.azure, subscription)} == {
        machine["id"] for machine in world.fleet if machine["subscription"] == subscription
    }


@pytest.mark.parametrize("status", [401, 403, 500])
def test_subscriptions_that_cannot_be_listed_are_a_cloud_error(status: int) -> None:
    world = World()
    world.fault(status, "/subscriptions", "GET")
    with pytest.raises(CloudError) as raised:
        subscriptions(world.azure)
    assert raised.value.status == status


LETTERS = ["x", "ä", "日", "\U0001f600", '"', "\x01"]


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize("read", [arc_machine, lambda body: vm_machine(body, "running")])
def test_more_tags_than_can_be_kept(read: Callable[[dict[str, Any]], Machine], letter: str) -> None:
    """Azure's limits: 50 tags, names of 512 characters, values of 256."""
    tags = {f"{number:02}".ljust(512, "n"): letter * 256 for number in range(50)}
    kept = read({**arc(None), "tags": tags})
    assert 0 < len(kept.tags) == 50 - kept.tags_left_out < 50
    assert kept.tags.items() <= tags.items()
    assert len(msgspec.json.encode(kept).decode().encode("utf-16-le")) <= LARGEST_PROPERTY * 2
    assert read({**arc(None), "tags": dict(reversed(tags.items()))}) == kept


def test_tags_of_the_usual_size_are_all_kept() -> None:
    tags = {f"tag-{number}": "v" * 256 for number in range(50)}
    kept = arc_machine({**arc(None), "tags": tags})
    assert (kept.tags, kept.tags_left_out) == (tags, 0)
