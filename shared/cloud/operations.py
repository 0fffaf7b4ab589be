"""Following what Azure accepted: its operation address first, then the other places where a trace can be found."""

from datetime import datetime
from typing import Any

import msgspec

from shared.cloud import activity, graph
from shared.cloud.azure import Azure
from shared.cloud.clock import NOISE
from shared.cloud.errors import CloudError, reading, retry_after
from shared.domain.operation import Operation, OperationKind, State
from shared.domain.resource_id import MachineId, parse_machine_id

# When Azure does not say when to look again, seconds (ours).
LOOK_AGAIN = 15
_DONE = frozenset({"succeeded", "failed", "canceled", "completedwithwarnings"})


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """Not at its end yet, or no answer this time: look again in `retry_after` seconds."""

    retry_after: int = LOOK_AGAIN
    says_so: bool = False  # Azure itself said that it runs


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """At its end, with Azure's result body. It carries `availablePatches` / `patches` only for a VM's own result."""

    body: dict[str, Any]


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """The address is no longer known (404, 410). That is no outcome."""


Look = Running | Finished | Gone


def look(azure: Azure, operation: Operation) -> Look:
    """One look at an operation's address. Source: Azure Resource Manager, "Track asynchronous operations".

    Azure-AsyncOperation tells the status and, in `properties.output`, often the result; else Location has it. An Arc
    machine's never holds the result: Location is asked first there, and what it refuses the status explains.
    """
    if operation.url and operation.result_url and not parse_machine_id(operation.machine).is_vm:
        seen = _get(azure, operation.result_url)
        if isinstance(seen, Finished) or (isinstance(seen, Running) and seen.says_so):
            return seen
    seen = _get(azure, operation.url or operation.result_url)
    if not isinstance(seen, Finished):
        return seen
    document = seen.body
    output = (document.get("properties") or {}).get("output")
    if output is not None or _is_result(document):
        return Finished(body=output or document)
    if str(document.get("status", "")).lower() == "succeeded" and operation.result_url:
        return _get(azure, operation.result_url)
    return Finished(body={"status": "Failed", "error": document.get("error")})


def _get(azure: Azure, url: str) -> Look:
    from azure.core.exceptions import AzureError
    from azure.core.rest import HttpRequest

    try:
        response = azure.send(HttpRequest("GET", url))
    except AzureError:
        return Running()
    if response.status_code in (404, 410):
        return Gone()
    wait = retry_after(response, LOOK_AGAIN)
    if response.status_code != 200:
        return Running(retry_after=wait, says_so=response.status_code == 202)
    try:
        document = response.json()
    except ValueError:  # a gateway's own page: Azure has not answered
        return Running(retry_after=wait)
    done = _is_result(document) or str(document.get("status", "")).lower() in _DONE
    return Finished(body=document) if done else Running(retry_after=wait, says_so=True)


def _is_result(document: dict[str, Any]) -> bool:
    return "assessmentActivityId" in document or "installationActivityId" in document


def trace(azure: Azure, operation: Operation) -> dict[str, Any] | None:
    """What shows that an operation of ours started: a VM's instance view, then Resource Graph, then the activity log.

    The first two by a start not before our request was about to leave: what began between claim and request is
    another's. The log by our request id; it only says that it runs.

    None proves nothing. Raises CloudError.
    """
    machine, since = parse_machine_id(operation.machine), (operation.sent or operation.claimed) - NOISE
    if machine.is_vm:
        summary = _instance_view_summary(azure, machine, operation.kind)
        started = datetime.fromisoformat(summary["startTime"]) if summary.get("startTime") else None
        if started and started >= since:
            return summary
    found = graph.summary_since(azure, machine, operation.kind, since)
    if found is None and operation.state is State.UNCONFIRMED and activity.was_accepted(azure, operation):
        return {"status": "InProgress"}
    return found


def is_running(summary: dict[str, Any]) -> bool:
    return str(summary.get("status", "")).lower() not in _DONE


def still_runs(azure: Azure, operation: Operation, lost: bool) -> bool:
    """Whether Azure says that it runs, at its address or by a trace. Raises CloudError when Azure does not answer.

    `lost`: its machine is not there any more; what is found at its place then may be another's.
    """
    seen = look(azure, operation) if operation.url or operation.result_url else Gone()
    if isinstance(seen, Finished):
        return False
    if isinstance(seen, Running) and seen.says_so:
        return True
    found = None if lost else trace(azure, operation)
    if found is None and isinstance(seen, Running):
        raise CloudError(0, "NoAnswer", "The address of the operation gave no answer.")
    return found is not None and is_running(found)


def power_state(azure: Azure, machine: MachineId) -> str:
    """Of this moment: `running`, `deallocated` ... of a VM, `Connected` ... of an Arc machine. Raises CloudError."""
    with reading():
        if not machine.is_vm:
            arc = azure.hybrid(machine.subscription).machines.get(machine.group, machine.name).as_dict()
            return str((arc.get("properties") or {}).get("status") or "")
        view = azure.compute(machine.subscription).virtual_machines.instance_view(machine.group, machine.name)
        codes = [str(status.code) for status in view.statuses or []]
    return next((code.partition("/")[2] for code in codes if code.startswith("PowerState/")), "")


def _instance_view_summary(azure: Azure, machine: MachineId, kind: OperationKind) -> dict[str, Any]:
    with reading():
        view = azure.compute(machine.subscription).virtual_machines.instance_view(machine.group, machine.name)
    status: dict[str, Any] = (view.as_dict() or {}).get("patchStatus") or {}
    looked, installed = (status.get(f"{name}Summary") or {} for name in ("availablePatch", "lastPatchInstallation"))
    if kind is OperationKind.ASSESSMENT:
        return looked
    # The installation's summary does not tell of a reboot that is left; the assessment at its end does.
    return {"rebootStatus": "Required", **installed} if installed and looked.get("rebootPending") else installed
