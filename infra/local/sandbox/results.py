"""Azure's result bodies of assessments and installations: VM with patch lists, Arc with counts, and the summaries."""

from collections import Counter
from collections.abc import Sequence

from infra.local.sandbox.config import azure_time
from infra.local.sandbox.guests import PendingUpdate
from infra.local.sandbox.http import Json
from infra.local.sandbox.reports import AssessmentReport, InstallationReport, PatchState, Trouble
from infra.local.sandbox.words import COUNT_NAMES, display_class

URGENT = ("Critical", "Security")


def pending_of(report: AssessmentReport) -> tuple[PendingUpdate, ...]:
    return report.found.pending if report.found else ()


def vm_assessment(report: AssessmentReport, os: str) -> Json:
    """VirtualMachineAssessPatchesResult."""
    available = [_available(update, report, os) for update in pending_of(report)]
    return {
        "status": report.status,
        "assessmentActivityId": report.activity,
        **_urgency(report),
        "startDateTime": azure_time(report.started),
        "availablePatches": available,
        "error": error_body(report.trouble),
    }


def vm_installation(report: InstallationReport, os: str) -> Json:
    """VirtualMachineInstallPatchesResult."""
    return {
        "status": report.status,
        "installationActivityId": report.activity,
        "rebootStatus": report.reboot_status,
        **counters(report),
        "patches": [_patch(patch, os) for patch in report.patches],
        "startDateTime": azure_time(report.started),
        "error": error_body(report.trouble),
    }


def arc_assessment(report: AssessmentReport, os: str) -> Json:
    """MachineAssessPatchesResult: counts, never a list."""
    return {
        "status": report.status,
        "assessmentActivityId": report.activity,
        "rebootPending": bool(report.found and report.found.reboot_pending),
        "availablePatchCountByClassification": counts(pending_of(report)),
        **arc_common(report, os),
        **({"patchServiceUsed": report.found.source} if report.found else {}),
    }


def arc_installation(report: InstallationReport, os: str) -> Json:
    """MachineInstallPatchesResult: counters, never a list."""
    return {
        "status": report.status,
        "installationActivityId": report.activity,
        "rebootStatus": report.reboot_status,
        **counters(report),
        **arc_common(report, os),
        **({"patchServiceUsed": report.source} if report.source else {}),
    }


def arc_common(report: AssessmentReport | InstallationReport, os: str) -> Json:
    """What both results of an Arc machine, and both summary rows in Resource Graph, have in common."""
    return {
        "startDateTime": azure_time(report.started),
        "lastModifiedDateTime": azure_time(report.modified),
        "startedBy": report.started_by,
        "osType": os,
        "errorDetails": error_body(report.trouble),
    }


def patch_status(assessment: AssessmentReport | None, installation: InstallationReport | None) -> Json:
    """instanceView.patchStatus without its configurationStatuses; a summary is absent until there is one."""
    status: Json = {}
    if assessment is not None:
        status["availablePatchSummary"] = {
            "status": assessment.status,
            "assessmentActivityId": assessment.activity,
            **_urgency(assessment),
            **_times(assessment),
            "error": error_body(assessment.trouble),
        }
    if installation is not None:
        status["lastPatchInstallationSummary"] = {
            "status": installation.status,
            "installationActivityId": installation.activity,
            **counters(installation),
            **_times(installation),
            "error": error_body(installation.trouble),
        }
    return status


def counts(pending: Sequence[PendingUpdate]) -> Json:
    """availablePatchCountByClassification, every member present."""
    found = Counter(update.classification for update in pending)
    return {name: found[word] for word, name in COUNT_NAMES.items()}


def counters(report: InstallationReport) -> Json:
    return {
        "maintenanceWindowExceeded": report.window_exceeded,
        "excludedPatchCount": report.count("Excluded"),
        "notSelectedPatchCount": report.count("NotSelected"),
        "pendingPatchCount": report.count("Pending"),
        "installedPatchCount": report.count("Installed"),
        "failedPatchCount": report.count("Failed"),
    }


def error_body(trouble: Trouble | None) -> Json | None:
    """ApiError of Compute, ErrorDetail of HybridCompute: the members they share."""
    if trouble is None:
        return None
    return {"code": trouble.code, "message": trouble.message, "details": []}


def _urgency(report: AssessmentReport) -> Json:
    pending = pending_of(report)
    urgent = sum(update.classification in URGENT for update in pending)
    return {
        "rebootPending": bool(report.found and report.found.reboot_pending),
        "criticalAndSecurityPatchCount": urgent,
        "otherPatchCount": len(pending) - urgent,
    }


def _times(report: AssessmentReport | InstallationReport) -> Json:
    return {"startTime": azure_time(report.started), "lastModifiedTime": azure_time(report.modified)}


def _available(update: PendingUpdate, report: AssessmentReport, os: str) -> Json:
    return {
        **_identity(update, os),
        "rebootBehavior": update.reboot,
        "activityId": report.activity,
        **({"publishedDate": azure_time(update.published)} if update.published else {}),
        "lastModifiedDateTime": azure_time(report.modified),
        "assessmentState": "Available",
    }


def _patch(patch: PatchState, os: str) -> Json:
    return {**_identity(patch.update, os), "installationState": patch.state}


def _identity(update: PendingUpdate, os: str) -> Json:
    own = {"version": "", "kbId": update.kb} if os == "Windows" else {"version": update.version}
    return {
        "patchId": update.id,
        "name": update.name,
        **own,
        "classifications": [display_class(update.classification, os)],
    }
