"""Inventory: which machines there are, swept from Resource Graph, a batch of subscriptions a message.

What a sweep may not decide by itself goes to a direct listing: shared/workflows/listing.py.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from shared.cloud import machines as cloud
from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError
from shared.domain import inventory
from shared.domain.errors import RequestError
from shared.domain.fleet import Subscription
from shared.domain.inventory import MOST_TOUCHED, SPACING, digest, is_settled, retry_in, sight
from shared.domain.logline import logline
from shared.domain.machine import Machine, Record
from shared.domain.messages import CountFleet, ListSubscription, SweepMachines
from shared.store.store import Store
from shared.workflows.owner import look_again

log = logging.getLogger(__name__)
# Seconds after which a caller may ask again where Azure named none (ours).
ASK_AGAIN = 30


class _Swept(msgspec.Struct, frozen=True, kw_only=True):
    """One subscription after the sweep; `doubts` for a listing to settle, "" for none."""

    subscription: Subscription
    wrote: int
    doubts: str = ""


def plan_inventory(azure: Azure, store: Store, chosen: tuple[str, ...]) -> list[str]:
    """Ask for the inventory of each subscription: those chosen in the settings, else all that are visible.

    Raises CloudError when the subscriptions cannot be listed.
    """
    found, now = list(chosen) or cloud.subscriptions(azure), azure.clock.now()
    plan = inventory.plan_inventory(found, store.fleet.subscriptions(), now)
    store.fleet.save_subscriptions(plan.unseen)
    for subscription in plan.listings:
        store.queues.send(ListSubscription(subscription=subscription, asked=now))
    for position, batch in enumerate(plan.sweeps):
        delay = position * int(SPACING.total_seconds())
        store.queues.send(SweepMachines(subscriptions=batch, asked=now), delay)
    log.info(
        "inventory planned listings=%d sweeps=%d unseen=%d", len(plan.listings), len(plan.sweeps), len(plan.unseen)
    )
    return found


def request_inventory(azure: Azure, store: Store, chosen: tuple[str, ...]) -> list[str]:
    """The same for somebody who waits: raises RequestError 503, with Azure's words, when Azure does not list them."""
    try:
        return plan_inventory(azure, store, chosen)
    except CloudError as error:
        log.warning(logline("inventory not planned", status=error.status, detail=error))
        wait = error.retry_after or ASK_AGAIN
        raise RequestError(503, error.code, error.message, "subscriptions", wait) from error


def sweep_inventory(azure: Azure, store: Store, message: SweepMachines) -> None:
    """Record what Resource Graph says of a batch of subscriptions, and ask for listings of those it leaves in doubt.

    Raises ValueError, once all others are recorded, for subscriptions with machines that storage cannot take.
    """
    now = azure.clock.now()
    named: dict[str, dict[str, Machine]] = defaultdict(dict)
    try:
        for machine in cloud.sweep(azure, message.subscriptions):
            named[machine.address.subscription][machine.address.key] = machine
    except CloudError as error:
        _again(store, message, error, now)
        return
    swept, unwritten = _sweep_each(store, message.subscriptions, named, now)
    store.fleet.save_subscriptions([each.subscription for each in swept if not each.doubts])
    doubts = {each.subscription.id: each.doubts for each in swept if each.doubts}
    _list(store, {**doubts, **dict.fromkeys(unwritten, "")}, message.asked)
    look_again(azure, store, message.subscriptions)
    wrote = sum(each.wrote for each in swept)
    if wrote:
        store.queues.send(CountFleet())
    log.info("inventory swept subscriptions=%d machines=%d written=%d", len(swept), _count(named), wrote)
    if unwritten:
        raise ValueError("; ".join(f"{subscription}: {why}" for subscription, why in unwritten.items()))


def known_machines(store: Store, scopes: Iterable[str]) -> dict[str, Record]:
    """Every record of these resource groups by machine key, gone ones too."""
    return {record.machine.address.key: record for scope in scopes for record in store.machines.in_scope(scope)}


def _sweep_each(
    store: Store, subscriptions: Iterable[str], named: Mapping[str, Mapping[str, Machine]], now: datetime
) -> tuple[list[_Swept], dict[str, str]]:
    """One after the other; and why, by subscription, what one was to record does not fit into storage."""
    before = {each.id: each for each in store.fleet.subscriptions()}
    swept, unwritten = [], {}
    for each in subscriptions:
        try:
            if each in before:
                swept.append(_sweep(store, before[each], named.get(each, {}), now))
        except ValueError as error:
            log.exception("inventory not written subscription=%s", each)
            unwritten[each] = str(error)
    return swept, unwritten


def _sweep(store: Store, before: Subscription, named: Mapping[str, Machine], now: datetime) -> _Swept:
    scopes = store.fleet.scopes(before.id)
    known = known_machines(store, scopes)
    seen = sight(known, named)
    new = _newcomers(store, seen.new)
    _save(store, scopes, [*seen.changed, *new])
    doubts = [*seen.doubts, *(f"new {each.address.key} {each.vm_id}" for each in seen.new if each not in new)]
    alive = sum(record.deleted is None for record in known.values())
    after = msgspec.structs.replace(before, at=now, machines=alive + len(new), reason=None)
    mark, wrote = digest(doubts) if doubts else "", len(seen.changed) + len(new)
    if not mark or is_settled(before, mark, now):
        return _Swept(subscription=after, wrote=wrote)
    log.info("inventory in doubt subscription=%s machines=%d", before.id, len(doubts))
    return _Swept(subscription=before, wrote=wrote, doubts=mark)


def _newcomers(store: Store, new: tuple[Machine, ...]) -> list[Machine]:
    """Those whose vmId nobody else has or had: the others may have moved here, or be clones."""
    if len(new) > MOST_TOUCHED:
        return []
    plain = []
    for machine in new:
        if machine.vm_id:
            if any(other.key != machine.address.key for other in store.identities.of(machine.vm_id)):
                continue
            store.identities.add(machine.vm_id, machine.address)
        plain.append(machine)
    return plain


def _save(store: Store, scopes: list[str], machines: list[Machine]) -> None:
    by_scope: dict[str, list[Machine]] = defaultdict(list)
    for machine in machines:
        by_scope[machine.address.scope].append(machine)
    store.fleet.add_scopes(sorted(by_scope.keys() - set(scopes)))
    for scope, saved in by_scope.items():
        store.machines.save(scope, saved)


def _list(store: Store, doubts: Mapping[str, str], asked: datetime) -> None:
    for subscription, mark in doubts.items():
        store.queues.send(ListSubscription(subscription=subscription, asked=asked, doubts=mark))


def _again(store: Store, message: SweepMachines, error: CloudError, now: datetime) -> None:
    """By message, as soon as Azure allows. What Resource Graph does not answer in time is listed directly."""
    wait = retry_in(error.status, error.retry_after, message.asked, now)
    facts = {"subscriptions": len(message.subscriptions), "reason": f"Http{error.status}", "again_in": wait}
    log.warning(logline("inventory not swept", **facts, detail=error))
    if wait is not None:
        store.queues.send(message, wait)
    else:
        _list(store, dict.fromkeys(message.subscriptions, ""), now)


def _count(named: Mapping[str, Mapping[str, Machine]]) -> int:
    return sum(len(each) for each in named.values())
