"""Assignments: read from Azure's bodies, normalised, refused with the field to mend, and written back."""

import pytest

from shared.domain.assignment import AssignmentId, matches, on_machine, on_scope, shape
from shared.domain.errors import RequestError
from shared.domain.machine import OperatingSystem
from shared.domain.resource_id import VM_TYPE, parse_machine_id
from tests.domain.assignments import FILTER, ON_GROUP, ON_SUBSCRIPTION, ON_VM, body, read, refusal, scope
from tests.domain.maintenance import ADDRESS, published
from tests.domain.samples import ARC, SUBSCRIPTION, VM, machine


@pytest.mark.parametrize(
    ("address", "text", "partition", "row"),
    [
        (ON_VM, f"{VM}/providers/Microsoft.Maintenance/configurationAssignments/a", SUBSCRIPTION, "web|vm|vm1|a"),
        (
            on_machine(parse_machine_id(ARC), "A b"),
            f"{ARC}/providers/Microsoft.Maintenance/configurationAssignments/A b",
            SUBSCRIPTION,
            "web|arc|arc1|a~20b",
        ),
        (
            ON_GROUP,
            f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Web/providers/Microsoft.Maintenance/configurationAssignments/web",
            SUBSCRIPTION,
            "web|scope|web",
        ),
        (
            ON_SUBSCRIPTION,
            f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Maintenance/configurationAssignments/all",
            SUBSCRIPTION,
            "|scope|all",
        ),
    ],
)
def test_addresses_and_keys(address: AssignmentId, text: str, partition: str, row: str) -> None:
    assert (str(address), address.scope, address.row) == (text, partition, row)


def test_azures_examples_are_taken_and_come_back() -> None:
    taken = 0
    for name, example in published("ConfigurationAssignments"):
        if "properties" not in example:
            continue
        filters = example["properties"].get("filter")
        address = ON_VM if filters is None else ON_SUBSCRIPTION
        given = read(example, address)
        shown = shape(given)["properties"]
        configuration = example["properties"]["maintenanceConfigurationId"]
        assert shown["maintenanceConfigurationId"].lower() == configuration.lower(), name
        assert shown.get("filter") == filters, name
        taken += 1
    assert taken > 20


def test_what_is_read_and_written_again_changes_nothing() -> None:
    given = scope(
        resourceTypes=["microsoft.compute/VirtualMachines"],
        resourceGroups=["RG1", " rg1 ", "RG2"],
        osTypes=["windows"],
        locations=["UK South", "westeurope"],
        tagSettings={"tags": {"Env": ["prod", "PROD", ""]}, "filterOperator": "all"},
    )
    assert read(shape(given)) == given
    assert shape(given)["properties"]["filter"] == {
        "resourceTypes": [VM_TYPE],
        "resourceGroups": ["rg1", "RG2"],
        "osTypes": ["Windows"],
        "locations": ["UK South", "westeurope"],
        "tagSettings": {"tags": {"Env": ["PROD", ""]}, "filterOperator": "All"},
    }


@pytest.mark.parametrize("filters", [..., None, {}, {"locations": None, "tagSettings": {"tags": {}}, "osTypes": []}])
def test_a_scope_without_filters_takes_everything_in_it(filters: object) -> None:
    given = read(body(filters))
    assert matches(given, machine())
    assert matches(given, machine(ARC, os=OperatingSystem.UNKNOWN))
    assert shape(given)["properties"]["filter"] == {}


def test_a_static_assignment_has_no_filter() -> None:
    given = read(body(resourceId="/x") | {"location": "West Europe"}, ON_VM)
    assert shape(given) == {
        "id": str(ON_VM),
        "name": "a",
        "type": "Microsoft.Maintenance/configurationAssignments",
        "location": "westeurope",
        "properties": {"maintenanceConfigurationId": str(ADDRESS), "resourceId": VM},
    }
    assert refusal(body({}), ON_VM).target == FILTER


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ({}, "properties"),
        ({"properties": {}}, "properties.maintenanceConfigurationId"),
        (body(maintenanceConfigurationId=1), "properties.maintenanceConfigurationId"),
        (body([]), FILTER),
        (body({"resourceType": []}), f"{FILTER}.resourceType"),
        (body({"resourceTypes": ["Microsoft.Compute/virtualMachineScaleSets"]}), f"{FILTER}.resourceTypes[0]"),
        (body({"osTypes": ["Linux", "BSD"]}), f"{FILTER}.osTypes[1]"),
        (body({"osTypes": ["Unknown"]}), f"{FILTER}.osTypes[0]"),
        (body({"locations": [""]}), f"{FILTER}.locations[0]"),
        (body({"locations": "UK South"}), f"{FILTER}.locations"),
        (body({"resourceGroups": [f"g{number}" for number in range(51)]}), f"{FILTER}.resourceGroups"),
        (body({"tagSettings": {"tags": {"a": []}}}), f"{FILTER}.tagSettings.tags.a"),
        (body({"tagSettings": {"tags": {"": ["x"]}}}), f"{FILTER}.tagSettings.tags"),
        (body({"tagSettings": {"tags": {"a": ["x"], "A": ["y"]}}}), f"{FILTER}.tagSettings.tags"),
        (body({"tagSettings": {"tags": {str(n): ["x"] for n in range(51)}}}), f"{FILTER}.tagSettings.tags"),
        (body({"tagSettings": {"tags": {"a": ["x"]}, "filterOperator": "None"}}),
         f"{FILTER}.tagSettings.filterOperator"),
    ],
)  # fmt: skip
def test_fields_that_cannot_be(given: object, target: str) -> None:
    error = refusal(given)
    assert (error.status, error.code, error.target) == (400, "InvalidParameter", target)


def test_other_refusals() -> None:
    error = refusal(body(maintenanceConfigurationId="nightly"))
    assert (error.code, error.target) == ("LinkedInvalidPropertyId", "properties.maintenanceConfigurationId")
    assert refusal(b"{").code == "InvalidRequestContent"
    assert refusal(b"").target == "body"
    assert refusal(body({"resourceGroups": ["web", "db"]}), ON_GROUP).target == f"{FILTER}.resourceGroups[1]"
    for name in ("", "a/b", "a\n"):
        with pytest.raises(RequestError):
            on_scope(SUBSCRIPTION, "", name)
