"""The laws of maintenance windows, judged by what Azure saw and by windows reckoned by hand."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.domain.machine import Outcome
from shared.domain.opening import run_id
from shared.domain.operation import LEAVE_WITHIN
from shared.domain.phase import RunOutcome
from shared.domain.run import PERMIT_LIFE
from tests.simulation.app import LONGEST_INSTALLATION
from tests.simulation.evidence import Broken, Evidence
from tests.simulation.laws_events import event_laws
from tests.simulation.laws_order import order_laws
from tests.simulation.laws_sending import CLOCK_ERROR, held, journal_is_complete, on_a_permit, one_in_flight, sent_once
from tests.simulation.versions import Version
from tests.simulation.window_world import CONFIGURATION, TAKEN_AT
from tests.simulation.wire import Sent

if TYPE_CHECKING:
    from tests.simulation.window_world import WindowWorld

TOLERANCE, TOLERATED_PART = timedelta(minutes=10), 6
"""A window is taken up no later, and within this part of its length; documentation of `domain/opening.py`."""
CALM = timedelta(minutes=20)
"""So long before a window's freezing nothing may go wrong for it to be held to everything."""
MARK_GOOD_FOR = timedelta(minutes=16)
"""A marker once read may count for a quarter of an hour (see `domain/owner.py`), and a start takes its time."""
MINUTE = timedelta(minutes=1)


def window_laws(evidence: Evidence, world: "WindowWorld") -> Iterator[Broken]:
    for law in (journal_is_complete, on_a_permit, sent_once, one_in_flight, held):
        yield from law(evidence)
    sends = by_run(evidence, world)
    for run, requests in sends.items():
        yield from _as_written(world, run, requests)
        yield from _taken_up_in_time(world, run, requests)
    every = [sent for requests in sends.values() for sent in requests]
    yield from _alone(world, every)
    yield from _no_clients(world, every)
    yield from _not_anothers(world, every)
    yield from _once(evidence)
    yield from _at_the_right_instant(world)
    yield from _taken(world)
    yield from _nobody_forgotten(world)
    yield from order_laws(evidence, world, sends)
    yield from event_laws(evidence, world, sends)


def by_run(evidence: Evidence, world: "WindowWorld") -> dict[str, list[Sent]]:
    """Every installation that reached Azure and that no client asked for, by the run that sent it."""
    found: dict[str, list[Sent]] = {}
    for sent in evidence.installations():
        if evidence.wish_of(sent) is None:
            found.setdefault(sent.attempt, []).append(sent)
    return found


def _as_written(world: "WindowWorld", run: str, requests: list[Sent]) -> Iterator[Broken]:
    """Laws 1 and 5, and the frozen copy: all that a run sends is of one version, which stood when it was frozen, and
    leaves within that version's window."""
    start = world.starts().get(run)
    if start is None or run not in world.watch.frozen:
        yield Broken("1 window", f"{requests[0].machine} was sent for no window", run)
        return
    is_now = run in world.asked_now()
    wrong = [list(_against(world, each, start, requests, is_now)) for each in world.candidates(run, start)]
    if all(wrong):
        first = min(wrong, key=len, default=[])
        said = first[0] if first else f"no version stood at {world.watch.frozen[run]}"
        law = "5 selection" if first and "asked" in said else "1 window"
        yield Broken(law, said, run)


def _against(
    world: "WindowWorld", version: Version, start: datetime, requests: list[Sent], is_now: bool
) -> Iterator[str]:
    """What does not fit to that version. `is_now`: its window was asked for, and opens whatever the version says."""
    if not (version.enabled if is_now else start in version.windows):
        yield f"version {version.number} has no window at {start}"
    systems = {target.name: target.os for target in world.fleet}
    for sent in requests:
        assert sent.arrived is not None
        system = systems[sent.machine.rpartition("/")[2]]
        if system not in version.systems:
            yield f"version {version.number} patches no {system}"
            continue
        last = version.cut_off(start, system)
        if not start - CLOCK_ERROR <= sent.arrived <= last + CLOCK_ERROR:
            yield f"version {version.number}: {sent.machine} at {sent.arrived}, window {start} to {last}"
        body = json.loads(sent.body)
        minutes = int(body.pop("maximumDuration", "PT0M")[2:-1])
        if body != version.asked(system):
            yield f"version {version.number}: asked {body}"
        left = min(start + version.length - sent.left, LONGEST_INSTALLATION)
        if not timedelta() <= left - minutes * MINUTE + CLOCK_ERROR <= MINUTE + 2 * CLOCK_ERROR:
            yield f"version {version.number}: {minutes} minutes of {left} left"


def _taken_up_in_time(world: "WindowWorld", run: str, requests: list[Sent]) -> Iterator[Broken]:
    """A window that was not taken up in time is missed as a whole: nothing is sent in what is left of it."""
    start, opened = world.starts().get(run), world.watch.opened.get(run)
    lengths = [version.length for version in world.versions.values()]
    if start is not None and (opened is None or opened > start + latest(max(lengths)) + CLOCK_ERROR):
        yield Broken("1 late", f"{requests[0].machine} was sent, the run was taken up at {opened}", run)


