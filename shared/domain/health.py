"""Whether the app does its work: facts about its queues, timers, agenda and throttles, and what is wrong with them.

Every problem has a code and one sentence that says what is wrong and what to do.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

import msgspec

from shared.domain.agenda import HEAL_EVERY, Item, ItemKind
from shared.domain.fleet import Subscription
from shared.domain.owner import Mark
from shared.domain.poison import Poison

# How often each timer fires; a test compares them with the triggers' own schedules.
TIMERS = {
    "agenda_timer": timedelta(minutes=1),
    "assessment_timer": timedelta(minutes=10),
    "inventory_timer": timedelta(hours=1),
    "opening_timer": timedelta(minutes=10),
    "results_timer": timedelta(minutes=5),
}
# A timer is late after its interval twice over and this (ours): one function may run for five minutes (host.json).
TIMER_GRACE = timedelta(minutes=5)
# Agenda items are due every two minutes at the latest; one that is this late means that the agenda timer stands still.
AGENDA_LATE = timedelta(minutes=3)
# How long after its own deadline an open item counts as stuck (ours): five rounds of the agenda did not close it.
STUCK_GRACE = 5 * HEAL_EVERY
# Hints in a row that moved nothing, after which an assessment counts as stuck (ours): the same ten minutes.
STUCK_HINTS = 5
# Messages on one queue that are more than a plan for 100,000 machines makes at once (ours).
LONG_QUEUE = 50_000
# Problems told one by one of each kind (ours); the rest is a number.
MOST_TOLD = 20
NOT_ALL = " There are more, which were not read."


class Check(StrEnum):
    """What is looked at."""

    QUEUES = "queues"
    AGENDA = "agenda"
    OPERATIONS = "operations"
    POISON = "poison"
    BUCKETS = "buckets"
    TIMERS = "timers"
    INVENTORY = "inventory"
    OWNERS = "owners"
    INDEX = "index"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as it should be. `target` names it for programs."""

    check: Check
    code: str
    message: str
    target: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one check found, in one sentence."""

    check: Check
    healthy: bool
    message: str


class Throttle(msgspec.Struct, frozen=True, kw_only=True):
    """A throttle that Azure closed: nothing is sent before `until`."""

    subscription: str
    region: str
    until: datetime


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What was read, of long lists only their beginning: `unread` names the checks whose list goes on.

    `unreadable`: lines of the agenda among them that this version cannot read.
    `up_since`: when the first of the timers ran for the first time. `index_as_of`: how the fleet is shown.
    """

    queues: dict[str, int]
    agenda_oldest: datetime | None
    open: tuple[Item, ...]
    poison: tuple[Poison, ...]
    throttled: tuple[Throttle, ...]
    timers: dict[str, datetime]
    up_since: datetime | None
    subscriptions: tuple[Subscription, ...]
    index_as_of: datetime | None = None
    marks: tuple[Mark, ...] = ()
    unread: frozenset[Check] = frozenset()
    unreadable: int = 0


def is_stuck(item: Item, now: datetime) -> bool:
    """Open for longer than its own deadline and STUCK_GRACE, or STUCK_HINTS hints in a row did not move it."""
    is_over = item.closes_by is not None and now >= item.closes_by + STUCK_GRACE
    return is_over or item.hints >= STUCK_HINTS


def problems(facts: Facts, now: datetime) -> tuple[Problem, ...]:
    """Everything that is wrong; of each check at most MOST_TOLD one by one, then how many more."""
    return tuple(told for check in Check for told in _told(check, _JUDGES[check](facts, now), check in facts.unread))


def findings(facts: Facts, told: Iterable[Problem]) -> tuple[Finding, ...]:
    """One sentence for every check, also when nothing is wrong."""
    wrong = [problem.check for problem in told]
    return tuple(
        Finding(
            check=check,
            healthy=check not in wrong,
            message=_SENTENCES[check](facts) + (NOT_ALL if check in facts.unread else ""),
        )
        for check in Check
    )


