"""The fleet as a whole: how each subscription's inventory went, and the counts an overview shows."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import msgspec

from shared.domain.machine import Outcome, Record, is_platform_assessed, unreachable
from shared.domain.reason import Reason, reason
from shared.domain.support import why_unsupported


class Status(StrEnum):
    """What an overview says of a machine. The four of Azure's dashboard, and failures told apart from no data."""

    UP_TO_DATE = "NoUpdatesAvailable"
    UPDATES = "UpdatesAvailable"
    REBOOT = "RebootRequired"
    FAILED = "AssessmentFailed"
    NO_DATA = "NoUpdatesData"


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """How the last inventory of a subscription went; `reason` when it failed. Its machines are then as last seen.

    `listed`: when it was last listed directly. `doubts`: what Resource Graph said then that the listing did not bear
    out (domain/inventory.py).
    """

    id: str
    at: datetime
    machines: int = 0
    reason: Reason | None = None
    listed: datetime | None = None
    doubts: str = ""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Counts over the machines that exist, as of one instant."""

    at: datetime
    machines: int = 0
    by_status: dict[str, int] = {}
    by_kind: dict[str, int] = {}
    by_os: dict[str, int] = {}
    by_subscription: dict[str, int] = {}
    pending_by_classification: dict[str, int] = {}
    reasons: dict[str, int] = {}


def status_of(record: Record) -> tuple[Status, Reason | None]:
    """The status of one machine and, where it is not plain, the reason. No look is `no data`, never `up to date`."""
    machine, look = record.machine, record.assessment
    why = unreachable(machine) or why_unsupported(machine) or _watched(record)
    if look is None:
        return Status.NO_DATA, why or (record.refusal.reason if record.refusal else None)
    if look.outcome is Outcome.FAILED:
        return Status.FAILED, look.reason
    if look.outcome in (Outcome.UNKNOWN, Outcome.NOT_STARTED):
        return Status.NO_DATA, why or look.reason
    if look.reboot_pending:
        return Status.REBOOT, why
    return (Status.UPDATES if look.pending else Status.UP_TO_DATE), why


def _watched(record: Record) -> Reason | None:
    """Why a machine that Azure assesses by itself has no result, or needs ours."""
    if record.watch is None or not is_platform_assessed(record.machine):
        return None
    if record.watch.silent:
        return reason("PlatformSilent")
    return None if record.assessment or record.refusal else reason("LeftToPlatform")


def summarise(records: Iterable[Record], now: datetime) -> Summary:
    """Count the fleet; deleted machines are left out."""
    return count(Summary(at=now), records)


def count(so_far: Summary, records: Iterable[Record]) -> Summary:
    """The same counts with these machines added; deleted ones are left out."""
    statuses, kinds, systems = Counter(so_far.by_status), Counter(so_far.by_kind), Counter(so_far.by_os)
    subscriptions, reasons = Counter(so_far.by_subscription), Counter(so_far.reasons)
    pending, total = Counter(so_far.pending_by_classification), so_far.machines
    for record in (each for each in records if each.deleted is None):
        total += 1
        status, why = status_of(record)
        statuses[status.value] += 1
        kinds[record.machine.kind.value] += 1
        systems[record.machine.os.value] += 1
        subscriptions[record.machine.address.subscription] += 1
        pending.update(record.assessment.counts if record.assessment else {})
        reasons.update([why.code] if why else [])
    return Summary(
        at=so_far.at,
        machines=total,
        by_status=dict(statuses),
        by_kind=dict(kinds),
        by_os=dict(systems),
        by_subscription=dict(subscriptions),
        pending_by_classification=dict(pending),
        reasons=dict(reasons),
    )
