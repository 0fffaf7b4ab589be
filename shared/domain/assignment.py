"""Configuration assignments: what binds a maintenance configuration to a machine, or to a dynamic scope.

Source of the fields: Microsoft.Maintenance ConfigurationAssignments, ConfigurationAssignmentsForSubscriptions and
ConfigurationAssignmentsForResourceGroup.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from shared.domain.dynamic_scope import Filter, read_filter, why_filtered
from shared.domain.errors import RequestError, invalid
from shared.domain.location import region
from shared.domain.machine import Machine, Record
from shared.domain.maintenance_id import (
    ASSIGNMENT_TYPE,
    ConfigurationId,
    check_name,
    check_place,
    parse_configuration_id,
)
from shared.domain.merge_patch import merged, read_object
from shared.domain.prepared import prepared
from shared.domain.reading import field_error
from shared.domain.reason import Reason, reason
from shared.domain.resource_id import MachineId, encode_key, parse_machine_id

# Azure's documented service limits of schedules, public cloud. Kept as advice, not as refusals: ours reach further.
AZURE_MACHINES_PER_CONFIGURATION = 3000
AZURE_MACHINES_PER_SCOPE = 1000
AZURE_SCOPES_PER_CONFIGURATION = 200
AZURE_SUBSCRIPTIONS_PER_CONFIGURATION = 200
LONGEST_MACHINE = 64  # characters; an Arc machine's has 54. Source: Azure Resource Manager, naming rules for resources
_SHAPE = re.compile(
    r"(/subscriptions/([^/]+)(?:/resourcegroups/([^/]+))?(/providers/[^/]+/[^/]+/[^/]+)?)"
    r"/providers/microsoft\.maintenance/configurationassignments/([^/]+)",
    re.IGNORECASE,
)


class AssignmentId(msgspec.Struct, frozen=True, kw_only=True):
    """Where an assignment hangs: on a machine, on a resource group (no machine), or on a subscription (no group)."""

    subscription: str
    name: str
    group: str = ""
    machine: MachineId | None = None

    def __str__(self) -> str:
        return f"{self.target}/providers/{ASSIGNMENT_TYPE}/{self.name}"

    @property
    def target(self) -> str:
        """ARM id of what it hangs on."""
        if self.machine is not None:
            return str(self.machine)
        return f"/subscriptions/{self.subscription}" + (f"/resourceGroups/{self.group}" if self.group else "")

    @property
    def scope(self) -> str:
        """Partition key of the assignments table: one subscription, which is also listed as a whole."""
        return encode_key(self.subscription)

    @property
    def row(self) -> str:
        """Row key: those of a resource group stand together, and in it those of one machine."""
        return f"{encode_key(self.group)}|{self.machine.row if self.machine else 'scope'}|{encode_key(self.name)}"

    @property
    def key(self) -> str:
        """One text for the whole address, equal for equal assignments."""
        return f"{self.scope}|{self.row}"


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """One assignment. `filter` None: static, on one machine."""

    id: AssignmentId
    configuration: ConfigurationId
    location: str = ""
    filter: Filter | None = None


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What a configuration's assignments make of some machines; every machine is in exactly one of the two."""

    chosen: dict[str, tuple[AssignmentId, ...]]  # machine id, lower case: all assignments that take it
    left_out: dict[str, Reason]


