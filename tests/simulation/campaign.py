"""Many seeds in a row: how long to go on, what was found, and how it is told."""

import itertools
import time
from collections.abc import Iterator

import msgspec

from tests.simulation.coverage import Coverage
from tests.simulation.outcome import Outcome
from tests.simulation.runner import Runner

MOST_SHOWN = 3
"""Failing seeds whose story is printed; more are only named."""
MOST_FAILED = 9
"""Failing seeds after which no new one is begun."""
EXTRA = 1.0
"""How much longer than asked a run by time may take, as a share, when something was met too seldom yet."""
APART = 100_000
"""Fresh seeds begun a second later never meet those of a second before."""


class Campaign(msgspec.Struct, kw_only=True):
    """What became of the seeds from `first` on. `wanted` is None for as many as the time allowed."""

    first: int
    wanted: int | None
    coverage: Coverage
    failed: list[Outcome]
    seconds: float

    @property
    def is_lawful(self) -> bool:
        """No law broke, and no seed is missing: nothing depends on how fast the machine is."""
        return not self.failed and not (self.wanted is not None and self.coverage.seeds < self.wanted)

    @property
    def is_good(self) -> bool:
        """No law broke, everything was met often enough, and no seed is missing."""
        return self.is_lawful and not (self.coverage.seldom or self.coverage.unknown)

    def report(self) -> Iterator[str]:
        """Stories of failed seeds, the coverage table, what broke and how to see it again, one line of sums."""
        yield from (f"== seed {outcome.seed}\n{outcome.story}" for outcome in self.failed[:MOST_SHOWN])
        yield self.coverage.table()
        yield from self.findings()
        yield self.sums()

    def findings(self) -> Iterator[str]:
        for outcome in self.failed:
            for each in outcome.broken[:3]:
                yield f"BROKEN by seed {outcome.seed}, {each.law}: {each.what} [{each.about}]"
            yield f"  again: {self.coverage.again} {outcome.seed}"
        yield from (f"SELDOM: {name} ({self.coverage.met[name]})" for name in self.coverage.seldom)
        yield from (f"UNKNOWN: {name}: name it in {self.coverage.points}" for name in self.coverage.unknown)

    def sums(self) -> str:
        done = self.coverage
        return (f"seeds {self.first} to {self.first + done.seeds - 1}: {done.seeds} ({done.sdk} through the SDK), "
                f"{done.steps} steps, {done.faults} faults, {len(self.failed)} broken, {self.seconds:.0f} s, "
                f"{done.seeds / self.seconds:.1f} seeds/s, {done.each:.3f} CPU s each")  # fmt: skip


def run_campaign(
    seconds: float,
    seeds: int | None = None,
    first: int | None = None,
    coverage: Coverage | None = None,
    runner: Runner | None = None,
    extra: float = EXTRA,
) -> Campaign:
    """Lives `seeds` seeds, or as many as `seconds` allow, from `first` or from fresh ones on; `extra`: as EXTRA."""
    start = int(time.time()) * APART if first is None else first
    coverage, runner, failed = coverage or Coverage(), runner or Runner(), list[Outcome]()
    began = time.monotonic()

    def go_on() -> bool:
        short = bool(coverage.seldom) and seeds is None
        return time.monotonic() - began < seconds * (1 + extra * short) and len(failed) < MOST_FAILED

    numbers = itertools.count(start) if seeds is None else iter(range(start, start + seeds))
    for outcome in runner.run(numbers, go_on):
        coverage.add(outcome)
        if outcome.broken:
            failed.append(outcome)
    spent = time.monotonic() - began
    return Campaign(first=start, wanted=seeds, coverage=coverage, failed=failed, seconds=spent)
