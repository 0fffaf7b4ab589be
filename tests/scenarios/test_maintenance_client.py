"""Azure's own maintenance client, unmodified, does its life cycle against the app."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.maintenance import MaintenanceManagementClient
from azure.mgmt.maintenance import models as of

from infra.local.stack import Stack
from tests.local.waiting import until
from tests.sandbox.world import Holder

GROUP = "maintenance-client"


def windows_from_now() -> str:
    """A start that Azure takes: local to UTC, an hour from now."""
    return f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%d %H:%M}"


def configuration(**changes: Any) -> of.MaintenanceConfiguration:  # noqa: ANN401 - the SDK's own keywords
    patches = of.InputPatchConfiguration(
        reboot_setting="IfRequired",
        windows_parameters=of.InputWindowsParameters(classifications_to_include=["Security", "Critical"]),
        linux_parameters=of.InputLinuxParameters(classifications_to_include=["Security"]),
    )
    given: dict[str, Any] = {
        "location": "westeurope",
        "maintenance_scope": "InGuestPatch",
        "visibility": "Custom",
        "extension_properties": {"InGuestPatchMode": "User"},
        "start_date_time": windows_from_now(),
        "duration": "02:00",
        "time_zone": "UTC",
        "recur_every": "Week Saturday,Sunday",
        "install_patches": patches,
    }
    return of.MaintenanceConfiguration(**given | changes)


def assignment(
    to: str, filters: of.ConfigurationAssignmentFilterProperties | None = None
) -> of.ConfigurationAssignment:
    return of.ConfigurationAssignment(location="westeurope", maintenance_configuration_id=to, filter=filters)


@pytest.fixture(scope="module")
def fleet(stack: Stack) -> list[dict[str, Any]]:
    """The machines of one subscription, once the app knows them."""
    every = stack.sandbox.get("/sandbox/fleet", list)
    stack.app.post("/fleet/inventory")
    wanted = {machine["id"].lower() for machine in every}

    def known() -> set[str]:
        return {str(each["id"]).lower() for each in stack.app.pages("/fleet/machines", dict)}

    assert until(lambda: known() >= wanted, 60)
    here = every[0]["subscription"]
    return [machine for machine in every if machine["subscription"] == here]


@pytest.fixture(scope="module")
def subscription(fleet: list[dict[str, Any]]) -> str:
    return str(fleet[0]["subscription"])


@pytest.fixture(scope="module")
def client(stack: Stack, subscription: str) -> Iterator[Any]:
    address = stack.host.app_tls
    with MaintenanceManagementClient(
        Holder(stack.cloud.token),
        subscription,
        base_url=address,
        credential_scopes=[f"{address}/.default"],
        connection_verify=stack.cloud.ca,
    ) as made:
        yield made


def test_a_configuration_is_created_updated_listed_and_deleted(client: Any) -> None:  # noqa: ANN401 - no types
    configurations, name = client.maintenance_configurations, "weekend"
    made = configurations.create_or_update(GROUP, name, configuration())
    assert (made.name, made.duration, made.time_zone) == (name, "02:00", "UTC")
    assert made.id.endswith(f"/resourceGroups/{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations/{name}")
    read = configurations.get(GROUP, name)
    assert read.serialize() == made.serialize()
    patched = configurations.update(GROUP, name, of.MaintenanceConfiguration(tags={"team": "ops"}))
    assert (patched.tags, patched.recur_every) == ({"team": "ops"}, "Week Saturday,Sunday")
    again = configurations.create_or_update(GROUP, name, configuration(recur_every="Month Second Tuesday Offset4"))
    assert again.recur_every == "Month Second Tuesday Offset4"
    assert name in [each.name for each in configurations.list()]
    assert [each.name for each in client.maintenance_configurations_for_resource_group.list(GROUP)] == [name]
    configurations.delete(GROUP, name)
    assert configurations.delete(GROUP, name) is None
    with pytest.raises(ResourceNotFoundError):
        configurations.get(GROUP, name)


def test_machines_and_scopes_are_assigned_listed_and_let_go(
    stack: Stack,
    client: Any,  # noqa: ANN401 - no types
    fleet: list[dict[str, Any]],
) -> None:
    made = client.maintenance_configurations.create_or_update(GROUP, "assigned", configuration())
    for vm in (True, False):
        machine = next(each for each in fleet if (each["kind"] == "AzureVM") is vm)
        place = machine["id"].split("/")
        at = (place[4], *place[6:9], "static")
        own = client.configuration_assignments.create_or_update(*at, assignment(made.id))
        assert own.resource_id.lower() == machine["id"].lower()
        assert client.configuration_assignments.get(*at).serialize() == own.serialize()
        assert [each.name for each in client.configuration_assignments.list(*at[:-1])] == ["static"]
    everywhere = client.configuration_assignments_for_subscriptions
    groups = client.configuration_assignments_for_resource_group
    linux = of.ConfigurationAssignmentFilterProperties(
        resource_types=["Microsoft.Compute/virtualMachines", "Microsoft.HybridCompute/machines"], os_types=["Linux"],
        tag_settings=of.TagSettingsProperties(tags={"no-such-tag": ["x"]}, filter_operator="All"),
    )  # fmt: skip
    assert everywhere.create_or_update("all", assignment(made.id, linux)).filter.os_types == ["Linux"]
    linux.tag_settings = None
    assert everywhere.update("all", assignment(made.id, linux)).filter.resource_types == linux.resource_types
    group = fleet[0]["id"].split("/")[4]
    groups.create_or_update(group, "group", assignment(made.id, of.ConfigurationAssignmentFilterProperties()))
    assert groups.get(group, "group").maintenance_configuration_id.lower() == made.id.lower()
    listed = [each.name for each in client.configuration_assignments_within_subscription.list()]
    assert sorted(listed) == ["all", "group", "static", "static"]
    shown = list(stack.app.pages(f"/fleet/preview{made.id}?$top=7", dict))
    assert {each["id"].lower() for each in shown} == {each["id"].lower() for each in fleet}
    assert all(each["taken"] is (each["reason"] is None) for each in shown)
    everywhere.delete("all")
    groups.delete(group, "group")
    client.configuration_assignments.delete(*at)
    client.configuration_assignments.delete(*at)
    client.maintenance_configurations.delete(GROUP, "assigned")
    assert list(client.configuration_assignments_within_subscription.list()) == []


def test_a_part_of_another_resource_is_refused_with_the_reason(client: Any) -> None:  # noqa: ANN401 - no types
    at = (GROUP, "Microsoft.Compute", "virtualMachineScaleSets", "set", "virtualMachines", "0", "a")
    for act in (client.configuration_assignments.get_parent, client.configuration_assignments.delete_parent):
        with pytest.raises(ResourceNotFoundError) as refused:
            act(*at)
        assert refused.value.error is not None
        assert refused.value.error.code == "InvalidResourceType"
    with pytest.raises(ResourceNotFoundError):
        client.configuration_assignments.create_or_update_parent(*at, assignment("/x"))
    with pytest.raises(ResourceNotFoundError):
        list(client.configuration_assignments.list_parent(*at[:-1]))


def test_what_azure_refuses_is_refused_in_its_words(client: Any) -> None:  # noqa: ANN401 - no types
    with pytest.raises(HttpResponseError) as refused:
        client.maintenance_configurations.create_or_update(GROUP, "bare", configuration(recur_every="Month"))
    assert refused.value.status_code == 400
    assert refused.value.error is not None
    assert refused.value.error.code == "InvalidMaintenanceWindow"
