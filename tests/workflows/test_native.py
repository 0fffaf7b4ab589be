"""Azure's own schedules are taken over disabled, and enabled only when Azure no longer runs them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from azure.mgmt.maintenance import models as of
from msgspec.structs import replace

from shared.domain.condition import Condition
from shared.domain.configuration import Configuration
from shared.domain.errors import RequestError
from shared.domain.maintenance_id import ConfigurationId, configuration_id
from shared.workflows.configurations import (
    delete_configuration,
    patch_configuration,
    put_configuration,
    read_configuration,
)
from shared.workflows.native import Import, import_native
from tests.domain.maintenance import body, fleet, put, window
from tests.workflows.house import House

GUEST = window(startDateTime="2020-01-04 22:00", duration="05:00")
ENABLE = b'{"properties":{"fleet":{"enabled":true}}}'


class Native:
    """One of Azure's configurations, of a machine and a scope."""

    def __init__(self, house: House) -> None:
        self.machine = house.fleet[0]
        place = self.machine["id"].split("/")
        self.group, self.at = place[4], [place[4], *place[6:9], "own"]
        self.client: Any = house.azure.maintenance(self.machine["subscription"])
        self.address: ConfigurationId = configuration_id(self.machine["subscription"], self.group, "weekend")
        self.put("weekend", GUEST)
        given = of.ConfigurationAssignment(maintenance_configuration_id=str(self.address))
        own: Any = self.client.configuration_assignments
        own.create_or_update(*self.at, given)
        given.filter = of.ConfigurationAssignmentFilterProperties(os_types=["Linux"], locations=["West Europe"])
        self.client.configuration_assignments_for_subscriptions.create_or_update("all", given)

    def put(self, name: str, given: dict[str, Any]) -> None:
        made = of.MaintenanceConfiguration.deserialize(given)
        self.client.maintenance_configurations.create_or_update(self.group, name, made)

    def detach(self) -> None:
        self.client.configuration_assignments.delete(*self.at)
        self.client.configuration_assignments_for_subscriptions.delete("all")


@pytest.fixture
def native(house: House) -> Native:
    return Native(house)


def outcomes(done: Import) -> tuple[list[str], list[str]]:
    return [each.outcome for each in done.configurations], [each.outcome for each in done.assignments]


def kept(house: House, native: Native) -> Configuration:
    return read_configuration(house.store, native.address).configuration


def enable(house: House, native: Native) -> bool:
    return patch_configuration(house.azure, house.store, native.address, ENABLE, Condition()).configuration.enabled


def test_what_azure_has_is_taken_over_disabled(house: House, native: Native) -> None:
    """A start in the past and a window longer than Azure's documents allow are no mistakes any more."""
    assert outcomes(import_native(house.azure, house.store, ())) == (["imported"], ["imported", "imported"])
    assert not kept(house, native).enabled
    assert kept(house, native).properties.maintenance_window.duration == "05:00"
    found = [each.assignment for each in house.store.assignments.of_configuration(native.address)]
    assert {each.id.name for each in found} == {"own", "all"}
    assert [each.filter.os_types for each in found if each.filter] == [("Linux",)]
    assert [str(each.id.machine).lower() for each in found if each.id.machine] == [native.machine["id"].lower()]


def test_an_import_that_is_repeated_overwrites_nothing(house: House, native: Native) -> None:
    import_native(house.azure, house.store, ())
    before = read_configuration(house.store, native.address)
    native.put("weekend", GUEST | {"tags": {"changed": "in Azure"}})
    assert outcomes(import_native(house.azure, house.store, ())) == (["kept"], ["kept", "kept"])
    assert read_configuration(house.store, native.address) == before


