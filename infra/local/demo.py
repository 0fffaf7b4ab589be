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
from infra.local.job import Job, is_chosen
from infra.local.launch import Options
from infra.local.places import shown
from infra.local.progress import Progress
from infra.local.report import Line, failures, table
from infra.local.seen import Entry, operations
from infra.local.stack import Stack
from infra.local.verdict import Operation, complaints


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the sandbox knows after the job, by machine id in lower case."""

    before: dict[str, Guest]
    after: dict[str, Guest]
    seen: dict[str, list[Operation]]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each machine, what is not as it must be (a sentence each), and what the real guest did."""

    lines: list[Line]
    wrong: list[str]
    real: list[str]


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


def run(stack: Stack, progress: Progress) -> Result:
    """The main job from its first step to its judgement."""
    before = made(stack.sandbox)
    job = Job(stack, progress)
    job.inventory(before)
    job.assess(before)
    assessed = job.rows()
    real = {key: guest for key, guest in before.items() if guest.real_guest}
    chosen = {key: row for key, row in assessed.items() if is_chosen(row, real)}
    job.install(chosen)
    job.assess_again(chosen)
    last = job.rows()
    evidence = Evidence(before=before, after=made(stack.sandbox), seen=_seen(stack.sandbox))
    changed = {short_name(guest.id): _changed(evidence.seen.get(key, [])) for key, guest in real.items()}
    written = realguest.upgraded(stack.guest)
    return Result(
        lines=[_line(row, assessed.get(key), chosen, job.seconds[key]) for key, row in sorted(last.items())],
        wrong=wrong(last, chosen, evidence)
        + [doubt for name, ids in changed.items() for doubt in realguest.doubts(name, ids, written)],
        real=[realguest.story(name, ids) for name, ids in changed.items()],
    )


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
        told, right = last[key].told(key in chosen), truth(guest, evidence.after[key])
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
    """The last lines: the table, who did not succeed and why, the real guest, the judgement."""
    lines = ["", *table(result.lines), ""]
    if troubled := failures(result.lines):
        lines += ["Not succeeded, and why:", *(f"  {line}" for line in troubled), ""]
    lines += result.real
    if result.wrong:
        return [
            *lines,
            f"NOT RIGHT, {len(result.wrong)} disagreements with the sandbox:",
            *(f"  {line}" for line in result.wrong),
        ]
    return [*lines, f"Right: all {len(result.lines)} machines ended as they must, and the sandbox's journal agrees."]
