"""Inventory: which machines there are. One failing subscription does not touch the others."""

import logging
from collections import defaultdict

from shared.cloud import machines as listing
from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError
from shared.domain.fleet import Subscription
from shared.domain.logline import logline
from shared.domain.machine import Machine
from shared.domain.messages import CountFleet, ListSubscription
from shared.domain.reason import reason
from shared.store.store import Store

log = logging.getLogger(__name__)


def plan_inventory(azure: Azure, store: Store, chosen: tuple[str, ...]) -> list[str]:
    """Ask for the inventory of each subscription: those chosen in the settings, else all that are visible.

    Raises CloudError when the subscriptions cannot be listed.
    """
    found = list(chosen) or listing.subscriptions(azure)
    for subscription in found:
        store.queues.send(ListSubscription(subscription=subscription))
    log.info("inventory planned subscriptions=%d", len(found))
    return found


def take_inventory(azure: Azure, store: Store, subscription: str) -> None:
    """Record every machine of one subscription, and those that are gone; or the reason why it could not be read."""
    now = azure.clock.now()
    try:
        found = list(listing.machines(azure, subscription))
    except CloudError as error:
        why = reason("InventoryFailed", str(error))
        store.fleet.save_subscription(Subscription(id=subscription, at=now, reason=why))
        log.warning(logline("inventory failed", subscription=subscription, reason=why.code, detail=error))
        return
    by_scope: dict[str, list[Machine]] = defaultdict(list)
    for machine in found:
        by_scope[machine.address.scope].append(machine)
    store.fleet.add_scopes(sorted(by_scope))
    for scope, machines in by_scope.items():
        store.machines.save(scope, machines, now)
    _mark_deleted(store, subscription, by_scope, azure)
    store.fleet.save_subscription(Subscription(id=subscription, at=now, machines=len(found)))
    store.queues.send(CountFleet())
    log.info("inventory taken subscription=%s machines=%d", subscription, len(found))


def _mark_deleted(store: Store, subscription: str, by_scope: dict[str, list[Machine]], azure: Azure) -> None:
    """A machine that a complete listing no longer names is gone; its history stays."""
    for scope in store.fleet.scopes(subscription):
        seen = {machine.address.row for machine in by_scope.get(scope, [])}
        known = [record.machine for record in store.machines.in_scope(scope) if record.deleted is None]
        gone = [machine for machine in known if machine.address.row not in seen]
        if gone:
            store.machines.mark_deleted(scope, gone, azure.clock.now())
            log.warning("inventory machines gone scope=%s count=%d", scope, len(gone))
