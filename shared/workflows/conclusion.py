"""What is written down when Azure has said how an operation ended: the results first, then the end."""

from datetime import timedelta
from typing import Any

import msgspec

from shared.cloud import graph, results
from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError
from shared.domain.identity import is_own
from shared.domain.machine import Assessment, OperatingSystem, Outcome, Record
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
    """Record results and end. Safe to repeat. Raises Late while the updates may still come, Conflict when not ours.

    When another machine stands at the address by now, they go into the history only.
    """
    if held.operation.kind is OperationKind.ASSESSMENT:
        return _assessment(azure, store, record, held, body)
    return _installation(azure, store, record, held, body)


def _assessment(azure: Azure, store: Store, record: Record, held: Held, body: dict[str, Any]) -> Operation:
    operation, now, address = held.operation, azure.clock.now(), record.machine.address
    windows = record.machine.os is OperatingSystem.WINDOWS
    result, own = results.assessment(body, operation, windows=windows, now=now), is_own(record, operation.claimed)
    if result.outcome is not Outcome.FAILED:
        found = _updates(azure, address, operation.kind, body, windows, now < result.ended + RESULTS_PATIENCE)
        if found is None:
            result = _without_updates(result, body)
        elif own:
            store.updates.replace(address, found)
    store.history.add_assessments([(address, result)])
    if own:
        store.machines.set_assessment(address, result)
    return store.operations.save(held, assessed(operation, result, now)).operation


def _installation(azure: Azure, store: Store, record: Record, held: Held, body: dict[str, Any]) -> Operation:
    operation, now, address = held.operation, azure.clock.now(), record.machine.address
    windows = record.machine.os is OperatingSystem.WINDOWS
    result = results.installation(body, operation, now=now)
    found = _updates(azure, address, operation.kind, body, windows, now < result.ended + RESULTS_PATIENCE)
    if found is None and result.reason is None:
        result = msgspec.structs.replace(result, reason=reason("ResultsLate"))
    store.history.add_installation(address, result, found or ())
    if is_own(record, operation.claimed):
        store.machines.set_installation(address, result)
    return store.operations.save(held, installed(operation, result, now)).operation


def _without_updates(result: Assessment, body: dict[str, Any]) -> Assessment:
    """The list never came. Where Azure did not even count, nothing is known, whatever word it ended with."""
    outcome = result.outcome if results.says_what_is_missing(body) else Outcome.UNKNOWN
    return msgspec.structs.replace(result, outcome=outcome, reason=reason("ResultsLate"))


def _updates(
    azure: Azure, address: MachineId, kind: OperationKind, body: dict[str, Any], windows: bool, wait: bool
) -> tuple[Update, ...] | None:
    """From Azure's own result where it lists them, else from Resource Graph; None when they did not come.

    Raises Late or CloudError while it is worth to `wait` for them.
    """
    listed = body.get("availablePatches" if kind is OperationKind.ASSESSMENT else "patches")
    if listed is not None:
        return results.updates(listed, windows=windows)
    if kind is OperationKind.ASSESSMENT and results.counts_nothing(body):
        return ()
    activity = results.activity(body)
    if not activity:
        return None
    try:
        found = graph.updates_of(azure, address, kind, activity)
    except CloudError:
        if wait:
            raise
        return None  # what Azure's own result said stands; the reason says that the list is missing
    if found is None and wait:
        raise Late
    return found
