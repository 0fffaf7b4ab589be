"""Azure's own maintenance client, unmodified, does its life cycle against the app."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.maintenance import MaintenanceManagementClient
from azure.mgmt.maintenance import models as of

from infra.local.stack import Stack
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


@pytest.fixture(scope="module")
def subscription(stack: Stack) -> str:
    return str(stack.sandbox.get("/sandbox/fleet", list)[0]["subscription"])


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


def test_what_azure_refuses_is_refused_in_its_words(client: Any) -> None:  # noqa: ANN401 - no types
    with pytest.raises(HttpResponseError) as refused:
        client.maintenance_configurations.create_or_update(GROUP, "bare", configuration(recur_every="Month"))
    assert refused.value.status_code == 400
    assert refused.value.error is not None
    assert refused.value.error.code == "InvalidMaintenanceWindow"
