"""Configuration assignments: written, read, listed and deleted as Azure does, on machines, groups and subscriptions.

Azure publishes no codes for assignments of what does not exist; ours: a configuration that is not there is refused, and
so is a machine that neither the inventory nor Azure knows. A machine that is deleted later keeps its assignment, which
then takes nothing; one that is made anew at the same address is taken again; one that is moved is not (as in Azure).
"""

import logging
from collections.abc import Callable

from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError
from shared.cloud.machines import identity_at
from shared.domain.assignment import Assignment, AssignmentId
from shared.domain.assignment import patch_assignment as patched
from shared.domain.assignment import read_assignment as read_body
from shared.domain.condition import Condition, check
from shared.domain.errors import RequestError, not_found
from shared.domain.logline import logline
from shared.domain.resource_id import MachineId
from shared.store.assignments import Stored
from shared.store.store import Store
from shared.workflows.changes import decided

log = logging.getLogger(__name__)


def read_assignment(store: Store, address: AssignmentId) -> Stored:
    """Raises RequestError 404."""
    found = store.assignments.get(address)
    if found is None:
        raise not_found(str(address))
    return found


def put_assignment(
    azure: Azure, store: Store, address: AssignmentId, body: bytes, condition: Condition
) -> tuple[Stored, bool]:
    """What a PUT makes of it, and whether it is new. Raises RequestError: 400, 404, 409 or 412."""

    def make(before: Assignment | None) -> Assignment:
        if before is None and address.machine is not None:
            _check_machine(azure, store, address.machine)
        return read_body(body, address if before is None else before.id)

    return _change(store, address, condition, make)


def patch_assignment(store: Store, address: AssignmentId, body: bytes, condition: Condition) -> Stored:
    """What a PATCH makes of it. Raises RequestError: 400, 404, 409 or 412."""

    def make(before: Assignment | None) -> Assignment:
        if before is None:
            raise not_found(str(address))
        return patched(body, before)

    return _change(store, address, condition, make)[0]


def delete_assignment(store: Store, address: AssignmentId, condition: Condition) -> Assignment | None:
    """What it was; None when there was none. Raises RequestError 409 or 412."""

    def delete() -> Assignment | None:
        found = store.assignments.get(address)
        check(condition, found.etag if found else "")
        if found is None:
            return None
        store.assignments.delete(found)
        return found.assignment

    return decided("assignment", address, delete)


def list_assignments(
    store: Store, subscription: str, group: str, first: str, size: int
) -> tuple[list[Assignment], str]:
    """A page of a subscription's or a group's, those on their machines too; from a row key on, and the next's."""
    found, following = store.assignments.page(subscription, group, first, size)
    return [each.assignment for each in found], following


def list_on_machine(store: Store, machine: MachineId) -> list[Assignment]:
    """A machine's own; the scopes that take it are in its preview."""
    return [each.assignment for each in store.assignments.on_machine(machine)]


def _check_machine(azure: Azure, store: Store, machine: MachineId) -> None:
    """The inventory is up to an hour old, so of a machine that it does not know Azure itself is asked."""
    record = store.machines.get(machine)
    if record is not None and record.deleted is None:
        return
    try:
        there = identity_at(azure, machine) is not None
    except CloudError as error:
        message = f"The inventory does not know the machine, and Azure does not tell whether it exists: {error}"
        raise RequestError(409, "MachineUnreadable", message, str(machine)) from error
    if not there:
        raise not_found(str(machine))


def _change(
    store: Store, address: AssignmentId, condition: Condition, make: Callable[[Assignment | None], Assignment]
) -> tuple[Stored, bool]:
    """Decides and writes; decides anew when another change came first."""

    def write() -> tuple[Stored, bool]:
        found = store.assignments.get(address)
        check(condition, found.etag if found else "")
        made = make(found.assignment if found else None)
        if store.configurations.get(made.configuration) is None:
            message = f"The resource '{made.configuration}' was not found; create it before it is assigned."
            raise RequestError(404, "ResourceNotFound", message, "properties.maintenanceConfigurationId")
        etag = store.assignments.save(made, found.etag if found else "")
        return Stored(assignment=made, etag=etag), found is None

    stored, new = decided("assignment", address, write)
    named = {"assignment": str(address), "configuration": str(stored.assignment.configuration)}
    log.info(logline("assignment written", **named, new=new))
    return stored, new
