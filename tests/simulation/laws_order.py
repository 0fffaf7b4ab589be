"""Laws 1 and 4 between the machines of one run: stops, budget, pace, waves, availability sets; by Azure's journal."""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from shared.domain.machine import Outcome
from shared.domain.run import PERMIT_LIFE
from shared.domain.run_machine import RunMachine
from tests.simulation.evidence import Broken, Evidence, Ran
from tests.simulation.laws_sending import CLOCK_ERROR
from tests.simulation.window_changes import AWAY
from tests.simulation.window_plan import SOAK
from tests.simulation.wire import Sent

if TYPE_CHECKING:
    from tests.simulation.window_world import WindowWorld

SLOW_START = 4
_BAD = (Outcome.FAILED, Outcome.UNKNOWN)
_GOOD = ("Succeeded", "CompletedWithWarnings")
Sends = Mapping[str, list[Sent]]


class _Run(NamedTuple):
    """A run's machines as they ended, and what Azure did to those whose end could be learned."""

    id: str
    parts: dict[str, RunMachine]
    ran: list[Ran]


def order_laws(evidence: Evidence, world: "WindowWorld", sends: Sends) -> Iterator[Broken]:
    yield from _nothing_after_a_stop(world, sends)
    yield from _within_the_budget(world)
    for run, requests in sends.items():
        found = _found(evidence, world, run, requests)
        yield from _at_one_time(world, found)
        yield from _in_waves(world, found, requests)
        yield from _domain_by_domain(world, found)


def _found(evidence: Evidence, world: "WindowWorld", run: str, requests: list[Sent]) -> _Run:
    loaded = world.store.runs.load(run)
    parts = {each.machine.lower(): each for each in loaded.machines} if loaded else {}
    ran = [found for sent in requests if sent.accepted and sent.arrived
           and (found := evidence.run_of(sent, sent.arrived))
           and sent.machine in parts and parts[sent.machine].outcome is not Outcome.UNKNOWN]  # fmt: skip
    return _Run(run, parts, ran)


def _nothing_after_a_stop(world: "WindowWorld", sends: Sends) -> Iterator[Broken]:
    """Law 1: after a recorded cancel, or after the run's own rules stopped it, no permit is given, and nothing leaves
    but on one that was given before."""
    for permit in world.watch.permits:
        stopped = world.watch.stopped.get(permit.run)
        if stopped is not None and permit.at > stopped:
            yield Broken("1 stopped", f"{permit.machine} at {permit.at}, stopped at {stopped}", permit.run)
    for run, requests in sends.items():
        stopped = world.watch.stopped.get(run)
        late = [sent for sent in requests if stopped and sent.left > stopped + PERMIT_LIFE + CLOCK_ERROR]
        if late:
            yield Broken("1 stopped", f"{late[0].machine} left at {late[0].left}, stopped at {stopped}", run)


def _within_the_budget(world: "WindowWorld") -> Iterator[Broken]:
    """Law 4: no permit once as many failures are written as the budget allows."""
    budget = world.window.budget
    for permit in world.watch.permits if budget is not None else ():
        if permit.run not in world.watch.frozen:
            continue  # of an install-now request
        failed = sum(run == permit.run and at < permit.at and outcome in _BAD
                     for run, _, at, outcome in world.watch.ends)  # fmt: skip
        if failed >= max(1, budget or 0):
            yield Broken("4 budget", f"{permit.machine} at {permit.at} after {failed} failures", permit.run)


def _at_one_time(world: "WindowWorld", run: _Run) -> Iterator[Broken]:
    """Law 4: never more under way in Azure than `maxConcurrency`, nor than a slow start allows."""
    limit = world.window.limit
    for one in run.ran if limit is not None else ():
        together = sum(other.began <= one.began < other.ended for other in run.ran)
        good = sum(other.ended <= one.began and other.result in _GOOD for other in run.ran)
        allowed = min(limit or 0, math.ceil((limit or 0) / SLOW_START) + good)
        if together > allowed:
            yield Broken("4 concurrency", f"{together} at {one.began}, {allowed} allowed", run.id)


def _in_waves(world: "WindowWorld", run: _Run, requests: list[Sent]) -> Iterator[Broken]:
    """A wave begins when all before it have ended and soaked, and enough of them succeeded."""
    waves = world.window.waves
    for number, wave in enumerate(waves):
        later = [sent for sent in requests if not any(sent.machine in each for each in waves[: number + 1])]
        if not later:
            continue
        first = min(later, key=lambda sent: sent.left)
        free = _free_at(run, wave - away(world))  # those are not waited for
        if free and first.left < free - CLOCK_ERROR:
            yield Broken("waves", f"{first.machine} left at {first.left}, wave {number} had soaked at {free}", run.id)
        counted = [machine for machine in wave if machine in run.parts and not run.parts[machine].aside]
        good = sum(run.parts[machine].outcome in (Outcome.SUCCEEDED, Outcome.WARNINGS) for machine in counted)
        if good * 100 < world.window.threshold * len(counted):
            yield Broken("waves", f"{first.machine} after {good} of {len(counted)} in wave {number}", run.id)


def away(world: "WindowWorld") -> frozenset[str]:
    """Machines that may be away at their turn and are looked at again."""
    changed = {each.machine.id.lower() for each in world.window.changes if each.verb in ("stop", "start")}
    off = {each.id.lower() for each in world.fleet if each.script in AWAY}
    return frozenset(changed | off) if world.window.looks else frozenset()


def _free_at(run: _Run, wave: frozenset[str]) -> datetime | None:
    """When the next wave may begin: by Azure's ends, or by ours where Azure's could not be learned or there is none."""
    ends = [ran.ended + timedelta(seconds=SOAK) for ran in run.ran if ran.machine in wave]
    known = {ran.machine for ran in run.ran}
    for machine in sorted(wave & run.parts.keys() - known):
        part = run.parts[machine]
        soak = timedelta() if part.outcome is Outcome.NOT_STARTED else timedelta(seconds=SOAK)
        ends += [part.ended + soak] if part.ended else []
    return max(ends, default=None)


def _domain_by_domain(world: "WindowWorld", run: _Run) -> Iterator[Broken]:
    """Of one availability set, machines of one update domain at a time. Azure puts one that is re-created anywhere."""
    new = {change.machine.id.lower() for change in world.window.changes if change.verb == "recreate"}
    old = [target for target in world.fleet if target.group and target.id.lower() not in new]
    places = {target.id.lower(): (target.group, target.domain) for target in old}
    there = [(ran, *places[ran.machine]) for ran in run.ran if ran.machine in places]
    for one, group, domain in there:
        for other, its_group, its_domain in there:
            if group == its_group and domain != its_domain and other.began <= one.began < other.ended:
                said = f"{one.machine} (domain {domain}) while {other.machine} (domain {its_domain}) is patched"
                yield Broken("4 availability set", f"{said} at {one.began}", run.id)
