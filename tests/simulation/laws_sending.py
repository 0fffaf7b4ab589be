"""Laws 1, 2 and 5: what is sent, when, how often, and that it asks for nothing else than was asked for."""

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

from shared.domain.operation import ASSESSMENT_DEADLINE, UNCONFIRMED_PATIENCE
from shared.domain.run import SEND_TIMEOUT
from tests.simulation.app import LONGEST_INSTALLATION
from tests.simulation.evidence import Broken, Evidence, Ran
from tests.simulation.plan import LARGEST_SKEW
from tests.simulation.wire import Sent

CLOCK_ERROR = timedelta(seconds=2 * LARGEST_SKEW)
"""Two instances may disagree by so much until Azure has told them the time."""


def sending_laws(evidence: Evidence) -> Iterator[Broken]:
    for law in (journal_is_complete, _inside_the_window, on_a_permit, sent_once, one_in_flight, held, _asked):
        yield from law(evidence)


def journal_is_complete(evidence: Evidence) -> Iterator[Broken]:
    """The requests we judge are exactly those that Azure saw."""
    seen = [
        entry
        for entry in evidence.journal
        if entry["event"] == "request" and entry["url"].split("?")[0].endswith("Patches")
    ]
    theirs = sorted((entry["clientRequestId"], entry["time"][:26], entry["status"]) for entry in seen)
    ours = sorted(
        (sent.attempt, sent.arrived.strftime("%Y-%m-%dT%H:%M:%S.%f"), sent.status)
        for sent in evidence.world.wire.sent if sent.arrived
    )  # fmt: skip
    if theirs != ours:
        yield Broken("the journal is complete", f"Azure saw {theirs}, recorded were {ours}")


def _inside_the_window(evidence: Evidence) -> Iterator[Broken]:
    """Law 1: nothing outside [start, cut-off] of its run, whose window begins when the client asked."""
    for sent in evidence.installations():
        assert sent.arrived is not None
        first, run = evidence.world.watch.runs.get(sent.attempt, (None, None))
        wish = evidence.wish_of(sent)
        if first is None or run is None or wish is None:
            yield Broken("1 window", f"{sent.attempt} was sent without a run or a request", sent.attempt)
            continue
        cut_off = run.start + wish.window - wish.reserve
        if not run.start - CLOCK_ERROR <= sent.arrived <= cut_off + CLOCK_ERROR:
            yield Broken("1 window", f"sent at {sent.arrived}, window {run.start} to {cut_off}", sent.attempt)
        asked = min((abs(evidence.world.clock.since(run.start) - at) for at in wish.asked), default=1e9)
        if asked > CLOCK_ERROR.total_seconds():
            yield Broken("1 window", f"the run starts at {run.start}, asked for at {wish.asked}", sent.attempt)


def on_a_permit(evidence: Evidence) -> Iterator[Broken]:
    """Law 1: none on an expired permit. A request under way when the permit ends has its own time-out still."""
    for sent in evidence.installations():
        assert sent.arrived is not None
        permits = [p for p in evidence.world.watch.permits if (p.run, p.machine) == (sent.attempt, sent.machine)]
        good = [
            p
            for p in permits
            if p.at <= sent.left <= p.until + CLOCK_ERROR and sent.arrived <= p.until + SEND_TIMEOUT + CLOCK_ERROR
        ]
        if not good:
            yield Broken("1 permit", f"sent at {sent.left}, permits {[(p.at, p.until) for p in permits]}", sent.attempt)


def sent_once(evidence: Evidence) -> Iterator[Broken]:
    """Law 2: what may have been accepted is never sent again under the same attempt."""
    for (machine, attempt), requests in evidence.by_attempt.items():
        for before, after in pairwise(requests):
            if before.in_doubt:
                yield Broken("2 sent once", f"{before.verb} of {machine} sent at {before.left} (answer {before.seen}) "
                             f"and again at {after.left}", attempt)  # fmt: skip
        if sum(sent.accepted for sent in requests) > 1:
            yield Broken("2 sent once", f"{machine}: accepted twice", attempt)


def one_in_flight(evidence: Evidence) -> Iterator[Broken]:
    """Law 2: nothing is sent to a machine on which an operation of ours runs, unless that was given up in time."""
    for sent in evidence.world.wire.sent:
        if sent.arrived is None:
            continue
        for ran in evidence.ran:
            if (
                ran.machine == sent.machine
                and ran.began < sent.arrived < ran.ended
                and not _given_up(evidence, ran, sent)
            ):
                what = f"{sent.verb} at {sent.arrived} while {ran.kind} runs from {ran.began} to {ran.ended}"
                yield Broken("2 one in flight", f"{what} on {sent.machine}", sent.attempt)


def _given_up(evidence: Evidence, ran: Ran, later: Sent) -> bool:
    """Whether the app had stopped waiting for this operation, as it may: unanswered, or past its deadline."""
    began = next((s for s in evidence.world.wire.sent if s.machine == ran.machine and s.arrived == ran.began), None)
    if began is None or later.arrived is None:
        return False
    waited = later.arrived - began.left
    return (
        waited >= (UNCONFIRMED_PATIENCE if began.in_doubt and began.seen != 202 else ASSESSMENT_DEADLINE) - CLOCK_ERROR
    )


def held(evidence: Evidence) -> Iterator[Broken]:
    """Law 2: a request arrives only while its attempt holds the machine."""
    for sent in evidence.world.wire.sent:
        if sent.arrived and not sent.was_held:
            yield Broken(
                "2 held", f"{sent.verb} of {sent.machine} arrived at {sent.arrived}, its claim was gone", sent.attempt
            )


def _asked(evidence: Evidence) -> Iterator[Broken]:
    """Law 5: Azure sees the normalised request, and whole minutes that end before the window does."""
    for sent in evidence.installations():
        wish, (_, run) = evidence.wish_of(sent), evidence.world.watch.runs.get(sent.attempt, (None, None))
        if wish is None or run is None or sent.arrived is None:
            continue
        body = json.loads(sent.body)
        minutes = int(body.pop("maximumDuration", "PT0M")[2:-1])
        if body != wish.expected:
            yield Broken("5 selection", f"asked {body}, not {wish.expected}", sent.attempt)
        left = min(run.start + wish.window - sent.left, LONGEST_INSTALLATION)
        if not timedelta() <= left - timedelta(minutes=minutes) + CLOCK_ERROR <= timedelta(minutes=1) + 2 * CLOCK_ERROR:
            yield Broken("5 duration", f"{minutes} minutes of {left} left", sent.attempt)
