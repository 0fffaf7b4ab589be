"""Every guard of a maintenance window taken out in turn."""

import time

import pytest

from tests.simulation.report import simulation_report
from tests.simulation.runner import HANGS, first_broken
from tests.simulation.window_mutants import MUTANTS
from tests.simulation.windows import windows_runner
from tests.simulation.world import Parts

SEEDS_FOR_A_MUTANT = 600
"""As many as a minute lives: a mutant that passes them would pass."""


@pytest.mark.parametrize("name", MUTANTS)
def test_a_guard_taken_out_is_noticed(name: str, pytestconfig: pytest.Config) -> None:
    seeds, law = _caught(MUTANTS[name])
    simulation_report(pytestconfig).append(f"windows, mutant '{name}': law '{law}' broke within {seeds} seeds")
    assert law, f"{name}: not noticed in {seeds} seeds"


def _caught(parts: Parts) -> tuple[int, str]:
    """After how many fresh seeds which law broke first; no law when none did."""
    first = int(time.time()) * SEEDS_FOR_A_MUTANT
    seeds = iter(range(first, first + SEEDS_FOR_A_MUTANT))
    return first_broken(windows_runner(parts, HANGS).run(seeds, lambda: True))
