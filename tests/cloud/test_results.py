"""Azure's result bodies read: the values of Azure's own published examples, typed in, and what the tables leave open.

Source of the bodies: azure-rest-api-specs, VirtualMachine_AssessPatches and _InstallPatches (Microsoft.Compute
2025-04-01), Machines_AssessPatches and Machine_InstallPatches (Microsoft.HybridCompute 2026-07-15).
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from shared.cloud.results import assessment, installation, moment, updates
from shared.domain.machine import Assessment, Installation, Outcome
from shared.domain.operation import State, claim_assessment
from shared.domain.update import Update

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
CLAIMED, SENT = NOW - timedelta(minutes=9), NOW - timedelta(minutes=8)
ACTIVITY = "68f8b292-dfc2-4646-9781-33cc88631968"
DEFENDER = "Definition Update for Windows Defender Antivirus - KB2267602 (Definition 1.279.1373.0)"
REMOVAL = "Windows Malicious Software Removal Tool x64 - October 2018 (KB890830)"

Body = dict[str, Any]

VM_ASSESSED: Body = {
    "status": "Succeeded",
    "assessmentActivityId": ACTIVITY,
    "rebootPending": True,
    "criticalAndSecurityPatchCount": 1,
    "otherPatchCount": 2,
    "startDateTime": "2020-04-24T21:02:04.2556154Z",
    "availablePatches": [
        {
            "patchId": "35428702-5784-4ba4-a6e0-5222258b5411",
            "name": DEFENDER,
            "version": "",
            "kbId": "2267602",
            "classifications": ["Definition Updates"],
            "rebootBehavior": "NeverReboots",
            "activityId": ACTIVITY,
            "publishedDate": "2018-11-07T00:00:00Z",
            "lastModifiedDateTime": "2020-04-24T21:18:45.2830263Z",
            "assessmentState": "Available",
        },
        {
            "patchId": "39f9cdd1-795c-4d0e-8c0a-73ab3f31746d",
            "name": REMOVAL,
            "version": "",
            "kbId": "890830",
            "classifications": ["Update Rollups"],
            "rebootBehavior": "CanRequestReboot",
            "activityId": ACTIVITY,
            "publishedDate": "2018-11-07T00:00:00Z",
            "lastModifiedDateTime": "2020-04-24T21:18:45.2830263Z",
            "assessmentState": "Available",
        },
    ],
    "error": None,
}
ARC_ASSESSED: Body = {
    "assessmentActivityId": ACTIVITY,
    "availablePatchCountByClassification": {
        "critical": 0,
        "definition": 0,
        "featurePack": 0,
        "security": 0,
        "servicePack": 0,
        "tools": 0,
        "updateRollup": 1,
        "updates": 1,
    },
    "errorDetails": None,
    "lastModifiedDateTime": "2021-08-22T02:16:06.9740000Z",
    "osType": "Windows",
    "rebootPending": True,
    "startDateTime": "2021-08-22T02:15:20.9340000Z",
    "startedBy": "User",
    "status": "Succeeded",
}
VM_INSTALLED: Body = {
    "status": "Succeeded",
    "installationActivityId": ACTIVITY,
    "rebootStatus": "Completed",
    "maintenanceWindowExceeded": False,
    "excludedPatchCount": 0,
    "notSelectedPatchCount": 0,
    "pendingPatchCount": 2,
    "installedPatchCount": 3,
    "failedPatchCount": 0,
    "startDateTime": "2020-04-24T21:02:04.2556154Z",
    "patches": [
        {
            "patchId": "35428702-5784-4ba4-a6e0-5222258b5411",
            "name": DEFENDER,
            "version": "",
            "kbId": "2267602",
            "classifications": ["Definition Updates"],
            "installationState": "Installed",
        },
        {
            "patchId": "39f9cdd1-795c-4d0e-8c0a-73ab3f31746d",
            "name": REMOVAL,
            "version": "",
            "kbId": "890830",
            "classifications": ["Update Rollups"],
            "installationState": "Pending",
        },
    ],
    "error": None,
}
ARC_INSTALLED: Body = {
    "errorDetails": None,
    "excludedPatchCount": 0,
    "failedPatchCount": 0,
    "installationActivityId": ACTIVITY,
    "installedPatchCount": 3,
    "lastModifiedDateTime": "2021-08-22T02:16:06.9740000Z",
    "maintenanceWindowExceeded": False,
    "notSelectedPatchCount": 0,
    "osType": "Windows",
    "pendingPatchCount": 2,
    "rebootStatus": "Completed",
    "startDateTime": "2021-08-22T02:15:06.9740000Z",
    "startedBy": "User",
    "status": "Succeeded",
}


OPERATION = msgspec.structs.replace(
    claim_assessment("/subscriptions/s", "run-1", "somebody", CLAIMED, CLAIMED), sent=SENT, state=State.ACCEPTED
)


def assessed(body: Body, *, windows: bool = True) -> Assessment:
    return assessment(body, OPERATION, windows=windows, now=NOW)


def installed(body: Body) -> Installation:
    return installation(body, OPERATION, now=NOW)


def test_azures_assessment_of_a_vm() -> None:
    assert assessed(VM_ASSESSED) == Assessment(
        id=ACTIVITY,
        outcome=Outcome.SUCCEEDED,
        started=datetime(2020, 4, 24, 21, 2, 4, 255615, tzinfo=UTC),
        ended=NOW,  # a VM's result does not say when it ended
        counts={"definition": 1, "updateRollup": 1},
        reboot_pending=True,
        requested_by="somebody",
    )


def test_azures_updates_of_a_vm() -> None:
    published = datetime(2018, 11, 7, tzinfo=UTC)
    assert updates(VM_ASSESSED["availablePatches"], windows=True) == (
        Update(id="35428702-5784-4ba4-a6e0-5222258b5411", name=DEFENDER, kb="2267602", classification="definition",
               reboot="NeverReboots", published=published),
        Update(id="39f9cdd1-795c-4d0e-8c0a-73ab3f31746d", name=REMOVAL, kb="890830", classification="updateRollup",
               reboot="CanRequestReboot", published=published),
    )  # fmt: skip


def test_azures_assessment_of_an_arc_machine() -> None:
    assert assessed(ARC_ASSESSED) == Assessment(
        id=ACTIVITY,
        outcome=Outcome.SUCCEEDED,
        started=datetime(2021, 8, 22, 2, 15, 20, 934000, tzinfo=UTC),
        ended=datetime(2021, 8, 22, 2, 16, 6, 974000, tzinfo=UTC),
        counts={"updateRollup": 1, "updates": 1},
        reboot_pending=True,
        requested_by="somebody",
    )


@pytest.mark.parametrize(
    ("body", "started", "ended"),
    [
        (VM_INSTALLED, datetime(2020, 4, 24, 21, 2, 4, 255615, tzinfo=UTC), NOW),
        (
            ARC_INSTALLED,
            datetime(2021, 8, 22, 2, 15, 6, 974000, tzinfo=UTC),
            datetime(2021, 8, 22, 2, 16, 6, 974000, tzinfo=UTC),
        ),
    ],
    ids=["VM", "Arc"],
)
def test_azures_installation(body: Body, started: datetime, ended: datetime) -> None:
    assert installed(body) == Installation(
        id=ACTIVITY,
        run="run-1",
        outcome=Outcome.SUCCEEDED,
        started=started,
        ended=ended,
        counts={"installed": 3, "failed": 0, "pending": 2, "excluded": 0, "notSelected": 0},
        reboot_status="Completed",
        requested_by="somebody",
    )


def test_azures_updates_of_an_installation() -> None:
    found = updates(VM_INSTALLED["patches"], windows=True)
    assert [(update.kb, update.state) for update in found] == [("2267602", "Installed"), ("890830", "Pending")]


def test_a_row_of_resource_graph_is_the_same_update() -> None:
    """Resource Graph's names: patchName, publishedDateTime, KB with or without its prefix, `Others` on Linux."""
    row = {
        "patchId": "p",
        "patchName": DEFENDER,
        "kbId": "KB2267602",
        "classifications": ["Definition Updates"],
        "publishedDateTime": "2018-11-07T00:00:00.0000000Z",
        "rebootBehavior": "NeverReboots",
    }
    (found,) = updates([row], windows=True)
    assert (found.name, found.kb, found.classification) == (DEFENDER, "2267602", "definition")
    assert found.published == datetime(2018, 11, 7, tzinfo=UTC)
    (linux,) = updates([{"patchName": "curl", "version": "8.1", "classifications": ["Others"]}], windows=False)
    assert (linux.name, linux.version, linux.classification, linux.published) == ("curl", "8.1", "other", None)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("Succeeded", Outcome.SUCCEEDED),
        ("succeeded", Outcome.SUCCEEDED),
        ("Failed", Outcome.FAILED),
        ("CompletedWithWarnings", Outcome.WARNINGS),
        ("Unknown", Outcome.UNKNOWN),
        ("SomethingNew", Outcome.UNKNOWN),
        (None, Outcome.UNKNOWN),
    ],
)
def test_every_status_is_an_outcome_and_all_but_success_have_a_reason(said: str | None, outcome: Outcome) -> None:
    look, patching = assessed({**VM_ASSESSED, "status": said}), installed({**VM_INSTALLED, "status": said})
    assert (look.outcome, patching.outcome) == (outcome, outcome)
    assert [result.reason is None for result in (look, patching)] == [outcome is Outcome.SUCCEEDED] * 2


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"status": "Failed", "failedPatchCount": 1, "maintenanceWindowExceeded": True}, "InstallationFailed"),
        ({"status": "Failed", "maintenanceWindowExceeded": True}, "WindowExceeded"),
        ({"status": "CompletedWithWarnings", "rebootStatus": "Required"}, "RebootRequired"),
        ({"status": "Failed", "rebootStatus": "Required"}, "InstallationFailed"),
        ({"status": "Failed"}, "InstallationFailed"),
    ],
)
def test_why_an_installation_did_not_succeed(changes: Body, code: str) -> None:
    why = installed({**VM_INSTALLED, **changes}).reason
    assert why is not None
    assert why.code == code


