"""The long proof: ten thousand fresh seeds within a quarter of an hour, no law broken, everything met."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SEEDS = 10_000
LONGEST = 900.0
"""Seconds, on two cores."""


@pytest.mark.proof
@pytest.mark.timeout(2 * LONGEST)
def test_ten_thousand_seeds_break_no_law() -> None:
    began = time.monotonic()
    command = [sys.executable, "-m", "tests.simulation", "--seeds", str(SEEDS), "--seconds", str(2 * LONGEST)]
    assert subprocess.run(command, cwd=PROJECT, check=False).returncode == 0
    assert time.monotonic() - began <= LONGEST
