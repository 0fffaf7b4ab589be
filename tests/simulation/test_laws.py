"""CI's share of the simulation: a minute of fresh seeds of either kind, and every guard of the design taken out."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.simulation.__main__ import SELDOM
from tests.simulation.mutants import MUTANTS
from tests.simulation.report import simulation_report
from tests.simulation.runner import HANGS, Runner, first_broken
from tests.simulation.world import Parts

PROJECT = Path(__file__).resolve().parents[2]
SHARE = 60.0
"""Seconds of fresh seeds; up to as many again while something was met too seldom, as on a busy machine."""
SEEDS_FOR_A_MUTANT = 800
"""About what CI's share lives: a mutant that passes them would pass CI."""


@pytest.mark.alone
@pytest.mark.timeout(400)
def test_a_minute_of_fresh_seeds_breaks_no_law(pytestconfig: pytest.Config) -> None:
    assert lived("tests.simulation", pytestconfig) == 0


@pytest.mark.alone
@pytest.mark.timeout(400)
def test_a_minute_of_fresh_days_with_a_window_breaks_no_law(pytestconfig: pytest.Config) -> None:
    """What a minute of a slow machine meets too seldom is named in the table; the long proof has to meet it."""
    assert lived("tests.simulation.windows", pytestconfig) in (0, SELDOM)


def lived(days: str, config: pytest.Config) -> int:
    """Exit code; printed at the end of the run, with the coverage, and a failing seed with its story."""
    command = [sys.executable, "-m", days, "--seconds", f"{SHARE:.0f}"]  # with settled hashes: repeatable
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    simulation_report(config).extend(done.stdout.splitlines() + done.stderr.splitlines())
    return done.returncode


@pytest.mark.alone
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_guard_taken_out_is_noticed(name: str, pytestconfig: pytest.Config) -> None:
    seeds, law = _caught(MUTANTS[name])
    simulation_report(pytestconfig).append(f"mutant '{name}': law '{law}' broke within {seeds} seeds")
    assert law, f"{name}: not noticed in {seeds} seeds"


def _caught(parts: Parts) -> tuple[int, str]:
    """After how many fresh seeds which law broke first; no law when none did."""
    first = int(time.time()) * SEEDS_FOR_A_MUTANT
    return first_broken(Runner(parts, patience=HANGS).run(iter(range(first, first + SEEDS_FOR_A_MUTANT)), lambda: True))
