"""`dev.py demo`: boots the local cloud, runs the main job once, shows and judges what became of each machine."""

import signal
import sys
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

import msgspec

from infra.local import realguest
from infra.local.azurite import AzuriteMissing
from infra.local.child import ChildFailed
from infra.local.client import Client, Refused
from infra.local.fleet import Guest, Row, short_name, truth
from infra.local.job import Job, is_attended
from infra.local.launch import TOPIC, Options
from infra.local.places import shown
from infra.local.progress import Progress
from infra.local.report import Line, failures, table
from infra.local.seen import Entry, operations
from infra.local.stack import Stack
from infra.local.told import Notice, Told, story, told
from infra.local.told import doubts as untold
from infra.local.verdict import Operation, complaints
from infra.local.waves import (
    WAVES,
    Part,
    Previewed,
    differing,
    first_start,
    installs,
    is_in_window,
    out_of_order,
    out_of_window,
    outcome,
    plan,
    wave_of,
)
from infra.local.webhook import Webhook
from infra.local.window import MaintenanceWindow, Opening

CLOSED = ("Completed", "Failed")
"""What Azure calls a run that has closed."""

EVENT_SECONDS, EVENT_LOOK_SECONDS = 15.0, 0.5
"""How long the post event may take once the run has closed, and how often the journal is asked for it."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the sandbox knows after the job, by machine id in lower case; `window`: whom the window had to take."""

    before: dict[str, Guest]
    after: dict[str, Guest]
    seen: dict[str, list[Operation]]
    window: frozenset[str] = frozenset()


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each machine, what is not as it must be (a sentence each), and what else is worth telling."""

    lines: list[Line]
    wrong: list[str]
    notes: list[str]


def main(asked: Namespace) -> int:
    """Exit code: 0 when every machine ended as its script makes right, 1 when not or when something broke."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    progress, began = Progress(sys.stdout), time.monotonic()
    try:
        result = _demo(asked, progress, began)
        _write(asked.json, result.lines)
    except (ChildFailed, AzuriteMissing, Refused, OSError, msgspec.MsgspecError) as failure:
        progress.say(f"The demo broke off: {failure}")
        return 1
    for line in closing(result):
        progress.say(line)
    progress.say(f"{time.monotonic() - began:.0f} s in all.")
    return 1 if result.wrong else 0


def _demo(asked: Namespace, progress: Progress, began: float) -> Result:
    def guest(target: Path) -> Path | None:
        return None if asked.no_guest else realguest.prepare(target, progress.say)

    with Stack.start(Options(machines=asked.machines, seed=asked.seed), guest) as stack:
        progress.say(f"Everything is up after {time.monotonic() - began:.1f} s; logs in {shown(stack.folder)}")
        try:
            return run(stack, progress)
        except OSError as failure:  # nobody answered: a process that died explains it better
            raise (ChildFailed(broken) if (broken := stack.broken()) else failure) from failure


def _write(file: Path | None, lines: list[Line]) -> None:
    if file:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(lines), indent=2) + b"\n")


class Patched(msgspec.Struct, frozen=True, kw_only=True):
    """What the window was to do, when it was, its run and whether that closed, and who was asked for one by one."""

    previewed: list[Previewed]
    parts: dict[str, Part]
    closed: bool
    opening: Opening
    told: Told
    attended: dict[str, Row]


def run(stack: Stack, progress: Progress) -> Result:
    """The main job from its first step to its judgement."""
    before = made(stack.sandbox)
    job = Job(stack, progress)
    job.inventory(before)
    job.assess(before)
    assessed = job.rows()
    patched = _patch(stack, progress, job, assessed)
    started = {key for key, part in patched.parts.items() if part.look and part.look.status != "Skipped"}
    job.assess_again(started | patched.attended.keys())
    return _judged(stack, job, before, assessed, patched)


def _patch(stack: Stack, progress: Progress, job: Job, assessed: Mapping[str, Row]) -> Patched:
    """Opens the maintenance window; while it is awaited, the machines of the attended ring are asked for one by one."""
    with Webhook() as hook:
        stack.sandbox.post("/sandbox/subscriptions", {"topic": TOPIC, "url": hook.url})
        return _patch_told(stack, progress, job, assessed)


def _patch_told(stack: Stack, progress: Progress, job: Job, assessed: Mapping[str, Row]) -> Patched:
    window = MaintenanceWindow(stack.app, {row.subscription for row in assessed.values()})
    previewed = window.prepare()
    opening = window.enable()
    progress.say(f"The maintenance window opens at {opening.start:%H:%M:%S} UTC by itself, {len(WAVES)} waves:")
    for line in plan(previewed):
        progress.say(line)
    attended = {key: row for key, row in assessed.items() if is_attended(row)}
    job.install(attended)
    parts = job.window(window, [each.key for each in previewed if each.taken])
    status = window.status(opening)
    progress.say(f"Its run, applyUpdates/{short_name(opening.id)}, ended as {status}:")
    for line in outcome(parts.values()):
        progress.say(line)
    heard = _heard(stack.sandbox, opening)
    closed = status in CLOSED
    return Patched(previewed=previewed, parts=parts, closed=closed, opening=opening, told=heard, attended=attended)


