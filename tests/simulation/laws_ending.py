"""Laws 3, 4 and 6: how everything ends, that no throttle is overrun, and that nothing recorded is lost."""

from collections import defaultdict
from collections.abc import Iterator

from shared.domain.machine import Outcome
from shared.domain.poison import message_id
from shared.domain.resource_id import parse_machine_id
from shared.domain.run import Step
from tests.simulation.evidence import Broken, Evidence

BURST, PER_SECOND = 600, 200 / 60
"""Guest patch bucket per subscription and region. Source: "Troubleshoot API throttling errors", Compute limits."""


def ending_laws(evidence: Evidence) -> Iterator[Broken]:
    for law in (_settled, _truthful, _same_answer, _within_the_bucket, _nothing_lost, _no_surprises):
        yield from law(evidence)


def _settled(evidence: Evidence) -> Iterator[Broken]:
    """Law 3: everything asked for ends with a state and a reason, every reachable machine is assessed."""
    world = evidence.world
    if not world.healed:
        yield from (
            Broken("3 settled", each, each.partition(": ")[2]) for each in list(world.open_ends()) or ["messages left"]
        )
    for attempt, wish in evidence.wishes.items():
        operation = world.store.operations.attempt(parse_machine_id(wish.machine.id), attempt)
        if operation is None or operation.outcome is None:
            yield Broken("3 settled", f"{wish.verb} of {wish.machine.id} was answered 202 and has no outcome", attempt)
        elif operation.outcome is not Outcome.SUCCEEDED and operation.reason is None:
            yield Broken(
                "3 settled", f"{wish.verb} of {wish.machine.id} ended {operation.outcome} without a reason", attempt
            )
    for run in world.watch.runs:
        loaded = world.store.runs.load(run)
        for machine in loaded.machines if loaded else ():
            ended = machine.step is Step.ENDED and machine.outcome is not None
            if not ended or (machine.outcome is not Outcome.SUCCEEDED and machine.reason is None):
                yield Broken(
                    "3 settled",
                    f"{machine.machine} of run {run}: {machine.step} {machine.outcome} {machine.reason}",
                    run,
                )


def _truthful(evidence: Evidence) -> Iterator[Broken]:
    """Law 3: what is said of a run machine is what Azure did."""
    world = evidence.world
    for run in world.watch.runs:
        loaded = world.store.runs.load(run)
        for machine in loaded.machines if loaded else ():
            taken = evidence.accepted(machine.machine, run)
            results = [ran.result for sent in taken if sent.arrived and (ran := evidence.run_of(sent, sent.arrived))]
            if machine.outcome is Outcome.NOT_STARTED and taken:
                yield Broken("3 truthful", f"{machine.machine} is said not to have started, Azure accepted it", run)
            elif machine.outcome not in (None, Outcome.NOT_STARTED, Outcome.UNKNOWN) and machine.outcome not in results:
                yield Broken(
                    "3 truthful", f"{machine.machine} is said to be {machine.outcome}, Azure says {results}", run
                )


def _same_answer(evidence: Evidence) -> Iterator[Broken]:
    """An equal client request id gets the same 202."""
    for wish in evidence.world.plan.wishes:
        if len(set(wish.accepted)) > 1:
            yield Broken("same answer", f"{wish.verb} of {wish.machine.id} got {wish.accepted}", wish.request_id)


def _within_the_bucket(evidence: Evidence) -> Iterator[Broken]:
    """Law 4: never more starts than 600 and 200 a minute, per subscription and region, over all work."""
    world = evidence.world
    starts: dict[tuple[str, str], list[float]] = defaultdict(list)
    for place, slots in world.phantoms.items():
        starts[place] += slots
    regions = {target.name: target.region for target in world.fleet}  # kept when a machine is moved
    for sent in world.wire.sent:
        if sent.arrived:
            place = (sent.machine.split("/")[2], regions[sent.machine.rpartition("/")[2]])
            starts[place].append(world.clock.since(sent.arrived))
    for place, times in starts.items():
        tokens, last = float(BURST), 0.0
        for time in sorted(times):
            tokens, last = min(BURST, tokens + (time - last) * PER_SECOND) - 1, time
            if tokens < -1e-3:
                yield Broken("4 bucket", f"{-tokens:.1f} starts too many in {place} at second {time:.1f}")
                break


def _nothing_lost(evidence: Evidence) -> Iterator[Broken]:
    """Law 6: every message that was given up is parked."""
    for stored in evidence.world.host.parked:
        parked = evidence.world.store.poison.get(stored.queue, message_id(stored.text.encode()))
        if parked is None and evidence.world.healed:
            yield Broken("6 nothing lost", f"{stored.queue}: {stored.text} is not parked", stored.text)


def _no_surprises(evidence: Evidence) -> Iterator[Broken]:
    """No function fails but by what was done to it."""
    yield from (Broken("no surprises", each) for each in evidence.world.host.surprises)
