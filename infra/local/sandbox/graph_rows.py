"""The rows of the three Resource Graph tables the app asks: machines, assessment results, installation results."""

from datetime import datetime

from infra.local.sandbox.arc_shape import arc_model
from infra.local.sandbox.config import azure_time
from infra.local.sandbox.guests import PendingUpdate
from infra.local.sandbox.http import Json
from infra.local.sandbox.machine import Machine
from infra.local.sandbox.published import Published
from infra.local.sandbox.reports import AssessmentReport, InstallationReport, PatchState
from infra.local.sandbox.results import arc_common, counters, counts, pending_of
from infra.local.sandbox.vm_shape import vm_model
from infra.local.sandbox.words import graph_class

COLUMNS = (
    "id",
    "name",
    "type",
    "tenantId",
    "kind",
    "location",
    "resourceGroup",
    "subscriptionId",
    "managedBy",
    "sku",
    "plan",
    "properties",
    "tags",
    "identity",
    "zones",
    "extendedLocation",
)
_NOTHING: Json = dict.fromkeys(COLUMNS)


def resource_row(machine: Machine, tenant: str) -> Json:
    """Table `resources`: the model, the type in lower case, a VM's power under properties.extended."""
    model = arc_model(machine) if machine.spec.is_arc else vm_model(machine)
    extra: Json = {} if machine.spec.is_arc else {"extended": {"instanceView": _power(machine)}}
    more: Json = {name: model[name] for name in ("kind", "tags", "identity", "zones") if name in model}
    return {**_head(machine, tenant), **more, "id": machine.spec.id, "properties": {**model["properties"], **extra}}


def assessment_rows(machine: Machine, published: Published, tenant: str, now: datetime) -> list[Json]:
    """Table `patchassessmentresources`: the latest assessment and one row for each update it found."""
    report = published.assessment_of(machine.spec.id, now)
    if report is None:
        return []
    summary = _row(machine, tenant, "patchAssessmentResults/latest", report.activity, _assessed(machine, report))
    return [summary, *(_available_row(machine, tenant, report, update) for update in pending_of(report))]


def installation_rows(machine: Machine, published: Published, tenant: str, now: datetime) -> list[Json]:
    """Table `patchinstallationresources`: every installation and one row for each update in it."""
    rows = []
    for report in published.installations_of(machine.spec.id, now):
        path = f"patchInstallationResults/{report.activity}"
        rows.append(_row(machine, tenant, path, report.activity, _installed(machine, report)))
        rows += [_patch_row(machine, tenant, report, patch) for patch in report.patches]
    return rows


def _available_row(machine: Machine, tenant: str, report: AssessmentReport, update: PendingUpdate) -> Json:
    path = f"patchAssessmentResults/latest/softwarePatches/{update.id}"
    properties = {**_update(machine, update, report.modified), "assessmentState": "Available"}
    return _row(machine, tenant, path, update.id, properties)


def _patch_row(machine: Machine, tenant: str, report: InstallationReport, patch: PatchState) -> Json:
    path = f"patchInstallationResults/{report.activity}/softwarePatches/{patch.update.id}"
    properties = {**_update(machine, patch.update, report.modified), "installationState": patch.state}
    return _row(machine, tenant, path, patch.update.id, properties)


def _row(machine: Machine, tenant: str, path: str, name: str, properties: Json) -> Json:
    """Rows of Arc machines carry the machine's id in lower case: Resource Graph is not consistent about case."""
    own = machine.spec.folder if machine.spec.is_arc else machine.spec.id
    kinds = [part for part in path.lower().split("/") if part.endswith(("results", "patches"))]
    row = _head(machine, tenant)
    row["id"], row["name"] = f"{own}/{path}", name
    row["type"], row["properties"] = "/".join([row["type"], *kinds]), properties
    return row


def _head(machine: Machine, tenant: str) -> Json:
    spec = machine.spec
    place = spec.place
    return {
        **_NOTHING,
        "id": spec.id,
        "name": spec.name,
        "type": spec.type.lower(),
        "tenantId": tenant,
        "kind": "",
        "location": place.location,
        "resourceGroup": place.group.lower(),
        "subscriptionId": place.subscription,
        "managedBy": "",
    }


def _assessed(machine: Machine, report: AssessmentReport) -> Json:
    return {
        "status": report.status,
        "assessmentActivityId": report.activity,
        "rebootPending": bool(report.found and report.found.reboot_pending),
        "availablePatchCountByClassification": counts(pending_of(report)),
        "patchServiceUsed": _service(report.found.source if report.found else "Unknown"),
        **arc_common(report, machine.spec.system.os),
    }


def _installed(machine: Machine, report: InstallationReport) -> Json:
    return {
        "status": report.status,
        "installationActivityId": report.activity,
        "maintenanceRunId": report.run_id or None,
        "rebootStatus": report.reboot_status,
        "patchServiceUsed": _service(report.source or "Unknown"),
        **counters(report),
        **arc_common(report, machine.spec.system.os),
    }


def _update(machine: Machine, update: PendingUpdate, modified: datetime) -> Json:
    os = machine.spec.system.os
    own = {"kbId": update.kb} if os == "Windows" else {"version": update.version}
    return {
        "patchName": update.name,
        **own,
        "classifications": [graph_class(update.classification, os)],
        "publishedDateTime": azure_time(update.published) if update.published else None,
        "rebootBehavior": update.reboot,
        "rebootRequired": update.reboot == "AlwaysRequiresReboot",
        "lastModifiedDateTime": azure_time(modified),
    }


def _service(source: str) -> str:
    """Resource Graph writes `WU-WSUS` for every Windows machine (Update Manager's query pages)."""
    return "WU-WSUS" if source.startswith("WU") else source


def _power(machine: Machine) -> Json:
    code = f"PowerState/{machine.power}"
    return {"powerState": {"code": code, "displayStatus": f"VM {machine.power}", "level": "Info"}}
