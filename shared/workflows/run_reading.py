"""What one step of a run is decided by: the run's rows, and the attempts of some of its machines.

In a run of a thousand machines the attempts take longest to read, and many steps meet. Each reads those that it is for
and takes along whose end is on record: their own messages then have nothing to do. Where another was quicker it is
decided anew by what it has read, and takes along whose permit has run out: the alarm, which is for those, may come long
after.
"""

import logging
from collections.abc import Iterator, Set
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from shared.domain.logline import logline
from shared.domain.messages import AdvanceRun
from shared.domain.operation import Operation
from shared.domain.resource_id import parse_machine_id
from shared.domain.returning import is_away
from shared.domain.run import Run, RunMachine, Step, free_at
from shared.store.runs import Loaded
from shared.store.store import Store

log = logging.getLogger(__name__)
# Machines of each kind that a step takes along (ours): as long to read as the rows of a thousand machines.
TAKEN_ALONG = 40


class Read(NamedTuple):
    """`unseen`: machines whose attempt was not read. `now`: an instant before the attempts were read."""

    loaded: Loaded
    facts: dict[str, Operation]
    unseen: frozenset[str]
    now: datetime


def first_read(store: Store, loaded: Loaded, message: AdvanceRun, now: datetime) -> Read:
    """The attempts that the step is for. In a run of a configuration none is made before a machine's first permit."""
    unseen = frozenset(_left_alone(loaded, message, now))
    begun = {each.machine for each in loaded.machines if loaded.run.plan is None or _is_begun(each)}
    along = _readable(store, loaded, unseen & set(_over(loaded, message)))
    facts = _attempts(store, loaded, begun - unseen)
    return Read(loaded, facts | along, unseen - along.keys(), now)


def once_more(store: Store, read: Read, again: Loaded) -> Read:
    """With the run as another step has left it. What was read of a machine that it has moved may be older than that:
    it is read again if it was seen, else that machine is left alone."""
    known = {each.machine: each for each in read.loaded.machines}
    moved = {each.machine for each in again.machines if known.get(each.machine) != each}
    more = {each.machine for each in _run_out(again, read)[:TAKEN_ALONG]} - moved
    facts = read.facts | _attempts(store, again, more | (moved & read.facts.keys()))
    return Read(again, facts, (read.unseen - more) | (moved - read.facts.keys()), read.now)


def _left_alone(loaded: Loaded, message: AdvanceRun, now: datetime) -> Iterator[str]:
    """Of a large run one machine's end does not read all the others' attempts, nor does the alarm, which is for those
    whose permit has run out.

    Of one that was away it always is read: it holds a place if it has come back, and only its attempt says so.
    """
    if loaded.run.plan is None or message.heals or not (message.machine or message.alarm is not None):
        return
    for each in loaded.machines:
        asked = each.machine.lower() == message.machine.lower()
        due = asked if message.machine else _has_run_out(loaded.run, each, now)
        if _is_begun(each) and not due and not is_away(each.reason):
            yield each.machine


def _over(loaded: Loaded, message: AdvanceRun) -> list[str]:
    """Machines whose end is on record, and which no step has seen: as many as one step takes along.

    Failures first: they count before the step grants a permit. Then from the message's machine on, so that steps which
    meet take different ones.
    """
    asked = next((at for at, each in enumerate(loaded.machines) if each.machine.lower() == message.machine.lower()), 0)
    turned = loaded.machines[asked:] + loaded.machines[:asked]
    found = [each.machine for each in turned if each.machine in loaded.marked and not each.is_ended]
    return sorted(found, key=lambda machine: not loaded.marked[machine])[:TAKEN_ALONG]


def _readable(store: Store, loaded: Loaded, wanted: Set[str]) -> dict[str, Operation]:
    """The attempts of those that are taken along; a row that is no attempt keeps no other one."""
    try:
        return _attempts(store, loaded, wanted)
    except ValueError as error:
        log.warning(logline("attempt not readable", run=loaded.run.id, reason=error))
    found: dict[str, Operation] = {}
    for machine in sorted(wanted):
        with suppress(ValueError):  # its own message raises it
            found |= _attempts(store, loaded, {machine})
    return found


def _run_out(loaded: Loaded, read: Read) -> list[RunMachine]:
    hidden = (each for each in loaded.machines if each.machine in read.unseen)
    return [each for each in hidden if _has_run_out(loaded.run, each, read.now)]


def _is_begun(machine: RunMachine) -> bool:
    return machine.step in (Step.PERMITTED, Step.RUNNING)


def _has_run_out(run: Run, machine: RunMachine, now: datetime) -> bool:
    free = free_at(run, machine)
    return machine.step is Step.PERMITTED and (free is None or free <= now)


def _attempts(store: Store, loaded: Loaded, wanted: Set[str]) -> dict[str, Operation]:
    machines = [each.machine for each in loaded.machines if each.machine in wanted and not each.is_ended]
    found = store.operations.attempts([parse_machine_id(machine) for machine in machines], loaded.run.id)
    return {machine: operation for machine, operation in zip(machines, found, strict=True) if operation}
