"""The app's own state: reads a bounded part of what there is and asks the domain what is wrong with it."""

from datetime import datetime

import msgspec

from shared.domain.agenda import Item
from shared.domain.fleet import Subscription
from shared.domain.health import Check, Facts, Finding, Problem, Throttle, findings, is_stuck, problems
from shared.domain.messages import POISON_SUFFIX, QUEUES
from shared.domain.poison import Poison
from shared.store.store import Store

# What is read at most (ours), so that an answer costs a few dozen storage calls however big the fleet: one page of
# storage for each shard of the agenda, parked messages of one queue, throttles (one a subscription and region).
MOST_OPEN = 1000
MOST_PARKED = 100
MOST_THROTTLES = 3000
# Shown of each list (ours).
MOST_SHOWN = 100


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator looks at first. `problems` says in sentences what is not as it should be, and what to do."""

    at: datetime
    queues: dict[str, int]
    poison: tuple[Poison, ...]
    timers: dict[str, datetime]
    agenda_oldest: datetime | None
    stuck: tuple[Item, ...]
    throttled: tuple[Throttle, ...]
    subscriptions: tuple[Subscription, ...]
    index_as_of: datetime | None
    checks: tuple[Finding, ...]
    problems: tuple[Problem, ...]


def read_health(store: Store, now: datetime) -> Health:
    """Queues, poison, timers, agenda, stuck operations and runs, throttles, inventories."""
    facts = _facts(store, now)
    told = problems(facts, now)
    return Health(
        at=now,
        queues=facts.queues,
        poison=facts.poison[:MOST_SHOWN],
        timers=facts.timers,
        agenda_oldest=facts.agenda_oldest,
        stuck=tuple(item for item in facts.open if is_stuck(item, now))[:MOST_SHOWN],
        throttled=facts.throttled[:MOST_SHOWN],
        subscriptions=facts.subscriptions,
        index_as_of=facts.index_as_of,
        checks=findings(facts, told),
        problems=told,
    )


def _facts(store: Store, now: datetime) -> Facts:
    names = list(QUEUES.values())
    parked = {name: store.poison.parked(name, MOST_PARKED + 1) for name in names}
    agenda = store.agenda.first(MOST_OPEN)
    throttled, more_throttles = store.buckets.throttled(now, MOST_THROTTLES)
    goes_on = {
        Check.POISON: any(len(found) > MOST_PARKED for found in parked.values()),
        Check.OPERATIONS: agenda.more,
        Check.BUCKETS: more_throttles,
    }
    return Facts(
        queues={name: store.queues.length(name) for name in (*names, *(f"{name}{POISON_SUFFIX}" for name in names))},
        agenda_oldest=agenda.oldest,
        open=tuple(agenda.items),
        unreadable=agenda.unreadable,
        poison=tuple(each for found in parked.values() for each in found[:MOST_PARKED]),
        throttled=tuple(throttled),
        timers=store.fleet.timers(),
        up_since=min(store.fleet.first_timers().values(), default=None),
        subscriptions=tuple(store.fleet.subscriptions()),
        index_as_of=store.index.shown().as_of,
        marks=tuple(store.fleet.marks().values()),
        unread=frozenset(check for check, more in goes_on.items() if more),
    )
