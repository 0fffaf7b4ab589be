"""Runs: one step is one transaction, guarded by the run's row."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from msgspec.structs import replace

from shared.domain.advance import advance
from shared.domain.machine import Outcome
from shared.domain.reason import reason
from shared.domain.run import RunMachine, Step
from shared.store.runs import Loaded, Runs
from shared.store.table import Conflict, Table
from tests.domain.samples import ARC, NOW, RUN, minutes, run, run_machine

MOST_MACHINES = 99
"""With the run's own row, what one transaction takes."""


@pytest.fixture
def runs(table: Table) -> Runs:
    return Runs(table)


def loaded(runs: Runs, run_id: str = RUN) -> Loaded:
    found = runs.load(run_id)
    assert found is not None
    return found


def test_an_unknown_run_is_none(runs: Runs) -> None:
    assert runs.load(RUN) is None


def test_a_run_reads_back_as_itself(runs: Runs) -> None:
    machines = (run_machine(1), run_machine(2), RunMachine(machine=ARC))
    assert runs.create(run(), machines)
    found = loaded(runs)
    assert found.run == run()
    assert sorted(found.machines, key=str) == sorted(machines, key=str)
    assert found.etag


def test_a_run_is_created_once(runs: Runs) -> None:
    assert runs.create(run(), [run_machine(1)])
    assert not runs.create(replace(run(), requested_by="another"), [run_machine(2)])
    assert loaded(runs).run.requested_by == "someone"
    assert loaded(runs).machines == (run_machine(1),)


def test_runs_are_apart(runs: Runs) -> None:
    runs.create(run(), [run_machine(1)])
    assert runs.create(replace(run(), id="run-2"), [run_machine(2)])
    assert loaded(runs, "run-2").machines == (run_machine(2),)
    assert loaded(runs).machines == (run_machine(1),)


def test_a_step_changes_run_and_machines_together(runs: Runs) -> None:
    runs.create(run(), [run_machine(1), run_machine(2)])
    ended = replace(run_machine(1), step=Step.ENDED, outcome=Outcome.NOT_STARTED, reason=reason("Cancelled"))
    runs.save(loaded(runs), replace(run(), cancelled=NOW), [ended])
    assert loaded(runs).run.cancelled == NOW
    assert loaded(runs).machines == (ended, run_machine(2))


def test_a_step_on_an_old_reading_changes_nothing(runs: Runs) -> None:
    """As when a cancel is written between reading and granting."""
    runs.create(run(), [run_machine(1)])
    old = loaded(runs)
    runs.save(old, replace(run(), cancelled=NOW), [])
    decided = advance(old.run, old.machines, {}, NOW + minutes(1))
    assert decided.machines[0].step is Step.PERMITTED
    with pytest.raises(Conflict):
        runs.save(old, old.run, decided.machines)
    assert loaded(runs).machines == (run_machine(1),)
    assert loaded(runs).run.cancelled == NOW


def test_every_step_makes_older_readings_useless(runs: Runs) -> None:
    """A step that changes only machines also: two grants from one reading would be one too many."""
    runs.create(run(), [run_machine(1), run_machine(2)])
    old = loaded(runs)
    runs.save(old, old.run, [replace(run_machine(1), step=Step.RUNNING)])
    with pytest.raises(Conflict):
        runs.save(old, old.run, [replace(run_machine(2), step=Step.RUNNING)])


def test_a_whole_transaction_of_machines(runs: Runs) -> None:
    machines = [run_machine(number) for number in range(MOST_MACHINES)]
    assert runs.create(run(), machines)
    running = [replace(machine, step=Step.RUNNING) for machine in machines]
    runs.save(loaded(runs), run(), running)
    assert {machine.step for machine in loaded(runs).machines} == {Step.RUNNING}
    with pytest.raises(ValueError, match="100 rows"):
        runs.save(loaded(runs), run(), [*machines, run_machine(MOST_MACHINES)])


def test_of_two_steps_at_once_exactly_one_is_taken(runs: Runs) -> None:
    runs.create(run(), [run_machine(1)])

    def step(barrier: Barrier, reading: Loaded, who: str) -> bool:
        barrier.wait(timeout=30)
        try:
            runs.save(reading, replace(reading.run, requested_by=who), [])
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        for _ in range(30):
            reading, barrier = loaded(runs), Barrier(2)
            won = list(pool.map(step, [barrier] * 2, [reading] * 2, "ab"))
            assert sorted(won) == [False, True]
            assert loaded(runs).run.requested_by == "ab"[won.index(True)]
