"""Azure's result bodies and Resource Graph rows, read into what the domain calls them."""

from datetime import datetime
from typing import Any

import msgspec

from shared.domain.machine import Assessment, Installation, Outcome
from shared.domain.operation import Operation
from shared.domain.reason import Reason, reason
from shared.domain.update import Update, classification, count_by_classification

Body = dict[str, Any]


def activity(body: Body) -> str:
    """Azure's id of the assessment or installation, empty when it gave none."""
    return str(body.get("assessmentActivityId") or body.get("installationActivityId") or "")


def says_what_is_missing(body: Body) -> bool:
    """Whether an assessment's body lists or counts updates at all: a body without them is not an empty list."""
    names = ("availablePatches", "availablePatchCountByClassification", "criticalAndSecurityPatchCount")
    return any(body.get(name) is not None for name in names)


def counts_nothing(body: Body) -> bool:
    """Whether Azure counted what is missing, and nothing is: its list need not be asked for."""
    counted = body.get("availablePatchCountByClassification")
    return counted is not None and not any(counted.values())


def assessment(body: Body, operation: Operation, *, windows: bool, now: datetime) -> Assessment:
    """An assessPatches result (VM or Arc), or an instance view's or Graph's summary of one.

    What Azure leaves out is told by our own operation: its id, its start, the end as `now`.
    """
    ended = moment(body.get("lastModifiedDateTime") or body.get("lastModifiedTime")) or now
    result = _assessment(activity(body) or operation.attempt, body, _started(body, operation), ended, windows=windows)
    return msgspec.structs.replace(result, requested_by=operation.requested_by)


def published_assessment(name: str, body: Body) -> Assessment | None:
    """A summary of Resource Graph's, whoever started it; its name is its activity. None when it says no times."""
    started, ended = moment(body.get("startDateTime")), moment(body.get("lastModifiedDateTime"))
    if ended is None:
        return None
    windows = str(body.get("osType", "")).lower() == "windows"
    return _assessment(activity(body) or name, body, started or ended, ended, windows=windows)


def _assessment(id_: str, body: Body, started: datetime, ended: datetime, *, windows: bool) -> Assessment:
    outcome = _outcome(body.get("status"))
    return Assessment(
        id=id_,
        outcome=outcome,
        started=started,
        ended=ended,
        counts=_counts(body, windows=windows),
        reboot_pending=bool(body.get("rebootPending")),
        source=str(body.get("patchServiceUsed") or ""),
        reason=None if outcome is Outcome.SUCCEEDED else reason("AssessmentFailed", _detail(body)),
        started_by=str(body.get("startedBy") or "User"),
    )


def installation(body: Body, operation: Operation, *, now: datetime) -> Installation:
    """An installPatches result (VM or Arc), or an instance view's or Graph's summary of one; as above."""
    outcome = _outcome(body.get("status"))
    counters = ("installed", "failed", "pending", "excluded", "notSelected")
    return Installation(
        id=activity(body) or operation.attempt,
        run=operation.attempt,
        outcome=outcome,
        started=_started(body, operation),
        ended=moment(body.get("lastModifiedDateTime") or body.get("lastModifiedTime")) or now,
        counts={name: int(body.get(f"{name}PatchCount") or 0) for name in counters},
        reboot_status=str(body.get("rebootStatus") or "Unknown"),
        window_exceeded=bool(body.get("maintenanceWindowExceeded")),
        reason=_why(body, outcome),
        requested_by=operation.requested_by,
    )


def updates(rows: list[Body], *, windows: bool) -> tuple[Update, ...]:
    """`availablePatches`, `patches`, or the properties of Graph's softwarePatches rows."""
    return tuple(
        Update(
            id=str(row.get("patchId") or row.get("id") or ""),
            name=str(row.get("name") or row.get("patchName") or ""),
            kb=str(row.get("kbId") or "").upper().removeprefix("KB"),
            version=str(row.get("version") or ""),
            classification=classification(row.get("classifications") or (), windows=windows),
            reboot=str(row.get("rebootBehavior") or "Unknown"),
            published=moment(row.get("publishedDate") or row.get("publishedDateTime")),
            state=str(row.get("installationState") or ""),
        )
        for row in rows
    )


def moment(text: object) -> datetime | None:
    """Azure's time, with up to seven fractional digits; None for nothing."""
    return datetime.fromisoformat(str(text)) if text else None


def _started(body: Body, operation: Operation) -> datetime:
    return moment(body.get("startDateTime") or body.get("startTime")) or operation.sent or operation.claimed


def _outcome(status: object) -> Outcome:
    known = {outcome.value.lower(): outcome for outcome in Outcome}
    return known.get(str(status).lower(), Outcome.UNKNOWN)


def _counts(body: Body, *, windows: bool) -> dict[str, int]:
    if body.get("availablePatches") is not None:
        return count_by_classification(updates(body["availablePatches"], windows=windows))
    by_class = body.get("availablePatchCountByClassification")
    if by_class is not None:
        return {name: int(count) for name, count in by_class.items() if count}
    known = {"security": body.get("criticalAndSecurityPatchCount"), "other": body.get("otherPatchCount")}
    return {name: int(count) for name, count in known.items() if count}


def _why(body: Body, outcome: Outcome) -> Reason | None:
    if outcome is Outcome.SUCCEEDED:
        return None
    if int(body.get("failedPatchCount") or 0):
        return reason("InstallationFailed", _detail(body))
    if body.get("maintenanceWindowExceeded"):
        return reason("WindowExceeded", _detail(body))
    if outcome is Outcome.WARNINGS and body.get("rebootStatus") == "Required":
        return reason("RebootRequired", _detail(body))
    return reason("InstallationFailed", _detail(body))


def _detail(body: Body) -> str:
    """Azure's raw error, one line: its code and message, then those of its details."""
    error = body.get("error") or body.get("errorDetails") or {}
    parts = [error, *(error.get("details") or [])]
    said = [f"{part.get('code', '')}: {part.get('message', '')}".strip(": ") for part in parts]
    return "; ".join(dict.fromkeys(text for text in said if text))[:1000]
