"""Azure's bodies, made from what we remember. The shapes are those of Microsoft.Compute and Microsoft.HybridCompute."""

from typing import Any

from shared.domain.fleet import status_of
from shared.domain.identity import flags, is_own
from shared.domain.machine import Assessment, Installation, Machine, OperatingSystem, Record
from shared.domain.operation import Operation, OperationKind, State
from shared.domain.reason import Reason
from shared.domain.resource_id import MachineId
from shared.domain.update import Update

Body = dict[str, Any]
# How results spell a class: Windows Update's display names; on Linux the words of the request.
_WINDOWS_NAMES = {
    "critical": "Critical Updates",
    "security": "Security Updates",
    "updateRollup": "Update Rollups",
    "featurePack": "Feature Packs",
    "servicePack": "Service Packs",
    "definition": "Definition Updates",
    "tools": "Tools",
    "updates": "Updates",
}
_COUNTS = (*_WINDOWS_NAMES, "other")
_URGENT = ("critical", "security")


def machine(record: Record) -> Body:
    """`GET {machineId}`: what inventory knows, in the provider's own shape; what is ours stands under `fleet`."""
    known, address = record.machine, record.machine.address
    properties: Body = {"vmId": known.vm_id, "osProfile": _os_profile(known)}
    if address.is_vm:
        properties["storageProfile"] = {"osDisk": {"osType": known.os}}
        properties["instanceView"] = {"statuses": [{"code": f"PowerState/{known.connection}", "level": "Info"}]}
    else:
        properties |= {"osType": known.os.lower(), "osSku": known.os_name, "status": known.connection}
    properties["fleet"] = {"deleted": record.deleted, **_identity(record)}
    body = {"id": known.id, "name": known.name, "type": address.type, "location": known.location, "tags": known.tags}
    return {**body, **({} if address.is_vm else {"kind": _arc_kind(known)}), "properties": properties}


def overview(record: Record) -> Body:
    """One line of `/fleet/machines`."""
    known, (status, why) = record.machine, status_of(record)
    address = known.address
    return {
        "id": known.id,
        "name": known.name,
        "kind": known.kind,
        "os": known.os,
        "osName": known.os_name,
        "sql": known.sql,
        "iot": known.iot,
        "subscription": address.subscription,
        "resourceGroup": address.group,
        "location": known.location,
        "tags": known.tags,
        "connection": known.connection,
        "patchSettings": known.settings,
        "status": status,
        "reason": _reason(why),
        "identity": _identity(record),
        "pending": record.assessment.counts if record.assessment else None,
        "lastAssessment": _last(record.assessment),
        "lastInstallation": _last(record.installation),
    }


def assessment_resource(record: Record, result: Assessment) -> Body:
    """`{machineId}/patchAssessmentResults/latest`, as Resource Graph shows it."""
    address = record.machine.address
    return {
        "id": f"{address}/patchAssessmentResults/latest",
        "name": "latest",
        "type": f"{address.type}/patchAssessmentResults",
        "properties": {**_arc_assessment(record.machine.os, result), "requestedBy": result.requested_by},
    }


def installation_resource(record: Record, result: Installation) -> Body:
    """`{machineId}/patchInstallationResults/{id}`, as Resource Graph shows it."""
    address = record.machine.address
    return {
        "id": f"{address}/patchInstallationResults/{result.id}",
        "name": result.id,
        "type": f"{address.type}/patchInstallationResults",
        "properties": {
            **_arc_installation(record.machine.os, result),
            "maintenanceRunId": result.run,
            "requestedBy": result.requested_by,
            "reason": _reason(result.reason),
            **({} if is_own(record, result.started) else {"predecessor": record.identity.predecessor}),
        },
    }


def update_resource(parent: str, address: MachineId, update: Update, system: OperatingSystem) -> Body:
    """One softwarePatches row below `parent` (a result's id)."""
    kind = "patchInstallationResults" if "/patchInstallationResults/" in parent else "patchAssessmentResults"
    state = {"installationState": update.state} if update.state else {"assessmentState": "Available"}
    return {
        "id": f"{parent}/softwarePatches/{update.id}",
        "name": update.id,
        "type": f"{address.type}/{kind}/softwarePatches",
        "properties": {
            "patchName": update.name,
            **({"kbId": update.kb} if system is OperatingSystem.WINDOWS else {"version": update.version}),
            "classifications": _classes(update, system),
            "publishedDateTime": update.published,
            "rebootBehavior": update.reboot,
            **state,
        },
    }


def operation_status(operation: Operation, output: Body | None) -> Body:
    """Azure-AsyncOperation's document. Source: Azure Resource Manager, "Track asynchronous operations"."""
    ended = operation.state is State.ENDED
    body: Body = {"name": operation.attempt, "status": "InProgress", "startTime": operation.claimed}
    if ended and output is not None:
        return {**body, "status": "Succeeded", "endTime": operation.ended, "properties": {"output": output}}
    if ended:
        return {**body, "status": "Failed", "endTime": operation.ended, "error": operation_error(operation)}
    return body


