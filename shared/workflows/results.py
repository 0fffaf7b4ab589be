"""Results swept from Resource Graph: what Azure found by itself is recorded, and no assessment is asked for.

Resource Graph decides nothing about an operation of ours: a result there only brings its next look forward.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from shared.cloud import graph
from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError
from shared.domain.agenda import ItemKind
from shared.domain.logline import logline
from shared.domain.machine import Assessment, Outcome
from shared.domain.messages import FollowOperation, SweepResults
from shared.domain.reason import reason
from shared.domain.resource_id import MachineId, parse_machine_id
from shared.domain.results import (
    ERROR_WAIT,
    LIST_PATIENCE,
    QUOTA_WAIT,
    Found,
    Sweep,
    ended,
    is_evidence,
    is_news,
    plan_sweeps,
    portions,
)
from shared.domain.update import Update
from shared.store.store import Store

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
    """Record what is new. Each portion is recorded before the next is read, so that a retry has less to do."""
    news = list(_news(store, found))
    busy = _under_way(store) if news else frozenset()
    free = [each for each in news if not (each.machine.key in busy and _is_ours(store, each))]
    for portion in portions(free):
        _record(store, portion, graph.pending(azure, portion), azure.clock.now())
    return len(free)


def _news(store: Store, found: Iterable[Found]) -> Iterator[Found]:
    by_scope: dict[str, list[Found]] = defaultdict(list)
    for each in found:
        by_scope[each.machine.scope].append(each)
    for scope, group in by_scope.items():
        records = {record.machine.address.key: record for record in store.machines.in_scope(scope)}
        for each in group:
            record = records.get(each.machine.key)
            if record and is_news(record, each.assessment):
                yield each


def _under_way(store: Store) -> frozenset[str]:
    """Keys of the machines that may have an operation of ours: all of those stand on the agenda."""
    machines: list[str] = []
    for item in store.agenda.items():
        if item.kind is ItemKind.ASSESSMENT:
            machines.append(item.machine)
        elif loaded := store.runs.load(item.id):
            machines += [each.machine for each in loaded.machines]
    return frozenset(parse_machine_id(machine).key for machine in machines)


def _is_ours(store: Store, found: Found) -> bool:
    """Whether an operation of ours holds the machine. Its next look is brought forward: ARM itself is asked."""
    held = store.operations.in_flight(found.machine)
    if held is None:
        return False
    operation = held.operation
    if is_evidence(operation, found.assessment):
        look = FollowOperation(machine=operation.machine, attempt=operation.attempt, look=operation.looks)
        store.queues.send(look)
    return True


def _record(store: Store, portion: list[Found], lists: dict[str, tuple[Update, ...]], now: datetime) -> None:
    """Updates first, the machines' rows last: until they are written, the results stay news."""
    done: dict[str, list[tuple[MachineId, Assessment]]] = defaultdict(list)
    for each in portion:
        result, listed = each.assessment, lists.get(str(each.machine).lower())
        if result.pending and listed is None and result.outcome is not Outcome.FAILED:
            if now < result.ended + LIST_PATIENCE:
                continue  # its rows lag behind; a later sweep sees it again
            result = msgspec.structs.replace(result, reason=reason("ResultsLate"))
        elif result.outcome is not Outcome.FAILED:
            store.updates.replace(each.machine, listed or ())
        done[each.machine.scope].append((each.machine, result))
    for scope, results in done.items():
        store.history.add_assessments(results)
        store.machines.set_published(scope, results)