def _alone(world: "WindowWorld", sends: list[Sent]) -> Iterator[Broken]:
    """What Azure patches by itself, what is off, and what no assignment takes is never sent anything."""
    started = {each.machine.id.lower() for each in world.window.changes if each.verb == "start"}
    barred = {target.id.lower() for target in world.fleet if target.left_out} - started | {world.window.native.lower()}
    moved = {each.machine.id.lower().rpartition("/")[2] for each in world.window.changes if each.verb == "move"}
    for sent in sends:
        if sent.machine in barred:
            yield Broken("alone", f"{sent.machine} is patched by others, or off", sent.attempt)
        if (
            sent.machine not in world.window.machines | world.joined.keys()
            and sent.machine.rpartition("/")[2] not in moved
        ):
            yield Broken("5 scope", f"{sent.machine} is in no scope", sent.attempt)


def _no_clients(world: "WindowWorld", sends: list[Sent]) -> Iterator[Broken]:
    """What Azure does not patch is asked nothing once that may be read, wherever it stands in the run."""
    since = {each.machine.id.lower(): world.clock.start + timedelta(seconds=each.at)
             for each in world.window.changes if each.verb == "runClient"}  # fmt: skip
    for sent in sends:
        known = since.get(sent.machine)
        if known and sent.left > known + PERMIT_LIFE + LEAVE_WITHIN + CLOCK_ERROR:
            yield Broken("alone", f"{sent.machine} is a client since {known}", sent.attempt)


def _not_anothers(world: "WindowWorld", sends: list[Sent]) -> Iterator[Broken]:
    """Nothing is sent where another deployment has its marker: not once that is known, and no longer than what was
    read before may count."""
    for sent in sends:
        subscription = sent.machine.split("/")[2]
        known = world.watch.lost.get(subscription)
        if known and sent.left > known + PERMIT_LIFE + LEAVE_WITHIN + CLOCK_ERROR:
            yield Broken("not alone", f"{sent.machine} left at {sent.left}, another's since {known}", sent.attempt)
        taken = world.clock.start + timedelta(seconds=TAKEN_AT)
        if subscription == world.window.taken and sent.left > taken + MARK_GOOD_FOR + CLOCK_ERROR:
            yield Broken("not alone", f"{sent.machine} left at {sent.left}, another's marker is there", sent.attempt)


def _once(evidence: Evidence) -> Iterator[Broken]:
    """Law 2: a machine is patched once in a window, whoever opened it and however often; also one that moved in it."""
    accepted: dict[tuple[str, str], int] = {}
    for (machine, attempt), requests in evidence.by_attempt.items():
        key = (machine.rpartition("/")[2], attempt)
        accepted[key] = accepted.get(key, 0) + sum(s.accepted for s in requests if s.verb == "installPatches")
    for (machine, attempt), count in accepted.items():
        if count > 1:
            yield Broken("2 once", f"{machine} was patched {count} times", attempt)


def _at_the_right_instant(world: "WindowWorld") -> Iterator[Broken]:
    """In every night a window opens once, at the instant that was reckoned by hand."""
    starts = world.starts()
    for run, (_, first) in world.watch.runs.items():
        if first.configuration and starts.get(run) != first.start:
            yield Broken("1 instant", f"a run for {first.start}, windows open at {list(starts.values())}", run)


def _taken(world: "WindowWorld") -> Iterator[Broken]:
    """Every edit is a good one; only what expires may come too late."""
    for each in world.clients.refused:
        if each.startswith("configuration_put") and each != "configuration_put InvalidMaintenanceWindow":
            yield Broken("the world", f"an edit was refused: {each}")


def _nobody_forgotten(world: "WindowWorld") -> Iterator[Broken]:
    """Law 3: each window has a run that closed with every machine's reason; after the bad hours it was not missed and
    names every machine."""
    for start in world.certain():
        run = run_id(CONFIGURATION, start)
        loaded = world.store.runs.load(run)
        if loaded is None or loaded.run.outcome is None:
            yield Broken("3 forgotten", f"the window at {start} has no run that closed", run)
            continue
        if any(each.outcome is not Outcome.SUCCEEDED and each.reason is None for each in loaded.machines):
            yield Broken("3 reason", "a machine ended without a reason", run)
        shown = {each.start: each for each in world.store.run_list.page(CONFIGURATION, "", 9)[0]}.get(start)
        if shown is None or shown.outcome is None:
            yield Broken("6 list", f"the list shows {shown}", run)
        named = {each.machine.lower() for each in loaded.machines}
        right = expected(world) <= named <= world.window.machines | world.joined.keys()
        if is_calm(world, start) and (loaded.run.outcome is RunOutcome.MISSED or not right):
            yield Broken("3 calm", f"{loaded.run.outcome} with {len(named)} machines", run)


def is_calm(world: "WindowWorld", start: datetime) -> bool:
    """Whether nothing went wrong that may count for this window."""
    quiet = world.quiet_at is not None and world.quiet_at + CALM.total_seconds() < world.clock.since(start)
    deleted = any(number == 0 for _, number in world.watch.written)  # with its assignments
    return quiet and not deleted and not world.window.changes and not world.window.fault


def expected(world: "WindowWorld") -> frozenset[str]:
    """Machines that every run must name. Whoever leaves is in those whose pre-event was told before."""
    return world.window.machines - world.left.keys()


def latest(length: timedelta) -> timedelta:
    """How long after its start a window of this length may be taken up."""
    return min(TOLERANCE, length / TOLERATED_PART)
