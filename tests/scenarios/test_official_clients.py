"""Azure's own clients, unmodified, do their work through the app exactly as they do through the sandbox."""

from typing import Any

import pytest
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.hybridcompute import HybridComputeManagementClient

from infra.local.stack import Stack
from tests.local.waiting import until
from tests.sandbox.world import Holder, group_and_name, install_body

Machine = dict[str, Any]
BOTH = pytest.mark.parametrize("side", ["app", "sandbox"])


@pytest.fixture(scope="module")
def fleet(stack: Stack) -> list[Machine]:
    """The sandbox's machines, once the app knows all of them."""
    machines: list[Machine] = stack.sandbox.get("/sandbox/fleet", list)
    stack.app.post("/fleet/inventory")
    wanted = {machine["id"].lower() for machine in machines}

    def known() -> set[str]:
        return {str(each["id"]).lower() for each in stack.app.pages("/fleet/machines", dict)}

    assert until(lambda: known() == wanted, 60)
    return machines


def options(stack: Stack, side: str) -> dict[str, Any]:
    """What a caller sets: another host, its audience, and the certificate that vouches for it."""
    address = stack.host.app_tls if side == "app" else stack.cloud.arm
    return {
        "base_url": address,
        "credential_scopes": [f"{address}/.default"],
        "connection_verify": stack.cloud.ca,
        "polling_interval": 1,
    }


def picked(fleet: list[Machine], side: str, *, vm: bool) -> Machine:
    """Each side has a machine of its own: what one side installs, the other cannot."""
    fine = [m for m in fleet if m["script"] in ("healthy", "slow") and m["pending"] and (m["kind"] == "AzureVM") is vm]
    first, *others = fine
    return first if side == "app" else others[-1]


@BOTH
def test_the_compute_client_assesses_and_installs(stack: Stack, fleet: list[Machine], side: str) -> None:
    machine = picked(fleet, side, vm=True)
    group, name = group_and_name(machine)
    login = Holder(stack.cloud.token)
    with ComputeManagementClient(login, machine["subscription"], **options(stack, side)) as client:
        vms: Any = client.virtual_machines
        assessed = vms.begin_assess_patches(group, name).result()
        assert assessed.status == "Succeeded"
        assert {patch.patch_id for patch in assessed.available_patches} == set(machine["pending"])
        installed = vms.begin_install_patches(group, name, install_body(machine)).result()
        assert (installed.status, installed.installed_patch_count) == ("Succeeded", len(machine["pending"]))
        assert {patch.patch_id for patch in installed.patches} == set(machine["pending"])
        assert {patch.installation_state for patch in installed.patches} == {"Installed"}
        assert vms.begin_assess_patches(group, name).result().available_patches == []


@BOTH
def test_the_hybridcompute_client_assesses_and_installs(stack: Stack, fleet: list[Machine], side: str) -> None:
    machine = picked(fleet, side, vm=False)
    group, name = group_and_name(machine)
    login = Holder(stack.cloud.token)
    with HybridComputeManagementClient(login, machine["subscription"], **options(stack, side)) as client:
        machines: Any = client.machines
        assessed = machines.begin_assess_patches(group, name).result()
        counted = assessed.available_patch_count_by_classification.as_dict()
        assert (assessed.status, sum(counted.values())) == ("Succeeded", len(machine["pending"]))
        installed = machines.begin_install_patches(group, name, install_body(machine)).result()
        assert (installed.status, installed.installed_patch_count) == ("Succeeded", len(machine["pending"]))
