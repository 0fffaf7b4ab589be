"""What is written down when Azure has said how an operation ended: the results first, then the end."""

from datetime import timedelta
from typing import Any

import msgspec

from shared.cloud import graph, results
from shared.cloud.azure import Azure
from shared.domain.machine import Assessment, Installation, OperatingSystem, Outcome, Record
from shared.domain.operation import Operation, OperationKind, assessed, installed
from shared.domain.reason import reason
from shared.domain.resource_id import MachineId
from shared.domain.update import Update
from shared.store.operations import Held
from shared.store.store import Store

# How long after an operation's end its list of updates is waited for (ours; no figure is published for Graph's lag).
RESULTS_PATIENCE = timedelta(minutes=15)


class Late(Exception):
    """Azure has not published the list of updates yet."""


def conclude(azure: Azure, store: Store, record: Record, held: Held, body: dict[str, Any]) -> Operation:
    """Record results and end. Safe to repeat. Raises Late while the updates may still come, Conflict when not ours."""
    if held.operation.kind is OperationKind.ASSESSMENT:
        return _assessment(azure, store, record, held, body)
    return _installation(azure, store, record, held, body)


def _assessment(azure: Azure, store: Store, record: Record, held: Held, body: dict[str, Any]) -> Operation:
    operation, now, address = held.operation, azure.clock.now(), record.machine.address
    windows = record.machine.os is OperatingSystem.WINDOWS
    result = results.assessment(body, requested_by=operation.requested_by, windows=windows, now=now)
    if result.outcome is not Outcome.FAILED:
        found = _updates(azure, address, result, body.get("availablePatches"), windows)
        if found is None and now < result.ended + RESULTS_PATIENCE:
            raise Late
        if found is None:
            result = msgspec.structs.replace(result, reason=reason("ResultsLate"))
        else:
            store.updates.replace(address, found)
    store.history.add_assessment(address, result)
    store.machines.set_assessment(address, result)
    return store.operations.save(held, assessed(operation, result, now)).operation


def _installation(azure: Azure, store: Store, record: Record, held: Held, body: dict[str, Any]) -> Operation:
    operation, now, address = held.operation, azure.clock.now(), record.machine.address
    windows = record.machine.os is OperatingSystem.WINDOWS
    result = results.installation(body, run=operation.attempt, requested_by=operation.requested_by, now=now)
    found = _updates(azure, address, result, body.get("patches"), windows)
    if found is None and now < result.ended + RESULTS_PATIENCE:
        raise Late
    if found is None and result.reason is None:
        result = msgspec.structs.replace(result, reason=reason("ResultsLate"))
    store.history.add_installation(address, result, found or ())
    store.machines.set_installation(address, result)
    return store.operations.save(held, installed(operation, result, now)).operation


def _updates(
    azure: Azure, address: MachineId, result: Assessment | Installation, listed: list[Any] | None, windows: bool
) -> tuple[Update, ...] | None:
    """From Azure's own result where it lists them, else from Resource Graph; None while they are not there."""
    if listed is not None:
        return results.updates(listed, windows=windows)
    if not result.id:
        return ()
    kind = OperationKind.ASSESSMENT if isinstance(result, Assessment) else OperationKind.INSTALLATION
    return graph.updates_of(azure, address, kind, result.id)
