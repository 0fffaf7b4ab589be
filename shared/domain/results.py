"""Results swept from Resource Graph: which subscriptions are asked together and when, and which results are news."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import msgspec

from shared.domain.identity import is_own
from shared.domain.machine import Assessment, Record
from shared.domain.messages import SweepResults
from shared.domain.operation import Operation, State
from shared.domain.resource_id import MachineId

# Subscriptions asked in one query (ours): their ids fit a queue message many times over, and one batch that is
# throttled or broken keeps no other waiting.
LARGEST_BATCH = 100
# How far each sweep looks back behind the last one (ours). Resource Graph promises no freshness; a repository of
# Microsoft's quotes 95 % of changes under 30 s, with no upper bound.
OVERLAP = timedelta(minutes=30)
# How often everything that Azure keeps is asked for, for what showed up later than that (ours).
WHOLE_EVERY = timedelta(hours=6)
# A sweep that has not ended after this long is asked for again (ours): its message may be lost.
SWEEP_LIFE = timedelta(minutes=15)
# Wait after an error of Resource Graph's, seconds: its quota is counted over five; other errors (ours) wait for what
# the timer would do.
QUOTA_WAIT, ERROR_WAIT = 5, 300
# Ids in one query. Source: Resource Graph, "Guidance for throttled requests" (groups of fewer than 300).
MOST_IDS = 299
# Updates asked for at once (ours): five pages, a third of the quota of five seconds, so that a portion that is
# throttled half-way gets through on its next try.
MOST_UPDATES = 5000
# How long a list of updates may show later than its summary before the result is taken without it (ours): within
# OVERLAP, so that the sweep still sees the summary.
LIST_PATIENCE = timedelta(minutes=15)


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """How far one subscription is swept: asked for last, the last sweep that ended, the last whole one."""

    subscription: str
    asked: datetime | None = None
    completed: datetime | None = None
    whole: datetime | None = None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An ended assessment as Resource Graph shows it."""

    machine: MachineId
    assessment: Assessment


def plan_sweeps(sweeps: Iterable[Sweep], now: datetime) -> list[SweepResults]:
    """One message a batch; those that are under way are left alone."""
    due = [each for each in sweeps if not _is_under_way(each, now)]
    whole = [each for each in due if each.whole is None or now - each.whole >= WHOLE_EVERY]
    recent = [each for each in due if each not in whole]
    return [*_batches(whole, now, None), *_batches(recent, now, OVERLAP)]


def ended(sweep: Sweep, message: SweepResults) -> Sweep:
    """The sweep after this one has read its last page. Ends may come in any order: nothing goes back."""
    whole = sweep.whole if message.since else _later(sweep.whole, message.asked)
    completed = _later(sweep.completed, message.asked)
    return msgspec.structs.replace(sweep, asked=message.asked, completed=completed, whole=whole)


def is_news(record: Record, found: Assessment) -> bool:
    """Newer than what is on record, or the list that was late; an older or equal result is nothing.

    Nor is one of the machine that stood at the address before.
    """
    last = record.assessment
    if record.deleted or not is_own(record, found.started):
        return False
    if last is None or found.ended > last.ended:
        return True
    return found.id == last.id and last.reason is not None and last.reason.code == "ResultsLate"


def is_recorded(record: Record, found: Assessment) -> bool:
    """Whether this result is what stands on record."""
    return not record.deleted and record.assessment is not None and record.assessment.id == found.id


def is_evidence(operation: Operation, found: Assessment, now: datetime) -> bool:
    """Whether this result may be the operation's own, so that ARM is worth asking now.

    Planned assessments that Azure accepted are looked at together (domain/planned.py) until their own look is due.
    """
    if operation.planned and operation.state is State.ACCEPTED and operation.look_at and now < operation.look_at:
        return False
    looked_after = operation.state in (State.ACCEPTED, State.UNCONFIRMED)
    return looked_after and found.ended >= (operation.sent or operation.claimed)


def portions(found: Iterable[Found]) -> Iterator[list[Found]]:
    """In portions whose lists of updates are few enough for one go."""
    portion: list[Found] = []
    for each in found:
        total = sum(one.assessment.pending for one in portion) + each.assessment.pending
        if portion and (len(portion) == MOST_IDS or total > MOST_UPDATES):
            yield portion
            portion = []
        portion.append(each)
    if portion:
        yield portion


def _is_under_way(sweep: Sweep, now: datetime) -> bool:
    if sweep.asked is None or now >= sweep.asked + SWEEP_LIFE:
        return False
    return sweep.completed is None or sweep.completed < sweep.asked


def _batches(sweeps: list[Sweep], now: datetime, overlap: timedelta | None) -> Iterator[SweepResults]:
    ordered = sorted(sweeps, key=lambda each: each.subscription)
    for start in range(0, len(ordered), LARGEST_BATCH):
        batch = ordered[start : start + LARGEST_BATCH]
        oldest = min((each.completed for each in batch if each.completed), default=None)
        since = oldest - overlap if overlap and oldest else None
        yield SweepResults(subscriptions=tuple(each.subscription for each in batch), asked=now, since=since)


def _later(one: datetime | None, other: datetime) -> datetime:
    return max(one or other, other)
