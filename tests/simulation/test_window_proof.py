"""The long proof of maintenance windows: ten thousand fresh seeds within a quarter of an hour, no law broken."""

import subprocess
import sys
import time

import pytest

from tests.simulation.test_proof import LONGEST, PROJECT, SEEDS


@pytest.mark.proof
@pytest.mark.timeout(2 * LONGEST)
def test_ten_thousand_days_with_a_window_break_no_law() -> None:
    began = time.monotonic()
    command = [sys.executable, "-m", "tests.simulation.windows", "--seeds", str(SEEDS), "--seconds", str(2 * LONGEST)]
    assert subprocess.run(command, cwd=PROJECT, check=False).returncode == 0
    assert time.monotonic() - began <= LONGEST
