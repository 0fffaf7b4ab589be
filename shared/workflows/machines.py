"""Reading one machine: what it is, what it misses, what was installed, and how an operation on it is doing."""

from shared.domain.errors import not_found
from shared.domain.machine import Assessment, Installation, Record
from shared.domain.operation import Operation
from shared.domain.resource_id import MachineId
from shared.domain.update import Update
from shared.store.store import Store


def read_machine(store: Store, address: MachineId) -> Record:
    """Raises RequestError 404 for a machine that no inventory has seen."""
    record = store.machines.get(address)
    if record is None:
        raise not_found(str(address))
    return record


def read_latest_assessment(store: Store, address: MachineId) -> tuple[Record, Assessment]:
    """Raises RequestError 404 when the machine is unknown or was never assessed."""
    record = read_machine(store, address)
    if record.assessment is None:
        raise not_found(f"{address}/patchAssessmentResults/latest")
    return record, record.assessment


def read_pending_updates(store: Store, address: MachineId) -> list[Update]:
    """What the last assessment found missing. Raises RequestError 404 as above."""
    read_latest_assessment(store, address)
    return store.updates.of(address)


def read_installations(store: Store, address: MachineId) -> list[Installation]:
    """Newest first. Raises RequestError 404 for an unknown machine."""
    read_machine(store, address)
    return store.history.installations(address)


def read_installation(store: Store, address: MachineId, installation: str) -> tuple[Installation, list[Update]]:
    """One installation with its updates. Raises RequestError 404."""
    for each in read_installations(store, address):
        if each.id.lower() == installation.lower():
            return each, store.history.updates_of(address, each.id)
    raise not_found(f"{address}/patchInstallationResults/{installation}")


def read_operation(store: Store, address: MachineId, attempt: str) -> tuple[Operation, list[Update]]:
    """An operation of ours, with the updates of its result once it ended. Raises RequestError 404."""
    operation = store.operations.attempt(address, attempt)
    if operation is None:
        raise not_found(f"operation {attempt}")
    if operation.installation:
        return operation, store.history.updates_of(address, operation.installation.id)
    return operation, store.updates.of(address) if operation.assessment else []
