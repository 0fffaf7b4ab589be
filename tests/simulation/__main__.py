"""`python -m tests.simulation [--seeds N] [--seconds S] [--from SEED]`: many seeds, their coverage, their laws."""

import argparse
import itertools
import sys
import time

from tests.simulation.coverage import Coverage
from tests.simulation.outcome import Outcome
from tests.simulation.runner import Runner
from tests.simulation.seed import settle_hashes

LONGEST_SECONDS = 900
MOST_SHOWN = 3
"""Failing seeds whose story is printed; more are only named."""
EXTRA = 1.0
"""How much longer than asked a run by time may take, as a share, when something was met too seldom yet."""


def main(words: list[str]) -> int:
    """Exit code 1 when a law broke, or something was met too seldom."""
    asked = _parser().parse_args(words)
    first = int(time.time()) * 100_000 if asked.first is None else asked.first
    coverage, failed, began = Coverage(), list[Outcome](), time.monotonic()

    def go_on() -> bool:
        spent = time.monotonic() - began
        short = coverage.seldom and asked.seeds is None
        return spent < asked.seconds * (1 + EXTRA * bool(short)) and len(failed) < MOST_SHOWN * 3

    seeds = itertools.count(first) if asked.seeds is None else iter(range(first, first + asked.seeds))
    for outcome in Runner().run(seeds, go_on):
        coverage.add(outcome)
        if outcome.broken:
            failed.append(outcome)
    _report(coverage, failed, first, time.monotonic() - began)
    missing = asked.seeds is not None and coverage.seeds < asked.seeds
    return 1 if failed or coverage.seldom or coverage.unknown or missing else 0


def _report(coverage: Coverage, failed: list[Outcome], first: int, seconds: float) -> None:
    out = sys.stdout.write
    for outcome in failed[:MOST_SHOWN]:
        out(f"== seed {outcome.seed}\n{outcome.story}\n")
    out(f"{coverage.table()}\n")
    for outcome in failed:
        for each in outcome.broken[:3]:
            out(f"BROKEN by seed {outcome.seed}, {each.law}: {each.what} [{each.about}]\n")
        out(f"  again: python -m tests.simulation.seed {outcome.seed}\n")
    for name in coverage.seldom:
        out(f"SELDOM: {name} ({coverage.met[name]})\n")
    for name in coverage.unknown:
        out(f"UNKNOWN: {name}: name it in tests/simulation/points.py\n")
    out(f"seeds {first} to {first + coverage.seeds - 1}: {coverage.seeds} ({coverage.sdk} through the SDK), "
        f"{coverage.steps} steps, {coverage.faults} faults, {len(failed)} broken, {seconds:.0f} s, "
        f"{coverage.seeds / seconds:.1f} seeds/s, {coverage.each:.3f} CPU s each\n")  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, help="how many; without it as many as the time allows")
    parser.add_argument("--seconds", type=float, default=LONGEST_SECONDS, help="no new seed after so long")
    parser.add_argument("--from", dest="first", type=int, help="the first seed; without it a fresh one")
    return parser


if __name__ == "__main__":
    settle_hashes("tests.simulation", sys.argv[1:])
    sys.exit(main(sys.argv[1:]))
