"""The fleet as a whole: how each subscription's inventory went, and the counts an overview shows."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import msgspec

from shared.domain.machine import Outcome, Record, unreachable
from shared.domain.reason import Reason


class Status(StrEnum):
    """What an overview says of a machine. The four of Azure's dashboard, and failures told apart from no data."""

    UP_TO_DATE = "NoUpdatesAvailable"
    UPDATES = "UpdatesAvailable"
    REBOOT = "RebootRequired"
    FAILED = "AssessmentFailed"
    NO_DATA = "NoUpdatesData"


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """How the last inventory of a subscription went; `reason` when it failed. Its machines are then as last seen."""

    id: str
    at: datetime
    machines: int = 0
    reason: Reason | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Counts over the machines that exist, as of one instant."""

    at: datetime
    machines: int
    by_status: dict[str, int]
    by_kind: dict[str, int]
    by_os: dict[str, int]
    by_subscription: dict[str, int]
    pending_by_classification: dict[str, int]
    reasons: dict[str, int]


def status_of(record: Record) -> tuple[Status, Reason | None]:
    """The status of one machine and, where it is not plain, the reason. No look is `no data`, never `up to date`."""
    look, why = record.assessment, unreachable(record.machine)
    if look is None:
        return Status.NO_DATA, why or (record.refusal.reason if record.refusal else None)
    if look.outcome is Outcome.FAILED:
        return Status.FAILED, look.reason
    if look.outcome in (Outcome.UNKNOWN, Outcome.NOT_STARTED):
        return Status.NO_DATA, why or look.reason
    if look.reboot_pending:
        return Status.REBOOT, why
    return (Status.UPDATES if look.pending else Status.UP_TO_DATE), why


def summarise(records: Iterable[Record], now: datetime) -> Summary:
    """Count the fleet; deleted machines are left out."""
    counts = {name: Counter[str]() for name in ("status", "kind", "os", "subscription", "pending", "reasons")}
    total = 0
    for record in records:
        if record.deleted:
            continue
        total += 1
        status, why = status_of(record)
        counts["status"][status] += 1
        counts["kind"][record.machine.kind] += 1
        counts["os"][record.machine.os] += 1
        counts["subscription"][record.machine.address.subscription] += 1
        counts["pending"].update(record.assessment.counts if record.assessment else {})
        counts["reasons"].update([why.code] if why else [])
    return Summary(
        at=now,
        machines=total,
        by_status=dict(counts["status"]),
        by_kind=dict(counts["kind"]),
        by_os=dict(counts["os"]),
        by_subscription=dict(counts["subscription"]),
        pending_by_classification=dict(counts["pending"]),
        reasons=dict(counts["reasons"]),
    )
