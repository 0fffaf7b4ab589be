"""Results swept from Resource Graph: what Azure found by itself is recorded, and no assessment is asked for.

Resource Graph decides nothing about an operation of ours: a result there only brings its next look forward.
"""

import logging
from datetime import datetime

import msgspec

from shared.cloud import graph
from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError
from shared.domain.agenda import ItemKind, is_looked_at_together
from shared.domain.logline import logline
from shared.domain.messages import FollowOperation, SweepResults
from shared.domain.resource_id import parse_machine_id
from shared.domain.results import (
    ERROR_WAIT,
    QUOTA_WAIT,
    Found,
    Sweep,
    ended,
    is_evidence,
    plan_sweeps,
)
from shared.store.store import Store
from shared.workflows.published import news, record_published

log = logging.getLogger(__name__)


def plan_results(store: Store, now: datetime) -> int:
    """Ask for a sweep of every subscription that the inventory knows, a batch a message; returns how many messages."""
    known = store.results.sweeps()
    subscriptions = [each.id for each in store.fleet.subscriptions()]
    messages = plan_sweeps([known.get(each) or Sweep(subscription=each) for each in subscriptions], now)
    for message in messages:
        store.results.ask(message.subscriptions, now)
        store.queues.send(message)
    log.info("sweeps planned messages=%d", len(messages))
    return len(messages)


def sweep_results(azure: Azure, store: Store, message: SweepResults) -> None:
    """One page of a sweep; the rest is the next message's. What could not be read comes again by message."""
    try:
        found, page = graph.assessments(azure, message.subscriptions, message.since, message.page)
        taken = _take(azure, store, found)
    except CloudError as error:
        _later(store, message, error, azure.clock.now())
        return
    log.info("results swept subscriptions=%d found=%d new=%d", len(message.subscriptions), len(found), taken)
    if page:
        store.results.ask(message.subscriptions, azure.clock.now())
        store.queues.send(msgspec.structs.replace(message, page=page))
        return
    known = store.results.sweeps()
    store.results.end(ended(known.get(each) or Sweep(subscription=each), message) for each in message.subscriptions)


def _later(store: Store, message: SweepResults, error: CloudError, now: datetime) -> None:
    """A page may not be there any more after another error than the quota's: begin again."""
    throttled = error.status == 429
    again = message if throttled else msgspec.structs.replace(message, page="")
    log.warning(logline("results not swept", subscriptions=len(message.subscriptions), reason=error))
    store.results.ask(message.subscriptions, now)
    store.queues.send(again, max(error.retry_after, QUOTA_WAIT if throttled else ERROR_WAIT))


def _take(azure: Azure, store: Store, found: list[Found]) -> int:
    """Record what is new and not of an operation of ours."""
    new = news(store, found)
    now = azure.clock.now()
    busy = _under_way(store, now) if new else {}
    free = [
        each
        for each in new
        if not (each.machine.key in busy and (busy[each.machine.key] or _is_ours(store, each, now)))
    ]
    return sum(1 for _ in record_published(azure, store, free))


def _under_way(store: Store, now: datetime) -> dict[str, bool]:
    """Keys of the machines that may have an operation of ours: all of those stand on the agenda.

    True for those whose end is looked for together: there is nothing to see to.
    """
    machines: dict[str, bool] = {}
    for item in store.agenda.items():
        if item.kind is ItemKind.ASSESSMENT:
            machines[parse_machine_id(item.machine).key] = is_looked_at_together(item, now)
        elif loaded := store.runs.load(item.id):
            machines |= {parse_machine_id(each.machine).key: False for each in loaded.machines}
    return machines


def _is_ours(store: Store, found: Found, now: datetime) -> bool:
    """Whether an operation of ours holds the machine. Its next look is brought forward: ARM itself is asked."""
    held = store.operations.in_flight(found.machine)
    if held is None:
        return False
    operation = held.operation
    if is_evidence(operation, found.assessment, now):
        look = FollowOperation(machine=operation.machine, attempt=operation.attempt, look=operation.looks)
        store.queues.send(look)
    return True
