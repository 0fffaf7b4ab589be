"""Which machines are due for an assessment, and why the others are left alone."""

from datetime import datetime, timedelta

import msgspec

from shared.domain.machine import Outcome, Record, Watch, is_platform_assessed, unreachable
from shared.domain.operation import ASSESSMENT_PATIENCE
from shared.domain.reason import Reason, reason
from shared.domain.support import why_unsupported

# How far ahead slots are leased (ours): longer than the planner's interval, so that the throttle is never idle; short,
# so that an installation asked for meanwhile does not queue behind a whole fleet.
PLAN_AHEAD = timedelta(minutes=15)
# How long one plan goes on (ours): a function may take five minutes (host.json), and one resource group its share.
PLAN_TIME = timedelta(minutes=3)
# A plan that has led to nothing for this long after its slot is made again: longer than an assessment waits for a busy
# machine (ours).
PLAN_LIFE = ASSESSMENT_PATIENCE + timedelta(minutes=10)
# Pause after an assessment that Azure refused to start, so that a broken machine does not use up the throttle (ours).
REFUSAL_PAUSE = timedelta(hours=1)
# How much older than the setting a result of Azure's own may get before we assess (ours). Azure's timer in a Linux
# machine wakes hourly and may miss once (2 h), an assessment runs for an hour at most, and Resource Graph lags (1 h).
PLATFORM_TOLERANCE = timedelta(hours=4)


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """What the planner makes of one machine: due or not, and the reason when it is left out or needs explaining.

    `watch` is what to remember of a machine that Azure assesses by itself, None when nothing changed.
    """

    due: bool
    reason: Reason | None = None
    watch: Watch | None = None


def plan_assessment(record: Record, oldest: timedelta, now: datetime) -> Due:
    """Due: reachable, not under way, and never assessed, assessed longer than `oldest` ago, or patched since.

    A failed assessment counts as a look: it is repeated when it is `oldest` old, or on demand. A machine that Azure
    assesses by itself is left to it until its results stop.
    """
    if record.deleted:
        return Due(due=False)
    why = unreachable(record.machine) or why_unsupported(record.machine)
    if why:
        return Due(due=False, reason=why)
    watch = _watch(record, oldest, now)
    changed = watch if watch and watch != record.watch and (watch.silent or not record.assessment) else None
    if watch and not watch.silent and not _is_patched_since(record):
        return Due(due=False, reason=None if record.assessment else reason("LeftToPlatform"), watch=changed)
    silent = reason("PlatformSilent") if watch and watch.silent else None
    return Due(due=is_stale(record, oldest, now) and not _is_under_way(record, now), reason=silent, watch=changed)


def _watch(record: Record, oldest: timedelta, now: datetime) -> Watch | None:
    """None for a machine that Azure does not assess. Once silent, it stays so until a result of Azure's own shows."""
    if not is_platform_assessed(record.machine):
        return None
    watch = record.watch or Watch(since=now)
    last = record.assessment
    until = last.ended + oldest + PLATFORM_TOLERANCE if last else watch.since + PLATFORM_TOLERANCE
    return watch if watch.silent or now < until else Watch(since=watch.since, silent=now)


def _is_under_way(record: Record, now: datetime) -> bool:
    if record.planned and now < record.planned + PLAN_LIFE:
        return True
    refusal = record.refusal
    if refusal is None or refusal.reason.code == "OwnedElsewhere":
        return False  # the machine is not to blame, and as soon as the subscription is ours it is looked at
    return now < refusal.at + REFUSAL_PAUSE


def is_stale(record: Record, oldest: timedelta, now: datetime) -> bool:
    """Never assessed, assessed longer than `oldest` ago, or patched since."""
    last = record.assessment
    return last is None or now - last.ended >= oldest or _is_patched_since(record)


def _is_patched_since(record: Record) -> bool:
    last, patched = record.assessment, record.installation
    if patched is None or patched.outcome is Outcome.NOT_STARTED:
        return False
    return last is None or patched.ended > last.ended
