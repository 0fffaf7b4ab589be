"""The laws of maintenance windows, judged by what Azure saw and by what was written when."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.domain.machine import Outcome
from shared.domain.maintenance_id import parse_configuration_id
from shared.domain.phase import RunOutcome
from shared.domain.run import Run
from tests.simulation.clock import since_start
from tests.simulation.evidence import Broken, Evidence
from tests.simulation.laws_sending import CLOCK_ERROR, held, journal_is_complete, on_a_permit, one_in_flight, sent_once
from tests.simulation.wire import Sent

if TYPE_CHECKING:
    from tests.simulation.windows import WindowWorld

CUT_OFF = {"Windows": timedelta(minutes=25), "Linux": timedelta(minutes=20)}
"""Before the end: one update and a reboot. Update Manager documentation, "scheduled patching"."""
SELECTED = {
    "windowsParameters": {"classificationsToInclude": ["Security"]},
    "linuxParameters": {"classificationsToInclude": ["Critical", "Security"]},
}
_BAD = (Outcome.FAILED, Outcome.UNKNOWN)


def window_laws(evidence: Evidence, world: "WindowWorld") -> Iterator[Broken]:
    for law in (journal_is_complete, on_a_permit, sent_once, one_in_flight, held):
        yield from law(evidence)
    yield from _inside(evidence, world)
    yield from _once(evidence)
    yield from _nothing_after_a_stop(world)
    yield from _within_the_budget(world)
    yield from _at_one_time(evidence, world)
    yield from _in_waves(evidence, world)
    yield from _nobody_forgotten(world)


def _inside(evidence: Evidence, world: "WindowWorld") -> Iterator[Broken]:
    """Laws 1 and 5: within [start, cut-off], and only what the configuration selects."""
    systems = {target.id.lower(): target.os for target in world.fleet}
    for sent in evidence.installations():
        assert sent.arrived is not None
        run = _run(world, sent)
        if run is None:
            yield Broken("1 window", f"{sent.attempt} was sent without a run", sent.attempt)
            continue
        last = run.end - CUT_OFF[systems[sent.machine]]
        if not run.start - CLOCK_ERROR <= sent.arrived <= last + CLOCK_ERROR:
            yield Broken("1 window", f"sent at {sent.arrived}, window {run.start} to {last}", sent.attempt)
        body = json.loads(sent.body)
        block = "windowsParameters" if systems[sent.machine] == "Windows" else "linuxParameters"
        if {name: body[name] for name in SELECTED if name in body} != {block: SELECTED[block]}:
            yield Broken("5 selection", f"asked {body}", sent.attempt)


def _once(evidence: Evidence) -> Iterator[Broken]:
    """Law 2: a machine is patched once in a window, whoever opened it and however often."""
    for (machine, attempt), requests in evidence.by_attempt.items():
        if sum(sent.accepted for sent in requests if sent.verb == "installPatches") > 1:
            yield Broken("2 once", f"{machine} was patched twice", attempt)


def _nothing_after_a_stop(world: "WindowWorld") -> Iterator[Broken]:
    """Law 1: no permit after a recorded cancel, nor after the run's own rules stopped it."""
    for permit in world.watch.permits:
        stopped = world.watch.stopped.get(permit.run)
        if stopped is not None and permit.at > stopped:
            yield Broken("1 stopped", f"{permit.machine} at {permit.at}, stopped at {stopped}", permit.run)


def _within_the_budget(world: "WindowWorld") -> Iterator[Broken]:
    """Law 4: no permit once as many failures are written as the budget allows."""
    for permit in world.watch.permits if world.budget is not None else ():
        failed = sum(run == permit.run and at < permit.at and outcome in _BAD
                     for run, _, at, outcome in world.watch.ends)  # fmt: skip
        if failed >= max(1, world.budget or 0):
            yield Broken("4 budget", f"{permit.machine} at {permit.at} after {failed} failures", permit.run)


def _at_one_time(evidence: Evidence, world: "WindowWorld") -> Iterator[Broken]:
    """Law 4: never more under way in Azure than `maxConcurrency`, but for those whose end nobody could learn."""
    for run in world.window_runs() if world.limit is not None else ():
        loaded = world.store.runs.load(run)
        known = (
            {each.machine.lower() for each in loaded.machines if each.outcome is not Outcome.UNKNOWN} if loaded else ()
        )
        ran = [found for sent in evidence.installations() if sent.attempt == run and sent.accepted and sent.arrived
               and sent.machine in known and (found := evidence.run_of(sent, sent.arrived))]  # fmt: skip
        for one in ran:
            together = sum(other.began <= one.began < other.ended for other in ran)
            if together > (world.limit or 0):
                yield Broken("4 concurrency", f"{together} at {one.began}", run)


def _in_waves(evidence: Evidence, world: "WindowWorld") -> Iterator[Broken]:
    """The second wave begins when all of the first have ended, and have soaked."""
    if not world.waves:
        return
    first = {each.id.lower() for each in world.fleet[: len(world.fleet) // 3]}
    for sent in evidence.installations():
        if sent.machine in first or sent.arrived is None:
            continue
        loaded = world.store.runs.load(sent.attempt)
        early = [each for each in loaded.machines if each.machine.lower() in first] if loaded else []
        for each in early:
            soak = timedelta(minutes=2) if each.outcome is not Outcome.NOT_STARTED else timedelta()
            if each.ended is None or sent.arrived < each.ended + soak - CLOCK_ERROR:
                yield Broken(
                    "waves", f"{sent.machine} at {sent.arrived}, {each.machine} ended {each.ended}", sent.attempt
                )


def _nobody_forgotten(world: "WindowWorld") -> Iterator[Broken]:
    """Law 3: each window has a run that closed; the one after the bad hours was not missed and names every machine."""
    for run in world.window_runs():
        loaded = world.store.runs.load(run)
        if loaded is None or loaded.run.outcome is None:
            yield Broken("3 forgotten", "a window has no run that closed", run)
            continue
        if any(each.outcome is not Outcome.SUCCEEDED and each.reason is None for each in loaded.machines):
            yield Broken("3 reason", "a machine ended without a reason", run)
        listed = world.store.run_list.newest(parse_configuration_id(loaded.run.configuration, ""))
        if listed is None or listed.outcome is None:
            yield Broken("6 list", f"the list shows {listed}", run)
        calm = world.quiet_at is not None and world.quiet_at + 1200 < since_start(loaded.run.start)
        if calm and (loaded.run.outcome is RunOutcome.MISSED or len(loaded.machines) != len(world.fleet)):
            yield Broken("3 calm", f"{loaded.run.outcome} with {len(loaded.machines)} machines", run)


def _run(world: "WindowWorld", sent: Sent) -> Run | None:
    return world.watch.runs[sent.attempt][1] if sent.attempt in world.watch.runs else None
