"""Assignments in real storage, and what they come to: the machines taken, and a reason for each of the others."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.assignment import AssignmentId, on_machine, on_scope
from shared.domain.assignment import read_assignment as draft
from shared.domain.condition import Condition
from shared.domain.configuration import Configuration
from shared.domain.errors import RequestError
from shared.domain.index import Cursor
from shared.domain.maintenance_id import configuration_id
from shared.domain.resource_id import MachineId, parse_machine_id
from shared.workflows.assignments import (
    delete_assignment,
    list_assignments,
    list_on_machine,
    patch_assignment,
    put_assignment,
    read_assignment,
)
from shared.workflows.preview import (
    Line,
    machines_in_scope,
    preview_assignment,
    preview_configuration,
    preview_machine,
)
from tests.domain.assignments import body as assigned
from tests.domain.maintenance import ADDRESS, body, fleet, put
from tests.workflows.house import House

WINDOWS_ONLY = {"properties__installPatches__linuxParameters": ...}


@pytest.fixture
def cloud(house: House) -> House:
    """Every machine is known, and one configuration is there."""
    house.inventory()
    house.store.configurations.save(put(fleet()))
    return house


def machines(house: House) -> list[MachineId]:
    scopes = house.store.fleet.scopes()
    found = [record.machine.address for scope in scopes for record in house.store.machines.in_scope(scope)]
    return sorted(found, key=lambda each: each.key)


def busiest(house: House) -> str:
    """The subscription with most machines."""
    every = [each.subscription for each in machines(house)]
    return max(every, key=every.count)


def write(house: House, address: AssignmentId, filter_: object = ..., **condition: str) -> bool:
    given = json.dumps(assigned(filter_)).encode()
    return put_assignment(house.azure, house.store, address, given, Condition(**condition))[1]


def lines(house: House, size: int = 1000) -> dict[str, Line]:
    found: dict[str, Line] = {}
    place: Cursor | None = None
    while True:
        page = preview_configuration(house.store, ADDRESS, place, size, house.now)
        assert len(page.lines) <= size
        assert not found.keys() & {line.record.machine.id.lower() for line in page.lines}
        found |= {line.record.machine.id.lower(): line for line in page.lines}
        place = page.next
        if place is None:
            return found


def test_an_assignment_is_made_replaced_changed_listed_and_deleted(cloud: House) -> None:
    machine = machines(cloud)[0]
    own, scope = on_machine(machine, "a"), on_scope(machine.subscription, "", "all")
    assert (write(cloud, own), write(cloud, own), write(cloud, scope, {"osTypes": ["linux"]})) == (True, False, True)
    changed = patch_assignment(cloud.store, scope, b'{"properties":{"filter":{"osTypes":["Windows"]}}}', Condition())
    assert read_assignment(cloud.store, scope) == changed
    assert changed.assignment.filter is not None
    assert changed.assignment.filter.os_types == ("Windows",)
    assert [each.id for each in list_on_machine(cloud.store, machine)] == [own]
    listed, following = list_assignments(cloud.store, machine.subscription, "", "", 1)
    rest, end = list_assignments(cloud.store, machine.subscription, "", following, 1)
    assert ({each.id for each in [*listed, *rest]}, end) == ({own, scope}, "")
    assert delete_assignment(cloud.store, scope, Condition()) == changed.assignment
    assert delete_assignment(cloud.store, scope, Condition()) is None


def test_what_does_not_exist_is_not_assigned(cloud: House) -> None:
    here = machines(cloud)[0]
    for address in (on_machine(replace(here, name="no-such"), "a"), on_scope(here.subscription, "", "a")):
        given = assigned() if address.machine else assigned(maintenanceConfigurationId=f"{ADDRESS}x")
        with pytest.raises(RequestError) as refused:
            put_assignment(cloud.azure, cloud.store, address, json.dumps(given).encode(), Condition())
        assert (refused.value.status, refused.value.code) == (404, "ResourceNotFound")
    with pytest.raises(RequestError, match="not found"):
        read_assignment(cloud.store, on_machine(here, "a"))
    with pytest.raises(RequestError, match="not found"):
        patch_assignment(cloud.store, on_machine(here, "a"), b"{}", Condition())


def test_a_machine_that_only_azure_knows_is_assigned(house: House) -> None:
    """The inventory is an hour old at worst; the machine shows in the preview as not seen yet."""
    house.store.configurations.save(put(fleet()))
    machine = parse_machine_id(house.fleet[0]["id"])
    assert write(house, on_machine(machine, "a"))
    page = preview_configuration(house.store, ADDRESS, None, 10, house.now)
    assert {key: why.code for key, why in page.unseen.items()} == {str(machine).lower(): "NotInInventory"}
    scope = machines_in_scope(house.store, put(fleet()))
    assert (scope.taken, [why.code for why in scope.left_out.values()]) == ({}, ["NotInInventory"])


def test_every_machine_is_taken_or_has_a_reason(cloud: House) -> None:
    """The whole subscription; pages of every size tell the same; the run's view agrees."""
    subscription = busiest(cloud)
    there = {str(each).lower() for each in machines(cloud) if each.subscription == subscription}
    write(cloud, on_scope(subscription, "", "linux"), {"osTypes": ["Linux"]})
    whole = lines(cloud)
    assert set(whole) == there
    assert {line.reason.code for line in whole.values() if line.reason} == {"SystemNotSelected"}
    assert all((line.record.machine.os == "Linux") == (line.reason is None) for line in whole.values())
    assert lines(cloud, 1) == lines(cloud, 3) == whole
    scope = machines_in_scope(cloud.store, put(fleet()))
    assert set(scope.taken) == {key for key, line in whole.items() if line.reason is None}
    assert scope.left_out == {key: line.reason for key, line in whole.items() if line.reason}


