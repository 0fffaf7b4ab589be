"""Which machines are due for an assessment, and why the others are left alone."""

from datetime import datetime, timedelta

import msgspec

from shared.domain.machine import Outcome, Record, unreachable
from shared.domain.operation import ASSESSMENT_PATIENCE
from shared.domain.reason import Reason

# How far ahead slots are leased (ours): longer than the planner's interval, so that the throttle is never idle; short,
# so that an installation asked for meanwhile does not queue behind a whole fleet.
PLAN_AHEAD = timedelta(minutes=15)
# A plan that has led to nothing for this long after its slot is made again: longer than an assessment waits for a busy
# machine (ours).
PLAN_LIFE = ASSESSMENT_PATIENCE + timedelta(minutes=10)
# Pause after an assessment that Azure refused to start, so that a broken machine does not use up the throttle (ours).
REFUSAL_PAUSE = timedelta(hours=1)


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """What the planner makes of one machine: due or not, and the reason when it cannot be looked at."""

    due: bool
    reason: Reason | None = None


def plan_assessment(record: Record, oldest: timedelta, now: datetime) -> Due:
    """Due: reachable, not under way, and never assessed, assessed longer than `oldest` ago, or patched since.

    A failed assessment counts as a look: it is repeated when it is `oldest` old, or on demand.
    """
    if record.deleted:
        return Due(due=False)
    why = unreachable(record.machine)
    if why:
        return Due(due=False, reason=why)
    return Due(due=is_stale(record, oldest, now) and not _is_under_way(record, now))


def _is_under_way(record: Record, now: datetime) -> bool:
    if record.planned and now < record.planned + PLAN_LIFE:
        return True
    return record.refusal is not None and now < record.refusal.at + REFUSAL_PAUSE


def is_stale(record: Record, oldest: timedelta, now: datetime) -> bool:
    """Never assessed, assessed longer than `oldest` ago, or patched since."""
    last = record.assessment
    if last is None or now - last.ended >= oldest:
        return True
    patched = record.installation
    return patched is not None and patched.outcome is not Outcome.NOT_STARTED and patched.ended > last.ended