def test_what_is_no_schedule_of_guests_is_refused_by_name(house: House, native: Native) -> None:
    native.put("hosts", body(properties__maintenanceScope="Host"))
    native.client.configuration_assignments_for_subscriptions.create_or_update(
        "hosts", of.ConfigurationAssignment(maintenance_configuration_id=f"{native.address}x")
    )
    done = import_native(house.azure, house.store, [native.machine["subscription"]])
    refused = {each.id.rpartition("/")[2]: each for each in done.configurations if each.outcome == "refused"}
    assert set(refused) == {"hosts"}
    assert "platform" in refused["hosts"].message
    assert [(each.outcome, each.code) for each in done.assignments if each.id.endswith("/hosts")] == [
        ("refused", "ResourceNotFound")
    ]


def test_a_configuration_is_not_enabled_beside_its_native_twin(house: House, native: Native) -> None:
    """By PATCH, by a PUT with the block, and by one that removes the block."""
    import_native(house.azure, house.store, ())
    whole: dict[str, Any] = {**GUEST, "location": kept(house, native).location}
    blocks: tuple[object, ...] = ({}, None)
    puts = [json.dumps({**whole, "properties": {**whole["properties"], "fleet": each}}).encode() for each in blocks]
    puts[1] = puts[1].replace(b'"05:00"', b'"03:00"').replace(b"2020-01-04", b"2030-01-05")

    def write(given: bytes) -> bool:
        return put_configuration(house.azure, house.store, native.address, given, Condition())[1]

    acts: tuple[Callable[[], bool], ...] = (
        lambda: enable(house, native),
        lambda: write(puts[0]),
        lambda: write(puts[1]),
    )
    for act in acts:
        with pytest.raises(RequestError) as refused:
            act()
        assert (refused.value.status, refused.value.code) == (409, "NativeScheduleAttached")
        assert "Delete these" in refused.value.message
    assert not kept(house, native).enabled
    native.detach()
    assert enable(house, native)


def test_a_configuration_that_was_deleted_here_is_not_made_anew_enabled_beside_its_native_twin(
    house: House, native: Native
) -> None:
    import_native(house.azure, house.store, ())
    whole = json.dumps({**window(startDateTime="2030-01-05 22:00"), "location": kept(house, native).location}).encode()
    assert delete_configuration(house.store, native.address, Condition()) is not None

    def make() -> bool:
        return put_configuration(house.azure, house.store, native.address, whole, Condition())[0].configuration.enabled

    with pytest.raises(RequestError) as refused:
        make()
    assert (refused.value.status, refused.value.code) == (409, "NativeScheduleAttached")
    assert house.store.configurations.get(native.address) is None
    native.detach()
    assert make()


def test_of_what_no_import_found_in_azure_nothing_is_asked(house: House, native: Native) -> None:
    house.sandbox.seen.clear()
    other = configuration_id(native.machine["subscription"], native.group, "own")
    whole = json.dumps({**window(startDateTime="2030-01-05 22:00"), "location": "westeurope"}).encode()
    assert put_configuration(house.azure, house.store, other, whole, Condition())[1]
    assert house.sandbox.seen == []


def test_a_disabled_configuration_may_be_changed_while_azure_runs_it(house: House, native: Native) -> None:
    import_native(house.azure, house.store, ())
    text = b'{"tags":{"a":"b"},"properties":{"fleet":{"maxConcurrency":3}}}'
    assert not patch_configuration(house.azure, house.store, native.address, text, Condition()).configuration.enabled


def test_an_enabled_configuration_gets_no_machine_from_an_import(house: House, native: Native) -> None:
    house.store.configurations.save(replace(put(fleet()), id=native.address))
    done = import_native(house.azure, house.store, ())
    assert {each.code for each in done.assignments} == {"ConfigurationEnabled"}
    assert list(house.store.assignments.of_configuration(native.address)) == []


def test_nothing_is_enabled_while_azure_does_not_say(house: House, native: Native) -> None:
    import_native(house.azure, house.store, ())
    native.detach()
    for azures, ours in ((403, 503), (429, 429)):
        house.fault(azures, "/providers/Microsoft.ResourceGraph")
        with pytest.raises(RequestError) as refused:
            enable(house, native)
        assert refused.value.status == ours
        assert refused.value.retry_after
    assert not kept(house, native).enabled