def _heard(sandbox: Client, opening: Opening) -> Told:
    """What the webhook was told of the run; its end is waited for, for it comes when the run has closed."""
    end = time.monotonic() + EVENT_SECONDS
    while True:
        heard = told(sandbox.get("/sandbox/journal?after=0", list[Notice]), opening.id)
        if heard.is_complete or time.monotonic() > end:
            return heard
        time.sleep(EVENT_LOOK_SECONDS)


def _judged(stack: Stack, job: Job, before: dict[str, Guest], assessed: Mapping[str, Row], patched: Patched) -> Result:
    pages = job.rows()
    last = {key: _with_part(row, patched.parts.get(key)) for key, row in pages.items()}
    window = frozenset(key for key, row in last.items() if is_in_window(row.tags))
    evidence = Evidence(before=before, after=made(stack.sandbox), seen=_seen(stack.sandbox), window=window)
    chosen = {key: row for key, row in assessed.items() if key in window or key in patched.attended}
    waves = [[key for key in window if wave_of(last[key].tags) == number] for number in range(len(WAVES) + 1)]
    doubts = [] if patched.closed else ["the maintenance window: its run has not closed"]
    began, opening = installs(window, evidence.seen), patched.opening
    doubts += differing(patched.previewed, patched.parts, pages) + out_of_order(waves, evidence.seen)
    doubts += out_of_window(opening.start, opening.end, began) + untold(patched.told, began)
    guests, stories = _real(stack, evidence)
    return Result(
        lines=[_line(row, assessed.get(key), chosen, job.seconds[key]) for key, row in sorted(last.items())],
        wrong=wrong(last, chosen, evidence) + doubts + guests,
        notes=first_start(opening.start, began) + story(patched.told) + stories,
    )


def _real(stack: Stack, evidence: Evidence) -> tuple[list[str], list[str]]:
    """What the real guest's own log says against the journal, and its story."""
    real = {key: guest for key, guest in evidence.before.items() if guest.real_guest}
    changed = {short_name(guest.id): _changed(evidence.seen.get(key, [])) for key, guest in real.items()}
    written = realguest.upgraded(stack.guest)
    doubts = [doubt for name, ids in changed.items() for doubt in realguest.doubts(name, ids, written)]
    return doubts, [realguest.story(name, ids) for name, ids in changed.items()]


def _with_part(row: Row, part: Part | None) -> Row:
    """With what the window's run says became of it."""
    return msgspec.structs.replace(row, last_installation=part.look) if part else row


def made(sandbox: Client) -> dict[str, Guest]:
    """The fleet as the sandbox made it and as it stands now, by id in lower case."""
    return {guest.id.lower(): guest for guest in sandbox.get("/sandbox/fleet", list[Guest])}


def _seen(sandbox: Client) -> dict[str, list[Operation]]:
    return operations(sandbox.get("/sandbox/journal?after=0", list[Entry]))


def wrong(last: Mapping[str, Row], chosen: Mapping[str, Row], evidence: Evidence) -> list[str]:
    """Every disagreement between the app, the scripts and the journal, with the machine's name before it."""
    found = [
        f"{short_name(key)}: the app shows it and there is no such machine"
        for key in last.keys() - evidence.before.keys()
    ]
    for key, guest in sorted(evidence.before.items()):
        name = f"{short_name(guest.id)} ({guest.script})"
        if key not in last:
            found.append(f"{name}: the app does not know it")
            continue
        told, right = last[key].told(key in chosen), truth(guest, evidence.after[key], in_window=key in evidence.window)
        found += [f"{name}: {sentence}" for sentence in complaints(told, right, evidence.seen.get(key, []))]
    return found


def _line(row: Row, assessed: Row | None, chosen: Mapping[str, Row], seconds: float) -> Line:
    outcome, reason = row.outcome(row.key in chosen)
    return Line(
        id=row.id,
        kind=row.kind,
        os=row.os,
        subscription=row.subscription,
        pending_before=assessed.count if assessed else None,
        pending_after=row.count,
        outcome=outcome,
        reason=reason,
        seconds=round(seconds, 1),
    )


def _changed(operations: list[Operation]) -> frozenset[str]:
    return frozenset[str]().union(*(operation.changed for operation in operations))


def closing(result: Result) -> list[str]:
    """The last lines: the table, who did not succeed and why, the notes, the judgement."""
    lines = ["", *table(result.lines), ""]
    if troubled := failures(result.lines):
        lines += ["Not succeeded, and why:", *(f"  {line}" for line in troubled), ""]
    lines += result.notes
    if result.wrong:
        return [
            *lines,
            f"NOT RIGHT, {len(result.wrong)} disagreements with the sandbox:",
            *(f"  {line}" for line in result.wrong),
        ]
    return [*lines, f"Right: all {len(result.lines)} machines ended as they must, and the sandbox's journal agrees."]
