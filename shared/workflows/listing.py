"""Direct listing: the truth about one subscription. One failing subscription does not touch the others."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec.structs import replace

from shared.cloud import machines as cloud
from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError
from shared.domain.fleet import Subscription
from shared.domain.identity import settle, touched
from shared.domain.inventory import is_passing, portion, retry_in
from shared.domain.logline import logline
from shared.domain.machine import Record
from shared.domain.messages import CountFleet, ListSubscription
from shared.domain.reason import reason
from shared.store.store import Store
from shared.workflows.inventory import known_machines
from shared.workflows.owner import ask_owner

log = logging.getLogger(__name__)


def take_inventory(azure: Azure, store: Store, message: ListSubscription) -> None:
    """Record every machine of one subscription, and those that are gone; or the reason why it could not be read."""
    now, subscription = azure.clock.now(), message.subscription
    before = store.fleet.subscription(subscription) or Subscription(id=subscription, at=now)
    # Read before Azure is asked: what a sweep takes up meanwhile is not in the listing, and not gone.
    scopes = store.fleet.scopes(subscription)
    known = known_machines(store, scopes)
    try:
        listed = {machine.address.key: machine for machine in cloud.machines(azure, subscription)}
        found = portion(known, listed)
        vm_ids = touched(known, found)
        elsewhere = list(_elsewhere(azure, store, subscription, vm_ids))
    except CloudError as error:
        _failed(store, before, message, error, now)
        return
    changed = settle(known, found, elsewhere, now)
    store.fleet.add_scopes(sorted({record.machine.address.scope for record in changed} - set(scopes)))
    _record(store, changed, vm_ids, now)
    if len(found) < len(listed):
        store.queues.send(message)
        return
    store.fleet.save_subscription(
        Subscription(id=subscription, at=now, machines=len(listed), listed=now, doubts=message.doubts)
    )
    if listed and before.listed is None:
        ask_owner(azure, store, subscription)  # so early that its marker has settled when something is to be started
    if changed or before.listed is None:
        store.queues.send(CountFleet())
    log.info("inventory taken subscription=%s machines=%d written=%d", subscription, len(listed), len(changed))


def _failed(store: Store, before: Subscription, message: ListSubscription, error: CloudError, now: datetime) -> None:
    """Said so, and tried again by message when that may help before the next inventory."""
    why = reason("InventoryThrottled", str(error)) if error.status == 429 else reason("InventoryFailed", str(error))
    store.fleet.save_subscription(replace(before, at=now, reason=why))
    asked = message.asked or now
    wait = retry_in(error.status, error.retry_after, asked, now)
    if wait is not None:
        store.queues.send(replace(message, asked=asked), wait)
    facts = {"subscription": before.id, "reason": why.code, "again_in": wait}
    log.warning(logline("inventory failed", **facts, detail=error))


def _elsewhere(azure: Azure, store: Store, subscription: str, vm_ids: Iterable[str]) -> Iterator[Record]:
    """Machines of other subscriptions that have or had one of these vmIds, as Azure has them now."""
    seen = set()
    for vm_id in sorted(vm_ids):
        for address in store.identities.of(vm_id):
            record = None if address.subscription == subscription else store.machines.get(address)
            if record is not None and address.key not in seen:
                seen.add(address.key)
                yield _in_truth(azure, record)


def _in_truth(azure: Azure, record: Record) -> Record:
    """Marked as gone when Azure says so; one that Azure refuses to tell of is as it was last seen.

    Raises CloudError when asking again may help: a throttle must not make a clone of a moved machine.
    """
    if record.deleted is not None:
        return record
    try:
        vm_id = cloud.identity_at(azure, record.machine.address)
    except CloudError as error:
        log.warning(logline("identity not checked", machine=record.machine.id, detail=error))
        if is_passing(error.status):
            raise
        return record
    is_there = vm_id is not None and vm_id.lower() == record.machine.vm_id.lower()
    return record if is_there else replace(record, deleted=azure.clock.now())


def _record(store: Store, changed: list[Record], vm_ids: frozenset[str], now: datetime) -> None:
    """Where each machine is first, its row last: until that is written, the next listing does the same again."""
    by_scope: dict[str, list[Record]] = defaultdict(list)
    for record in changed:
        machine, identity = record.machine, record.identity
        if record.deleted is None and machine.vm_id.lower() in vm_ids:
            store.identities.add(machine.vm_id, machine.address)
        if identity.recreated == now:
            store.updates.replace(machine.address, ())
            log.warning(
                "machine re-created machine=%s before=%s now=%s", machine.id, identity.predecessor, machine.vm_id
            )
        if record.deleted == now:
            log.warning("machine gone machine=%s moved_to=%s", machine.id, identity.moved_to)
        by_scope[machine.address.scope].append(record)
    for scope, records in by_scope.items():
        store.machines.settle(scope, records)