def _told(check: Check, found: Iterator[Problem], goes_on: bool) -> Iterator[Problem]:
    yield from islice(found, MOST_TOLD)
    more = sum(1 for _ in found)
    if more:
        count = f"at least {more}" if goes_on else str(more)
        yield Problem(
            check=check, code="More", message=f"And {count} more of these ({check}); mend the first ones first."
        )


def _queues(facts: Facts, _: datetime) -> Iterator[Problem]:
    for name, length in facts.queues.items():
        if length >= LONG_QUEUE:
            text = f"{length} messages wait on the queue '{name}': look whether its function fails or is switched off."
            yield Problem(check=Check.QUEUES, code="QueueLong", message=text, target=name)


def _agenda(facts: Facts, now: datetime) -> Iterator[Problem]:
    oldest = facts.agenda_oldest
    if oldest and now - oldest > AGENDA_LATE:
        text = (
            f"The agenda has an item due since {_at(oldest)}: look why the function agenda_timer does not run or fails."
        )
        yield Problem(check=Check.AGENDA, code="AgendaLate", message=text)
    if facts.unreadable:
        text = (
            f"{facts.unreadable} of the first lines of the agenda cannot be read by this version and are left alone: "
            "go back to the newer version that wrote them."
        )
        yield Problem(check=Check.AGENDA, code="AgendaUnreadable", message=text)


def _operations(facts: Facts, now: datetime) -> Iterator[Problem]:
    for item in facts.open:
        if not is_stuck(item, now):
            continue
        since = f"is open since {_at(item.since)}"
        if item.kind is ItemKind.RUN:
            text = f"The run {item.id} {since} and does not end: close it (POST /fleet/runs/{item.id}/close)."
            yield Problem(check=Check.OPERATIONS, code="RunStuck", message=text, target=item.id)
        elif item.kind is ItemKind.OPENING:
            text = f"A window of {item.configuration} is not opened: replay what was given up on the queue openings."
            yield Problem(check=Check.OPERATIONS, code="WindowStuck", message=text, target=item.configuration)
        elif item.kind is ItemKind.EVENT:
            text = (f"An event of {item.configuration} is not published: look whether the topic of OUM_EVENTS_ENDPOINT "
                    "exists, and whether the app may send to it.")  # fmt: skip
            yield Problem(check=Check.OPERATIONS, code="EventUnsent", message=text, target=item.configuration)
        else:
            text = (f"The assessment {item.id} of {item.machine} {since} and does not move: release it "
                    f"(POST /fleet/operations/{item.id}/release).")  # fmt: skip
            yield Problem(check=Check.OPERATIONS, code="OperationStuck", message=text, target=item.id)


def _poison(facts: Facts, _: datetime) -> Iterator[Problem]:
    for each in facts.poison:
        text = f"A message on '{each.queue}' was given up ({each.why}): replay it when that is mended, or discard it."
        yield Problem(check=Check.POISON, code="MessageParked", message=text, target=f"{each.queue}/{each.id}")


def _buckets(facts: Facts, _: datetime) -> Iterator[Problem]:
    for each in facts.throttled:
        where = f"subscription {each.subscription}, region {each.region}"
        text = (
            f"Azure throttles patching in {where}, until {_at(each.until)}: starts there wait by themselves; "
            "if it comes often, find out who else calls."
        )
        yield Problem(check=Check.BUCKETS, code="Throttled", message=text, target=f"{each.subscription}/{each.region}")


def _timers(facts: Facts, now: datetime) -> Iterator[Problem]:
    if not facts.timers:
        text = "No timer has run yet: unless the app was started a minute ago, look why its host runs none."
        yield Problem(check=Check.TIMERS, code="TimersNeverRan", message=text)
    for name, every in TIMERS.items():
        last = facts.timers.get(name)
        since = last or facts.up_since
        if since and now - since > 2 * every + TIMER_GRACE:
            when = f"ran last at {_at(last)}" if last else "has never run"
            text = (
                f"The timer {name} {when} but is due every {_minutes(every)}: look whether it fails or is switched off."
            )
            yield Problem(check=Check.TIMERS, code="TimerLate", message=text, target=name)