def operation_error(operation: Operation) -> Body:
    """Why an operation ended without a result."""
    why = operation.reason or Reason(code="Unknown", message="The operation ended without a result.")
    details = [{"code": why.code, "message": why.detail}] if why.detail else []
    return {"code": why.code, "message": why.message, "details": details}


def operation_output(operation: Operation, system: OperatingSystem, is_vm: bool, updates: list[Update]) -> Body | None:
    """The result body of an ended operation in the provider's shape; None when Azure gave no result."""
    if operation.kind is OperationKind.ASSESSMENT and operation.assessment:
        result = operation.assessment
        return _vm_assessment(system, result, updates) if is_vm else _arc_assessment(system, result)
    if operation.installation:
        done = operation.installation
        return _vm_installation(system, done, updates) if is_vm else _arc_installation(system, done)
    return None


def _vm_assessment(system: OperatingSystem, result: Assessment, updates: list[Update]) -> Body:
    urgent = sum(result.counts.get(name, 0) for name in _URGENT)
    return {
        "status": result.outcome,
        "assessmentActivityId": result.id,
        "rebootPending": result.reboot_pending,
        "criticalAndSecurityPatchCount": urgent,
        "otherPatchCount": result.pending - urgent,
        "startDateTime": result.started,
        "availablePatches": [_vm_update(each, system, result) for each in updates],
        "error": _error(result.reason),
    }


def _vm_update(update: Update, system: OperatingSystem, result: Assessment) -> Body:
    return {
        **_vm_patch(update, system),
        "rebootBehavior": update.reboot,
        "activityId": result.id,
        "publishedDate": update.published,
        "lastModifiedDateTime": result.ended,
        "assessmentState": "Available",
    }


def _vm_patch(update: Update, system: OperatingSystem) -> Body:
    names = {"patchId": update.id, "name": update.name, "version": update.version, "kbId": update.kb}
    return {**names, "classifications": _classes(update, system)}


def _vm_installation(system: OperatingSystem, result: Installation, updates: list[Update]) -> Body:
    patches = [{**_vm_patch(each, system), "installationState": each.state or "Unknown"} for each in updates]
    return {**_installed(result), "patches": patches, "error": _error(result.reason)}


def _arc_assessment(system: OperatingSystem, result: Assessment) -> Body:
    return {
        "status": result.outcome,
        "assessmentActivityId": result.id,
        "rebootPending": result.reboot_pending,
        "startDateTime": result.started,
        "lastModifiedDateTime": result.ended,
        "availablePatchCountByClassification": {name: result.counts.get(name, 0) for name in _COUNTS},
        "startedBy": result.started_by,
        "patchServiceUsed": result.source or "Unknown",
        "osType": system,
        "errorDetails": _error(result.reason),
    }


def _arc_installation(system: OperatingSystem, result: Installation) -> Body:
    ended = {"lastModifiedDateTime": result.ended, "startedBy": "User", "osType": system}
    return {**_installed(result), **ended, "errorDetails": _error(result.reason)}


def _installed(result: Installation) -> Body:
    return {
        "status": result.outcome,
        "installationActivityId": result.id,
        "rebootStatus": result.reboot_status,
        "maintenanceWindowExceeded": result.window_exceeded,
        **{f"{name}PatchCount": count for name, count in result.counts.items()},
        "startDateTime": result.started,
    }


def _identity(record: Record) -> Body:
    """How the machine is related to others, by vmId; each flag a reason."""
    identity = record.identity
    return {
        "vmId": record.machine.vm_id,
        "flags": [_reason(each) for each in flags(record)],
        "movedFrom": identity.moved_from or None,
        "movedTo": identity.moved_to or None,
        "clones": identity.clones,
        "recreated": identity.recreated,
        "predecessor": identity.predecessor or None,
    }


def _os_profile(known: Machine) -> Body:
    settings = {"patchMode": known.settings.patch_mode, "assessmentMode": known.settings.assessment_mode}
    name = "windowsConfiguration" if known.os is OperatingSystem.WINDOWS else "linuxConfiguration"
    return {name: {"patchSettings": {key: value for key, value in settings.items() if value}}}


def _arc_kind(known: Machine) -> str:
    return {"Arc": "", "AzureLocalNode": "HCI"}.get(known.kind, known.kind)


def _classes(update: Update, system: OperatingSystem) -> list[str]:
    windows = system is OperatingSystem.WINDOWS
    return [_WINDOWS_NAMES.get(update.classification, "Updates") if windows else update.classification.capitalize()]


def _last(result: Assessment | Installation | None) -> Body | None:
    if result is None:
        return None
    common = {"id": result.id, "status": result.outcome, "time": result.ended, "counts": result.counts}
    return {**common, "reason": _reason(result.reason)}


def _reason(why: Reason | None) -> Body | None:
    return {"code": why.code, "message": why.message, "detail": why.detail} if why else None


def _error(why: Reason | None) -> Body | None:
    if why is None:
        return None
    details = [{"code": why.code, "message": why.detail}] if why.detail else []
    return {"code": why.code, "message": why.message, "details": details}
