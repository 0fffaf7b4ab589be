"""Which machines a configuration takes, and why not the others: for a run that begins now, and page by page to read.

Judged by the inventory, as Azure judges dynamic scopes: when it is asked for, not when they were written. A machine
that several configurations take is patched by each in its own window; while one patches it the other waits, until its
own cut-off (`domain/overlap.py`). Those windows that are open together are told with the page.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

import msgspec

from shared.domain.assignment import Assignment, AssignmentId
from shared.domain.configuration import Configuration
from shared.domain.index import Cursor
from shared.domain.machine import Record
from shared.domain.maintenance_id import ConfigurationId
from shared.domain.overlap import Overlap, overlaps
from shared.domain.preview import Verdict, in_scope, takers, unseen, verdicts
from shared.domain.reason import Reason
from shared.domain.resource_id import MachineId, encode_key
from shared.store.store import Store
from shared.workflows.configurations import read_configuration
from shared.workflows.machines import read_machine

# Windows of each configuration, and configurations, that are looked at for overlaps (ours).
WINDOWS, MOST_CONFIGURATIONS = 10, 20


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Machines by id in lower case. `taken`: what is known of each, and the assignments that take it."""

    taken: dict[str, tuple[Record, tuple[AssignmentId, ...]]]
    left_out: dict[str, Reason]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One machine of a preview; no reason: it is taken, by these assignments. `others`: configurations that also do."""

    record: Record
    assignments: tuple[AssignmentId, ...] = ()
    others: tuple[ConfigurationId, ...] = ()
    reason: Reason | None = None


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """A page. `unseen`, on the first one: machines that are assigned by name and that no inventory knows."""

    lines: tuple[Line, ...]
    unseen: dict[str, Reason] = {}
    overlaps: tuple[Overlap, ...] = ()
    next: Cursor | None = None


def machines_in_scope(store: Store, configuration: Configuration) -> Scope:
    """Every machine that the configuration would patch now, and each that its assignments reach and it would not.

    Reads no more than the assignments reach: a machine assigned by name, the groups and subscriptions of the scopes.
    """
    assignments = [each.assignment for each in store.assignments.of_configuration(configuration.id)]
    records = {record.machine.id.lower(): record for record in _reached(store, assignments)}
    selection = in_scope(configuration, assignments, records.values())
    taken = {key: (records[key], by) for key, by in selection.chosen.items()}
    return Scope(taken=taken, left_out=selection.left_out | unseen(assignments, set(records)))


def preview_configuration(
    store: Store, address: ConfigurationId, after: Cursor | None, size: int, now: datetime
) -> Preview:
    """A page over all machines of the subscriptions that have an assignment of it. Raises RequestError 404."""
    configuration = read_configuration(store, address).configuration
    assignments = [each.assignment for each in store.assignments.of_configuration(configuration.id)]
    return _page(store, configuration, assignments, (after, size), now)


def preview_assignment(store: Store, assignment: Assignment, after: Cursor | None, size: int, now: datetime) -> Preview:
    """The same for one assignment, which need not be stored; and its configuration need not exist."""
    found = store.configurations.get(assignment.configuration)
    return _page(store, found.configuration if found else None, [assignment], (after, size), now)


def preview_machine(store: Store, machine: MachineId, now: datetime) -> tuple[Record, list[Verdict], list[Overlap]]:
    """What every assignment in its subscription says of a machine, and when windows that take it are open together.

    Raises RequestError 404 for a machine that no inventory has seen.
    """
    record = read_machine(store, machine)
    found = verdicts([each.assignment for each in store.assignments.in_subscription(machine.subscription)], record)
    return record, found, _overlaps(store, list(takers(found).values()), now)


def _page(
    store: Store,
    configuration: Configuration | None,
    assignments: Sequence[Assignment],
    part: tuple[Cursor | None, int],
    now: datetime,
) -> Preview:
    after, size = part
    subscriptions = sorted({each.id.subscription for each in assignments})
    found = list(islice(_machines(store, subscriptions, after), size + 1))
    records = [record for _, record in found[:size]]
    selection = in_scope(configuration, assignments, records)
    others = _others(store, subscriptions, assignments)
    lines = []
    for record in records:
        key = record.machine.id.lower()
        taken = selection.chosen.get(key, ())
        also = tuple(takers(verdicts(others, record)).values()) if taken else ()
        lines.append(Line(record=record, assignments=taken, others=also, reason=selection.left_out.get(key)))
    met = {each.key: each for line in lines for each in line.others}
    mine = [configuration.id] if configuration and met else []
    return Preview(
        lines=tuple(lines),
        unseen={} if after else _unseen(store, assignments),
        overlaps=tuple(_overlaps(store, [*mine, *met.values()], now)),
        next=found[size][0] if len(found) > size else None,
    )


def _others(store: Store, subscriptions: Sequence[str], own: Sequence[Assignment]) -> list[Assignment]:
    """All assignments there that are of another configuration."""
    mine = {each.configuration.key for each in own}
    every = [each.assignment for name in subscriptions for each in store.assignments.in_subscription(name)]
    return [each for each in every if each.configuration.key not in mine]


def _overlaps(store: Store, addresses: Sequence[ConfigurationId], now: datetime) -> list[Overlap]:
    found = [store.configurations.get(each) for each in addresses[:MOST_CONFIGURATIONS]]
    return overlaps([each.configuration for each in found if each is not None], now, WINDOWS) if len(found) > 1 else []


def _unseen(store: Store, assignments: Sequence[Assignment]) -> dict[str, Reason]:
    named = [each.id.machine for each in assignments if each.id.machine is not None]
    return unseen(assignments, {str(each).lower() for each in named if store.machines.get(each) is not None})


def _machines(store: Store, subscriptions: Sequence[str], after: Cursor | None) -> Iterator[tuple[Cursor, Record]]:
    """All machines of these subscriptions in key order, from a place on."""
    for subscription in subscriptions:
        for scope in store.fleet.scopes(subscription):
            if after is None or Cursor(scope=scope).order[0] >= after.order[0]:
                first = after.row if after and scope == after.scope else ""
                for seen in store.machines.from_row(scope, first):
                    yield Cursor(scope=scope, row=seen.row), seen.record


def _reached(store: Store, assignments: Sequence[Assignment]) -> Iterator[Record]:
    scopes: set[str] = set()
    for each in assignments:
        if each.id.machine is None:
            scopes |= {*_scopes(store, each)}
    for scope in sorted(scopes):
        yield from store.machines.in_scope(scope)
    for each in assignments:
        if each.id.machine is not None and each.id.machine.scope not in scopes:
            record = store.machines.get(each.id.machine)
            if record is not None:
                yield record


def _scopes(store: Store, assignment: Assignment) -> list[str]:
    """The partitions of machines that a dynamic scope may take from."""
    subscription, group = assignment.id.subscription, assignment.id.group
    if group:
        return [f"{encode_key(subscription)}|{encode_key(group)}"]
    wanted = (assignment.filter.resource_groups if assignment.filter else None) or ()
    if wanted:
        return [f"{encode_key(subscription)}|{encode_key(name)}" for name in wanted]
    return store.fleet.scopes(subscription)
