"""The inventory's decisions: which subscriptions are swept together, which are listed, and what a sweep may believe.

Resource Graph is cheap and lags: a sweep refreshes what is known and takes up what is new. Whatever else it says, or
leaves out, is a doubt, which a direct listing settles.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from shared.domain.fleet import Subscription
from shared.domain.identity import is_plain
from shared.domain.machine import Machine, Record
from shared.domain.reason import reason

# Subscriptions in one query. Source: Resource Graph, "Guidance for throttled requests" (groups of about 100).
MOST_SUBSCRIPTIONS = 100
# Machines of one sweep (ours): five pages of 1,000, each a query; with one sweep every five seconds, a third of
# Resource Graph's quota of 15 queries in five seconds. The rest is for results and for traces of operations.
MOST_MACHINES = 5000
SPACING = timedelta(seconds=5)
# How old a direct listing may get (ours): what Resource Graph had wrong all along is put right a week later; and where
# there are no machines, that the subscription may not be read any more, which looks the same to it, is known next day.
LISTING_AGE, EMPTY_LISTING_AGE = timedelta(days=7), timedelta(days=1)
# How long a listing that did not bear out the same doubts is believed (ours). Resource Graph promises no freshness;
# support told a collection's maintainer of up to 30 hours.
DOUBTS_LIFE = timedelta(hours=6)
# How long one inventory is tried again before the next one, which comes every hour, has it (ours).
PATIENCE = timedelta(minutes=50)
# Wait before asking again when Azure names no time (ours): after a 429 the window of Resource Graph's quota.
THROTTLED_WAIT, ERROR_WAIT = timedelta(seconds=5), timedelta(minutes=1)
# Machines whose vmId comes or goes that one message deals with (ours): each costs up to two storage calls of its own,
# so that all are done well within a function's five minutes (host.json).
MOST_TOUCHED = 2000


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What one inventory does. `unseen`: subscriptions that it does not read any more, with that reason."""

    listings: tuple[str, ...]
    sweeps: tuple[tuple[str, ...], ...]
    unseen: tuple[Subscription, ...]


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep makes of one subscription: known machines that changed, new ones, and what is in doubt, in words."""

    changed: tuple[Machine, ...] = ()
    new: tuple[Machine, ...] = ()
    doubts: tuple[str, ...] = ()


def plan_inventory(wanted: Iterable[str], known: Iterable[Subscription], now: datetime) -> Plan:
    """Sweep what was listed lately; list directly what was not, and what failed last time."""
    before = {each.id: each for each in known}
    ids = sorted({each.lower() for each in wanted})
    listings = [each for each in ids if each not in before or _needs_listing(before[each], now)]
    unseen = [replace(each, at=now, reason=reason("SubscriptionUnseen")) for id_, each in before.items()
              if id_ not in ids and not _is_unseen(each)]  # fmt: skip
    swept = [before[each] for each in ids if each not in listings]
    return Plan(listings=tuple(listings), sweeps=tuple(_batches(swept)), unseen=tuple(unseen))


def sight(known: Mapping[str, Record], named: Mapping[str, Machine]) -> Sighting:
    """What a sweep may believe of a subscription's machines, both by machine key.

    In doubt: a machine that is known and not named, one that was gone, and one with another vmId than before.
    """
    missing = [f"missing {key}" for key, record in known.items() if record.deleted is None and key not in named]
    odd = [key for key, machine in named.items() if key in known and not is_plain(known[key], machine)]
    plain = {key: _spelled(known[key].machine, machine) for key, machine in named.items()
             if key in known and key not in odd}  # fmt: skip
    return Sighting(
        changed=tuple(machine for key, machine in plain.items() if machine != known[key].machine),
        new=tuple(machine for key, machine in named.items() if key not in known),
        doubts=(*missing, *(f"now {key} {named[key].vm_id}" for key in odd)),
    )


def portion(known: Mapping[str, Record], found: Mapping[str, Machine]) -> dict[str, Machine]:
    """As much of a listing as one message deals with: all that is known, and so many new machines."""
    new = sorted(key for key in found if key not in known)
    later = frozenset(new[MOST_TOUCHED:])
    return {key: machine for key, machine in found.items() if key not in later}


def digest(doubts: Iterable[str]) -> str:
    """Doubts in few characters, to tell the same ones again."""
    return hashlib.sha256("\n".join(sorted(doubts)).encode()).hexdigest()[:16]


def is_settled(subscription: Subscription, doubts: str, now: datetime) -> bool:
    """Whether a listing has dealt with the same doubts lately: Resource Graph lags behind it."""
    return subscription.doubts == doubts and subscription.listed is not None and now < subscription.listed + DOUBTS_LIFE


def is_passing(status: int) -> bool:
    """Whether Azure may answer otherwise soon; 0: it did not answer. A refusal lasts until somebody changes a right."""
    return status in (0, 408, 429) or status >= 500


def retry_in(status: int, retry_after: int, asked: datetime, now: datetime) -> int | None:
    """In how many seconds to try again after Azure answered so (0: not at all); None: not for this inventory.

    A refusal is not asked for again: it lasts until somebody grants the right.
    """
    if not is_passing(status):
        return None
    wait = timedelta(seconds=retry_after) or (THROTTLED_WAIT if status == 429 else ERROR_WAIT)
    return int(wait.total_seconds()) if now + wait <= asked + PATIENCE else None


def _needs_listing(subscription: Subscription, now: datetime) -> bool:
    age = LISTING_AGE if subscription.machines else EMPTY_LISTING_AGE
    return subscription.reason is not None or subscription.listed is None or now >= subscription.listed + age


def _is_unseen(subscription: Subscription) -> bool:
    return subscription.reason is not None and subscription.reason.code == "SubscriptionUnseen"


def _batches(subscriptions: Iterable[Subscription]) -> list[tuple[str, ...]]:
    """In order of their ids; one that is larger than MOST_MACHINES has a batch of its own."""
    batches: list[tuple[str, ...]] = []
    batch: list[Subscription] = []
    for each in subscriptions:
        machines = sum(one.machines for one in batch) + each.machines
        if batch and (len(batch) == MOST_SUBSCRIPTIONS or machines > MOST_MACHINES):
            batches.append(tuple(one.id for one in batch))
            batch = []
        batch.append(each)
    return [*batches, tuple(one.id for one in batch)] if batch else batches


def _spelled(known: Machine, named: Machine) -> Machine:
    """With the address as the listing wrote it: Resource Graph changes the case of letters at will."""
    return replace(named, id=known.id, name=known.name, vm_id=known.vm_id)
