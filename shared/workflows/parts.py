"""Whom a run is about: the machines that are in scope, and the part of each, in batches that are one transaction.

Azure is asked who else patches them, and for what only a look at a VM tells.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from shared.cloud import machines as cloud
from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError
from shared.domain.assignment import Assignment, select
from shared.domain.configuration import Configuration
from shared.domain.logline import logline
from shared.domain.machine import Outcome, Record
from shared.domain.opening import left_out, part_of
from shared.domain.reason import Reason, reason
from shared.domain.resource_id import parse_machine_id
from shared.domain.run import MOST_CHANGES, Run, RunMachine
from shared.domain.run_machine import ended_part
from shared.store.runs import Loaded
from shared.store.store import Store
from shared.workflows.native import patching
from shared.workflows.owner import ask_owner

log = logging.getLogger(__name__)
_Each = TypeVar("_Each")
# So long Azure is asked who drives the subscriptions while machines are written down (ours): in the last minute, of
# which one more question may take half (cloud/azure.py). Each start asks again.
OWNERS_TIME = timedelta(seconds=20)
# Of so many VMs Azure is asked at once which update domain each is in, where they are more than a few (ours).
LOOKS_AT_ONCE, MANY = 8, 33


def in_scope(store: Store, configuration: Configuration) -> Iterator[Record]:
    """Every machine that the assignments take now, by the inventory."""
    assignments = [stored.assignment for stored in store.assignments.of_configuration(configuration.id)]
    for scope in _scopes(store, {each.id.subscription.lower() for each in assignments}):
        records = {record.machine.id.lower(): record for record in store.machines.in_scope(scope)}
        for key in sorted(select(assignments, records.values()).chosen):
            yield records[key]


def _scopes(store: Store, subscriptions: Iterable[str]) -> Iterator[str]:
    for subscription in sorted(subscriptions):
        yield from store.fleet.scopes(subscription)


class _Others(msgspec.Struct, frozen=True, kw_only=True):
    """Who else starts something: assignments of Azure's own, and why a subscription is not ours, by its id."""

    native: Sequence[Assignment]
    owners: dict[str, Reason]


def judged(
    azure: Azure, store: Store, loaded: Loaded, configuration: Configuration, until: datetime
) -> Iterator[tuple[RunMachine, ...]]:
    """The parts of machines that are not written down yet, or were only listed for the pre-event, in batches.

    `until`: a batch that is not done by then asks no more VMs for their update domains. Raises CloudError.

    What was listed then stays, whatever the scopes say now: handlers were told of it. It is the machine of then.
    """
    known = {part.machine.lower(): part for part in loaded.machines}
    listed = {id_: part for id_, part in known.items() if part.listed}
    found = () if loaded.run.events.listed else in_scope(store, configuration)
    records = {each.machine.id.lower(): each for each in found} | _of(store, listed)
    new = [record for id_, record in records.items() if id_ not in known or id_ in listed]
    everybody = list(records.values())
    others = _Others(native=_native(azure, loaded.run, everybody), owners=_owners(azure, store, loaded.run, everybody))
    for batch in _batches(new):
        domains = _domains(azure, loaded.run, batch, until)
        parts = [_part(azure, configuration, loaded.run, each, others, domains) for each in batch]
        yield tuple(replace(part, vm_id=_vm_id(listed, part), listed=False) for part in parts)
    now, lost = azure.clock.now(), [part for id_, part in listed.items() if id_ not in records]
    gone = [ended_part(part, Outcome.NOT_STARTED, reason("NotInInventory"), now) for part in lost]
    yield from (tuple(replace(part, listed=False) for part in batch) for batch in _batches(gone))


def _is_missed(azure: Azure, run: Run) -> bool:
    return run.plan is not None and azure.clock.now() > run.plan.begin_by


def _owners(azure: Azure, store: Store, run: Run, records: Sequence[Record]) -> dict[str, Reason]:
    """Subscriptions that another deployment drives. What nobody has marked is marked, and is ours by the opening.

    After OWNERS_TIME the rest is judged by what is known.
    """
    if _is_missed(azure, run):
        return {}
    began, left = azure.clock.now(), sorted({record.machine.address.subscription for record in records})
    found = dict[str, Reason | None]()
    while left and azure.clock.now() - began < OWNERS_TIME:
        subscription = left.pop(0)
        found[subscription] = ask_owner(azure, store, subscription)[0]
    known = store.fleet.marks() if left else {}
    found |= {each: mark.reason for each in left if (mark := known.get(each)) and mark.is_elsewhere}
    return {each: why for each, why in found.items() if why}


def _batches(each: Sequence[_Each]) -> Iterator[Sequence[_Each]]:
    """Of what one transaction takes."""
    return (each[at : at + MOST_CHANGES] for at in range(0, len(each), MOST_CHANGES))


def _vm_id(listed: Mapping[str, RunMachine], part: RunMachine) -> str:
    before = listed.get(part.machine.lower())
    return (before.vm_id if before else "") or part.vm_id


def _of(store: Store, listed: Mapping[str, RunMachine]) -> dict[str, Record]:
    """What the inventory knows of these machines."""
    found = store.machines.these(parse_machine_id(part.machine) for part in listed.values())
    return {record.machine.id.lower(): record for record in found.values()}


def _native(azure: Azure, run: Run, records: Sequence[Record]) -> list[Assignment]:
    """What Azure patches by itself; of no interest any more once the window is missed. Raises CloudError."""
    subscriptions = sorted({record.machine.address.subscription for record in records})
    return [] if _is_missed(azure, run) or not subscriptions else patching(azure, subscriptions)


def _domains(azure: Azure, run: Run, records: Sequence[Record], until: datetime) -> dict[str, int | None]:
    """The update domain of each VM in an availability set, by its id. Raises CloudError."""
    asked = [record for record in records if record.machine.availability_set]
    if len(asked) < MANY:
        return {record.machine.id: _domain(azure, run, record, until) for record in asked}
    with ThreadPoolExecutor(LOOKS_AT_ONCE, "domains") as lookers:
        found = lookers.map(lambda record: _domain(azure, run, record, until), asked)
        return {record.machine.id: domain for record, domain in zip(asked, found, strict=True)}


def _domain(azure: Azure, run: Run, record: Record, until: datetime) -> int | None:
    """Only a look at the VM tells; unknown when Azure does not say now.

    While there is time before the window, a throttle is waited for: what is written down stays. Raises CloudError.
    """
    if azure.clock.now() > until:
        return None
    try:
        current = cloud.at_this_moment(azure, record.machine.address)
    except CloudError as error:
        if error.status == 429 and azure.clock.now() < run.start:
            raise
        log.warning(logline("update domain unknown", machine=record.machine.id, detail=error))
        return None
    return current.update_domain if current else None


def _part(
    azure: Azure, configuration: Configuration, run: Run, record: Record, others: _Others,
    domains: Mapping[str, int | None],
) -> RunMachine:  # fmt: skip
    domain = domains.get(record.machine.id)
    part = part_of(configuration, run, record, domain, others.native, azure.clock.now())
    why = others.owners.get(record.machine.address.subscription)
    return left_out(part, why, azure.clock.now()) if why and not part.is_ended else part