class _GivenProperties(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    maintenance_configuration_id: str
    filter: Filter | None = None
    resource_id: Any = None


class _Given(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The body; the fields that only Azure writes are taken, since clients send back what they read, and dropped."""

    properties: _GivenProperties
    location: str | None = None
    id: Any = None
    name: Any = None
    type: Any = None
    system_data: Any = None


def on_machine(machine: MachineId, name: str) -> AssignmentId:
    """The address of a static assignment. Raises RequestError 400 for a name that cannot be one."""
    check_place(machine.subscription, machine.group)
    if len(machine.name) > LONGEST_MACHINE:
        raise invalid("resourceName", f"A machine's name has at most {LONGEST_MACHINE} characters.")
    check_name(machine.name)
    check_name(name)
    return AssignmentId(subscription=machine.subscription, group=machine.group, machine=machine, name=name)


def on_scope(subscription: str, group: str, name: str) -> AssignmentId:
    """The address of a dynamic scope; `group` empty: the whole subscription. Raises RequestError 400 for a bad name."""
    check_place(subscription, group)
    check_name(name)
    return AssignmentId(subscription=subscription.lower(), group=group, name=name)


def parse_assignment_id(text: str, target: str) -> AssignmentId:
    """The id written as ARM writes it, any casing. Raises RequestError 400 naming `target` when it is none."""
    found = _SHAPE.fullmatch(text.strip().rstrip("/"))
    if found is None:
        message = f"'{text}' is not the resource id of a configuration assignment."
        raise RequestError(400, "LinkedInvalidPropertyId", message, target)
    parent, subscription, group, machine, name = found.groups()
    return on_machine(parse_machine_id(parent), name) if machine else on_scope(subscription, group or "", name)


def patch_assignment(body: bytes, before: Assignment) -> Assignment:
    """What a PATCH makes of it: merged into what it was (RFC 7396: null removes), then read like a PUT."""
    return read_assignment(msgspec.json.encode(merged(shape(before), read_object(body))), before.id)


def read_assignment(body: bytes, address: AssignmentId) -> Assignment:
    """The assignment in a PUT body, normalised. Raises RequestError 400 naming the field.

    A scope without a filter takes every machine in it, as Azure's does.
    """
    try:
        given = msgspec.json.decode(body or b"null", type=prepared(_Given))
    except msgspec.ValidationError as error:
        raise field_error(error) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise RequestError(400, "InvalidRequestContent", f"The request body is not JSON: {error}.", "body") from error
    properties = given.properties
    if address.machine is not None and properties.filter is not None:
        raise invalid("properties.filter", "A machine's own assignment has no filter; assign a scope to use one.")
    return Assignment(
        id=address,
        configuration=parse_configuration_id(
            properties.maintenance_configuration_id, "properties.maintenanceConfigurationId"
        ),
        location=region(given.location or ""),
        filter=None if address.machine is not None else read_filter(properties.filter, address.group),
    )


def shape(assignment: Assignment) -> dict[str, Any]:
    """Azure's JSON of an assignment, as plain values."""
    properties: dict[str, Any] = {
        "maintenanceConfigurationId": str(assignment.configuration),
        "resourceId": assignment.id.target,
    }
    if assignment.filter is not None:
        properties["filter"] = msgspec.json.decode(msgspec.json.encode(assignment.filter))
    named = {"id": str(assignment.id), "name": assignment.id.name, "type": ASSIGNMENT_TYPE}
    return named | ({"location": assignment.location} if assignment.location else {}) | {"properties": properties}


def why_not(assignment: Assignment, machine: Machine) -> Reason | None:
    """Why an assignment does not take a machine; None: it does."""
    return _why_not(assignment, machine, machine.address)


def _why_not(assignment: Assignment, machine: Machine, address: MachineId) -> Reason | None:
    at = assignment.id
    if at.machine is not None:
        return None if address.key == at.machine.key else reason("NotAssigned", str(at.machine))
    inside = address.subscription.lower() == at.subscription.lower()
    if not inside or (at.group and address.group.lower() != at.group.lower()):
        return reason("OutsideScope", at.target)
    return why_filtered(assignment.filter or Filter(), machine, address)


def matches(assignment: Assignment, machine: Machine) -> bool:
    """Whether an assignment takes a machine."""
    return why_not(assignment, machine) is None


def select(assignments: Sequence[Assignment], records: Iterable[Record]) -> Selection:
    """Which machines the assignments of one configuration take, and why not the others; a deleted machine never.

    A machine that several of them take is chosen once. One that none takes gets the reason of the assignment that came
    nearest: a filter's reason says more than that a machine lies elsewhere.
    """
    chosen: dict[str, tuple[AssignmentId, ...]] = {}
    left_out: dict[str, Reason] = {}
    for record in records:
        machine, key = record.machine, record.machine.id.lower()
        if record.deleted:
            left_out[key] = reason("Deleted")
            continue
        address = machine.address
        answers = [(assignment.id, _why_not(assignment, machine, address)) for assignment in assignments]
        takers = tuple(taker for taker, why in answers if why is None)
        if takers:
            chosen[key] = takers
        else:
            left_out[key] = _nearest([why for _, why in answers if why is not None])
    return Selection(chosen=chosen, left_out=left_out)


def beyond_azure(assignments: Sequence[Assignment], selection: Selection) -> list[str]:
    """In which respects these assignments of one configuration exceed what Azure's service recommends; sentences."""
    scopes = [each for each in assignments if each.filter is not None]
    sizes = [sum(scope.id in takers for takers in selection.chosen.values()) for scope in scopes]
    counted = [
        (len(selection.chosen), AZURE_MACHINES_PER_CONFIGURATION, "machines in one configuration"),
        (max(sizes, default=0), AZURE_MACHINES_PER_SCOPE, "machines in one dynamic scope"),
        (len(scopes), AZURE_SCOPES_PER_CONFIGURATION, "dynamic scopes of one configuration"),
        (
            len({scope.id.subscription for scope in scopes}),
            AZURE_SUBSCRIPTIONS_PER_CONFIGURATION,
            "subscriptions over the dynamic scopes of one configuration",
        ),
    ]
    return [f"{count} {what}; Azure recommends at most {most}." for count, most, what in counted if count > most]


def _nearest(reasons: list[Reason]) -> Reason:
    filtered = [why for why in reasons if why.code not in ("OutsideScope", "NotAssigned")]
    return (filtered or reasons or [reason("Unassigned")])[0]