def _inventory(facts: Facts, _: datetime) -> Iterator[Problem]:
    for each in facts.subscriptions:
        if each.reason:
            text = (
                f"Subscription {each.id}: {each.reason.message} ({each.reason.detail}) "
                "Mend the cause; the next inventory tries again."
            )
            yield Problem(check=Check.INVENTORY, code=each.reason.code, message=text, target=each.id)


def _index(_: Facts, __: datetime) -> Iterator[Problem]:
    """Its age alone is none: it is rebuilt when a timer or a reader asks, and what then fails is parked."""
    return iter(())


def _owners(facts: Facts, _: datetime) -> Iterator[Problem]:
    for each in facts.marks:
        if each.is_elsewhere:
            text = (
                f"The deployment '{each.owner}' drives the subscription {each.subscription}, so nothing is started in "
                "it from here: leave it out of this one's settings, or take it over "
                f"(POST /fleet/owners/{each.subscription}/take)."
            )
            yield Problem(check=Check.OWNERS, code="OwnedElsewhere", message=text, target=each.subscription)
        elif each.reason:
            text = (
                f"Subscription {each.subscription}: {each.reason.message} ({each.reason.detail}) Work goes on; let the "
                "app read and write the subscription's tags (role Tag Contributor) to keep other deployments away."
            )
            yield Problem(check=Check.OWNERS, code=each.reason.code, message=text, target=each.subscription)
        elif each.trouble:
            text = (
                f"Subscription {each.subscription}: {each.trouble.message} ({each.trouble.detail}) Nothing is started "
                "in it while it is not known to be ours: let the app read and write its tags (role Tag Contributor)."
            )
            yield Problem(check=Check.OWNERS, code=each.trouble.code, message=text, target=each.subscription)


_JUDGES: dict[Check, Callable[[Facts, datetime], Iterator[Problem]]] = {
    Check.QUEUES: _queues,
    Check.AGENDA: _agenda,
    Check.OPERATIONS: _operations,
    Check.POISON: _poison,
    Check.BUCKETS: _buckets,
    Check.TIMERS: _timers,
    Check.INVENTORY: _inventory,
    Check.INDEX: _index,
    Check.OWNERS: _owners,
}
_SENTENCES: dict[Check, Callable[[Facts], str]] = {
    Check.QUEUES: lambda facts: f"{sum(facts.queues.values())} messages wait on {len(facts.queues)} queues.",
    Check.AGENDA: lambda facts: (
        f"The oldest item of the agenda is due at {_at(facts.agenda_oldest)}."
        if facts.agenda_oldest
        else "The agenda is empty."
    ),
    Check.OPERATIONS: lambda facts: f"{len(facts.open)} assessments and runs are open.",
    Check.POISON: lambda facts: f"{len(facts.poison)} messages are parked.",
    Check.BUCKETS: lambda facts: f"{len(facts.throttled)} throttles are closed by Azure.",
    Check.TIMERS: lambda facts: f"{len(facts.timers)} of {len(TIMERS)} timers have run.",
    Check.INVENTORY: lambda facts: f"{len(facts.subscriptions)} subscriptions were read.",
    Check.INDEX: lambda facts: (
        f"Pages and counts show the fleet as of {_at(facts.index_as_of)}."
        if facts.index_as_of
        else "Pages and counts show nothing yet: the fleet's index was never built."
    ),
    Check.OWNERS: lambda facts: (
        f"{sum(each.reason is None for each in facts.marks)} of {len(facts.marks)} subscriptions are marked as driven "
        "by this deployment."
    ),
}


def _at(time: datetime) -> str:
    return time.isoformat(timespec="seconds")


def _minutes(span: timedelta) -> str:
    return f"{int(span.total_seconds() // 60)} min"