def test_azures_raw_error_is_kept_in_one_line() -> None:
    """VM: `error`, Arc: `errorDetails`; each with details of its own."""
    error = {"code": "PackageManagerFailure", "message": "apt failed", "details": [{"code": "E100", "message": "lock"}]}
    said = "PackageManagerFailure: apt failed; E100: lock"
    for name in ("error", "errorDetails"):
        failed = assessed({"status": "Failed", "assessmentActivityId": ACTIVITY, name: error})
        assert failed.reason is not None
        assert (failed.reason.code, failed.reason.detail) == ("AssessmentFailed", said)


def test_an_instance_views_summary_is_read_too() -> None:
    """instanceView.patchStatus writes startTime and lastModifiedTime, and only two counts."""
    summary = {
        "status": "Succeeded",
        "assessmentActivityId": ACTIVITY,
        "criticalAndSecurityPatchCount": 2,
        "otherPatchCount": 0,
        "startTime": "2020-04-24T21:02:04.2556154Z",
        "lastModifiedTime": "2020-04-24T21:18:45.2830263Z",
    }
    look = assessed(summary)
    assert (look.started.minute, look.ended.minute, look.pending) == (2, 18, 2)
    assert look.started.tzinfo is not None


@pytest.mark.parametrize("text", ["2020-04-24T21:02:04.2556154Z", "2020-04-24T21:02:04Z", "2020-04-24T21:02:04+00:00"])
def test_azures_times_are_read_whatever_their_digits(text: str) -> None:
    found = moment(text)
    assert found is not None
    assert (found.hour, found.tzinfo is not None) == (21, True)


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_time_is_no_time(nothing: object) -> None:
    assert moment(nothing) is None
