"""The fleet as people ask for it: filtered pages of machines, the summary, and the app's own health."""

import logging
from collections.abc import Iterator
from datetime import datetime

import msgspec

from shared.domain.fleet import Subscription, Summary, status_of, summarise
from shared.domain.machine import Record
from shared.domain.messages import POISON_SUFFIX, QUEUES
from shared.domain.poison import Poison
from shared.domain.resource_id import encode_key
from shared.store.store import Store

log = logging.getLogger(__name__)
# Agenda items are due every two minutes at the latest; one that is this late means that the agenda timer stands still.
AGENDA_LATE_SECONDS = 180


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which machines to show; empty means any. Compared without case, as Azure does; tags `name` or `name=value`."""

    subscription: str = ""
    group: str = ""
    kind: str = ""
    os: str = ""
    status: str = ""
    tags: tuple[str, ...] = ()


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """Where the next page begins: a resource group's key and a row in it."""

    scope: str
    row: str = ""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some machines, and where to go on."""

    records: tuple[Record, ...]
    next: Cursor | None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator looks at first. `problems` says in sentences what is not as it should be."""

    at: datetime
    queues: dict[str, int]
    poison: tuple[Poison, ...]
    timers: dict[str, datetime]
    agenda_oldest: datetime | None
    subscriptions: tuple[Subscription, ...]
    problems: tuple[str, ...]


def list_machines(store: Store, wanted: Filter, size: int, after: Cursor | None) -> Page:
    """Up to `size` machines in key order. Reads only the resource groups that the filter leaves."""
    found: list[Record] = []
    for scope, row, record in _walk(store, wanted, after):
        if not _matches(record, wanted):
            continue
        if len(found) == size:
            return Page(records=tuple(found), next=Cursor(scope=scope, row=row))
        found.append(record)
    return Page(records=tuple(found), next=None)


def count_fleet(store: Store, now: datetime) -> Summary:
    """Rebuild the summary from every resource group's partition."""
    records = (record for scope in store.fleet.scopes() for record in store.machines.in_scope(scope))
    summary = summarise(records, now)
    store.fleet.save_summary(summary)
    log.info("fleet counted machines=%d", summary.machines)
    return summary


def read_health(store: Store, now: datetime) -> Health:
    """The app's own state: queues, poison, timers, agenda, inventories."""
    names = list(QUEUES.values())
    queues = {name: store.queues.length(name) for name in (*names, *(f"{name}{POISON_SUFFIX}" for name in names))}
    poison = tuple(each for name in names for each in store.poison.parked(name))
    oldest, subscriptions = store.agenda.oldest(), tuple(store.fleet.subscriptions())
    return Health(
        at=now,
        queues=queues,
        poison=poison,
        timers=store.fleet.timers(),
        agenda_oldest=oldest,
        subscriptions=subscriptions,
        problems=tuple(_problems(now, poison, oldest, subscriptions)),
    )


def _problems(
    now: datetime, poison: tuple[Poison, ...], oldest: datetime | None, subscriptions: tuple[Subscription, ...]
) -> Iterator[str]:
    for each in poison:
        yield f"A message on '{each.queue}' was given up ({each.why}). Replay it when that is mended."
    if oldest and (now - oldest).total_seconds() > AGENDA_LATE_SECONDS:
        yield f"The agenda has an item due since {oldest.isoformat()}: its timer does not run."
    for subscription in subscriptions:
        if subscription.reason:
            yield f"Subscription {subscription.id}: {subscription.reason.message} ({subscription.reason.detail})"


def _walk(store: Store, wanted: Filter, after: Cursor | None) -> Iterator[tuple[str, str, Record]]:
    group = f"|{encode_key(wanted.group)}" if wanted.group else ""
    for scope in store.fleet.scopes(wanted.subscription):
        if not scope.endswith(group) or (after and scope < after.scope):
            continue
        first = after.row if after and scope == after.scope else ""
        yield from ((scope, row, record) for row, record in store.machines.from_row(scope, first))


def _matches(record: Record, wanted: Filter) -> bool:
    machine = record.machine
    pairs = [(wanted.kind, machine.kind), (wanted.os, machine.os), (wanted.status, status_of(record)[0])]
    if record.deleted or any(text and text.lower() != value.lower() for text, value in pairs):
        return False
    tags = {name.lower(): value.lower() for name, value in machine.tags.items()}
    return all(_has_tag(tags, tag) for tag in wanted.tags)


def _has_tag(tags: dict[str, str], wanted: str) -> bool:
    name, equals, value = wanted.lower().partition("=")
    return name in tags and (not equals or tags[name] == value)
