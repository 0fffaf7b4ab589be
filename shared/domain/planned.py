"""Planned assessments: many machines go together, from the plan to the end. Nobody waits for any one of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

import msgspec
from msgspec.structs import replace

from shared.domain.agenda import HEAL_PLANNED, Item, ItemKind
from shared.domain.bucket import SLOT_LIFE
from shared.domain.machine import Assessment, Outcome
from shared.domain.messages import FollowPlanned, Planned
from shared.domain.operation import Operation, State, claim_assessment, sending
from shared.domain.results import Found

# Machines that are started by one message (ours; with the longest names four fifths of what a queue takes): where
# starts take long, START_TIME ends it first.
LARGEST_START = 60
# How far apart the slots of those may be (ours): all start at the last one's, so none of them is too old then.
START_SPREAD = SLOT_LIFE / 2
# How long one message goes on starting (ours), within the five minutes of a function (host.json).
START_TIME = timedelta(minutes=2)
# Waits before each look in Resource Graph, in Azure's own Retry-After (ours): few, for nobody waits and each costs
# calls. Together less than the wait before the first look at a single operation (domain/looks.py), which is for those
# that no look here has seen the end of.
LOOKS = (20, 24)
# How many looks are made again that Resource Graph's quota refused (ours; few, as a message may come twice), and the
# wait where Azure names none, seconds: the quota is counted over five. Source: Resource Graph, "Guidance for throttled
# requests".
MOST_REFUSED, REFUSED_WAIT = 3, 5
# Clocks of Azure's parts agree to this (ours; the same as in cloud/clock.py).
NOISE = timedelta(seconds=2)


class Paced(msgspec.Struct, frozen=True, kw_only=True):
    """A planned assessment, and the throttle that its slot is leased from."""

    subscription: str
    region: str
    planned: Planned


def starts(paced: Iterable[Paced]) -> Iterator[tuple[Planned, ...]]:
    """Those that one message starts: of one subscription, of one throttle where it has many, slots near each other.

    They come subscription by subscription, those of a throttle in order of their slots, and none is kept back longer
    than its subscription's last.
    """
    for _, group in groupby(paced, key=lambda each: each.subscription):
        together: dict[str, list[Planned]] = defaultdict(list)
        for each in group:
            waiting = together[each.region]
            if not _fit(waiting, [each.planned]):
                yield tuple(waiting)
                waiting.clear()
            waiting.append(each.planned)
        yield from _joined(together.values())


def _joined(parts: Iterable[list[Planned]]) -> Iterator[tuple[Planned, ...]]:
    """What is left of several throttles, as few messages as that order makes."""
    together: list[Planned] = []
    for part in sorted(parts, key=last_slot):
        if not _fit(together, part):
            yield tuple(together)
            together = []
        together = [*together, *part]
    yield tuple(together)


def _fit(one: Sequence[Planned], other: Sequence[Planned]) -> bool:
    """Whether both go by one message."""
    slots = [each.slot for each in (*one, *other)]
    return not one or (len(slots) <= LARGEST_START and max(slots) - min(slots) <= START_SPREAD)


def last_slot(machines: Iterable[Planned]) -> datetime:
    """When there is room for all of them. Raises ValueError where there is none."""
    return max(each.slot for each in machines)


def first_tended(machines: Sequence[Planned]) -> datetime:
    """When the agenda looks after them for the first time."""
    return last_slot(machines) + HEAL_PLANNED


def are_usable(machines: Iterable[Planned], now: datetime) -> bool:
    """Whether every slot is still good."""
    return all(now <= each.slot + SLOT_LIFE for each in machines)


def line(planned: Planned, since: datetime) -> Item:
    """Its line on the agenda."""
    closes_by = claim(planned, "", planned.slot).deadline
    return Item(
        kind=ItemKind.ASSESSMENT,
        id=planned.attempt,
        since=since,
        machine=planned.machine,
        closes_by=closes_by,
        planned=True,
    )


def claim(planned: Planned, requested_by: str, now: datetime) -> Operation:
    """The claim of a machine whose request is about to leave: one row says both."""
    claimed = claim_assessment(planned.machine, planned.attempt, requested_by, now, planned.slot)
    return sending(replace(claimed, planned=True), now)


def accepted(planned: Planned, operation: Operation, etag: str) -> Planned:
    """With what its end can be recorded by, where Azure accepted it.

    Where its message came again, with a new slot, the request may have left before that.
    """
    planned = replace(planned, slot=min(planned.slot, operation.claimed))
    if not is_looked_at_together(operation) or not etag:
        return planned
    return replace(planned, sent=operation.sent, etag=etag)


def may_be_its(planned: Planned, found: Assessment) -> bool:
    """Whether a result is worth a look at the machine's rows: older ones are not its end."""
    return found.started >= planned.slot - NOISE


def as_accepted(planned: Planned, message: FollowPlanned) -> Operation | None:
    """The operation as it stood when Azure accepted it, but for where to look at it; None where it did not.

    The ETag beside it says whether it stands so still.
    """
    if planned.sent is None:
        return None
    claimed = claim(planned, message.requested_by, planned.sent)
    return replace(claimed, state=State.ACCEPTED, retry_after=message.unit)


def is_looked_at_together(operation: Operation) -> bool:
    """Whether others' look tells of its end as well."""
    return operation.planned and operation.state is State.ACCEPTED


def next_look(look: int, unit: int) -> int | None:
    """Seconds until this look in Resource Graph; None when there is none any more."""
    return LOOKS[look] * max(1, unit) if look < len(LOOKS) else None


def look_again(
    message: FollowPlanned, left: tuple[Planned, ...], retry_after: int | None
) -> tuple[FollowPlanned, int] | None:
    """The message that looks at those that are left, and in how many seconds; None after the last look.

    `retry_after`: the quota's, when it refused this look, which is then made again; None when it was made.
    """
    if not left:
        return None
    if retry_after is not None and message.refused < MOST_REFUSED:
        again = replace(message, machines=left, refused=message.refused + 1)
        return again, retry_after or REFUSED_WAIT
    wait = next_look(message.look + 1, message.unit)
    following = replace(message, machines=left, look=message.look + 1)
    return None if wait is None else (following, wait)


def proves(operation: Operation, found: Assessment) -> bool:
    """Whether a result in Resource Graph is the end of this planned assessment.

    It began after our request had left, so it is no older one; a machine does one thing at a time, and what Azure
    broke off for something newer does not succeed. Whatever else it says, Azure itself is asked.
    """
    return _may_be(operation, found) and found.started_by != "Platform" and found.outcome is Outcome.SUCCEEDED


def is_doubtful(operation: Operation, found: Assessment) -> bool:
    """Whether it may be the end, and Azure itself has to say how it ended."""
    return _may_be(operation, found) and not proves(operation, found)


def credited(operation: Operation, found: Found) -> Found:
    """The result, with who asked for it."""
    return replace(found, assessment=replace(found.assessment, requested_by=operation.requested_by))


def _may_be(operation: Operation, found: Assessment) -> bool:
    if not operation.planned or operation.state is not State.ACCEPTED or operation.sent is None:
        return False
    return found.started >= operation.sent - NOISE