def test_a_machine_taken_twice_is_taken_once_and_names_both(cloud: House) -> None:
    machine = machines(cloud)[0]
    own, scope = on_machine(machine, "a"), on_scope(machine.subscription, machine.group, "group")
    write(cloud, own)
    write(cloud, scope, {})
    line = lines(cloud)[str(machine).lower()]
    assert set(line.assignments) == {own, scope}
    assert len(machines_in_scope(cloud.store, put(fleet())).taken[str(machine).lower()][1]) == 2


def test_a_system_that_the_configuration_says_nothing_about_is_left_out(cloud: House) -> None:
    subscription = busiest(cloud)
    held = cloud.store.configurations.get(ADDRESS)
    assert held is not None
    windows = put(body(**WINDOWS_ONLY) | {}, before=None)
    cloud.store.configurations.save(windows, held.etag)
    write(cloud, on_scope(subscription, "", "all"), {})
    for line in lines(cloud).values():
        wanted = None if line.record.machine.os == "Windows" else "SystemNotPatched"
        assert (line.reason.code if line.reason else None) == wanted
    assert not any(record.machine.os == "Linux" for record, _ in machines_in_scope(cloud.store, windows).taken.values())


def test_a_deleted_machine_is_told_as_deleted(cloud: House) -> None:
    machine = machines(cloud)[0]
    write(cloud, on_machine(machine, "a"))
    record = cloud.store.machines.get(machine)
    assert record is not None
    cloud.store.machines.settle(machine.scope, [replace(record, deleted=cloud.now)])
    line = lines(cloud)[str(machine).lower()]
    assert line.reason is not None
    assert line.reason.code == "Deleted"
    assert str(machine).lower() in machines_in_scope(cloud.store, put(fleet())).left_out


def second(house: House, **changes: Any) -> Configuration:  # noqa: ANN401 - places in a body
    """Another configuration with a window that is open at the same time."""
    made = replace(put(fleet(**changes)), id=configuration_id(ADDRESS.subscription, "ops", "other"))
    house.store.configurations.save(made)
    return made


def test_several_configurations_on_one_machine_are_told_with_their_overlaps(cloud: House) -> None:
    machine, other = machines(cloud)[0], second(cloud, startDateTime="2026-03-14 23:00")
    write(cloud, on_machine(machine, "a"))
    given = json.dumps(assigned(maintenanceConfigurationId=str(other.id))).encode()
    put_assignment(cloud.azure, cloud.store, on_machine(machine, "b"), given, Condition())
    page = preview_configuration(cloud.store, ADDRESS, None, 1000, cloud.now)
    [line] = [each for each in page.lines if each.reason is None]
    assert [each.key for each in line.others] == [other.id.key]
    assert {(met.first.name, met.second.name) for met in page.overlaps} == {("nightly", "other")}
    record, found, met = preview_machine(cloud.store, machine, cloud.now)
    assert record.machine.address == machine
    assert {(each.assignment.name, each.reason) for each in found} == {("a", None), ("b", None)}
    assert met
    assert tuple(met) == page.overlaps


def test_a_scope_is_tried_before_it_is_written(cloud: House) -> None:
    subscription = busiest(cloud)
    given = draft(json.dumps(assigned({"locations": ["nowhere"]})).encode(), on_scope(subscription, "", "try"))
    page = preview_assignment(cloud.store, given, None, 1000, cloud.now)
    assert {line.reason.code for line in page.lines if line.reason} == {"LocationNotSelected"}
    assert list(cloud.store.assignments.in_subscription(subscription)) == []
