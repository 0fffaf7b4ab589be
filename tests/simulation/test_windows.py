"""The laws of maintenance windows over fresh seeds, and guards of the design whose absence they must notice."""

import time

import pytest

from shared.domain.run import Run, RunMachine
from shared.store.agenda import Agenda
from shared.store.runs import Loaded, Runs, _machine_row, _run_row
from shared.store.table import Merge
from tests.simulation.mutants import with_stores
from tests.simulation.runner import Runner
from tests.simulation.windows import campaign, live_windows
from tests.simulation.world import Parts

SECONDS = 10.0
MOST_SEEDS = 60


class NoETagOnTheRun(Runs):
    """The last step wins: a cancel may be overwritten, and two steps grant twice."""

    def save(self, loaded: Loaded, run: Run, machines: tuple[RunMachine, ...] | list[RunMachine]) -> None:  # type: ignore[override]
        rows = [_run_row(run), *(_machine_row(run.id, machine) for machine in machines)]
        self._table.transact([Merge(row) for row in rows])


class NoAgenda(Agenda):
    """What no message moves on is forgotten."""

    def add(self, item: object, due: object) -> None:
        return None


MUTANTS: dict[str, Parts] = {
    "no ETag on the run's row": with_stores(runs=NoETagOnTheRun),
    "no agenda": with_stores(agenda=NoAgenda),
}


def test_every_law_holds() -> None:
    outcomes, seen = campaign(SECONDS, None, time.time_ns() // 1000)
    broken = [(outcome.seed, each) for outcome in outcomes for each in outcome.broken]
    assert broken == []
    assert len(outcomes) > 3
    assert seen["Succeeded"] > 0


@pytest.mark.parametrize("name", MUTANTS)
def test_a_missing_guard_is_noticed(name: str) -> None:
    seeds = iter(range(MOST_SEEDS))
    found = Runner(MUTANTS[name], living=live_windows).run(seeds, lambda: True)
    assert any(outcome.broken for outcome in found)
