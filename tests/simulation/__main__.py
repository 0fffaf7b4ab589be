"""`python -m tests.simulation [--seeds N] [--seconds S] [--from SEED]`: many seeds, their coverage, their laws."""

import argparse
import sys

from tests.simulation.campaign import run_campaign
from tests.simulation.seed import settle_hashes

LONGEST_SECONDS = 900
SELDOM = 3
"""Exit code when every law held, and a point was met too seldom to trust it: a slow machine lives fewer seeds."""


def main(words: list[str]) -> int:
    """Exit code 1 when a law broke, SELDOM when all held and something was met too seldom."""
    asked = _parser().parse_args(words)
    campaign = run_campaign(asked.seconds, asked.seeds, asked.first)
    for part in campaign.report():
        sys.stdout.write(f"{part}\n")
    if not campaign.is_lawful:
        return 1
    return 0 if campaign.is_good else SELDOM


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, help="how many; without it as many as the time allows")
    parser.add_argument("--seconds", type=float, default=LONGEST_SECONDS, help="no new seed after so long")
    parser.add_argument("--from", dest="first", type=int, help="the first seed; without it a fresh one")
    return parser


if __name__ == "__main__":
    settle_hashes("tests.simulation", sys.argv[1:])
    sys.exit(main(sys.argv[1:]))
