"""A run that an operator closes: nothing more starts, what runs is followed, and the reason is the operator's."""

import pytest

from shared.domain.errors import RequestError
from shared.domain.machine import Outcome
from shared.domain.operation import State
from shared.workflows.release import close_run
from tests.workflows.house import House
from tests.workflows.test_release import ANN, effects, held, lost, release, told


def close(house: House, run: str) -> None:
    close_run(house.store, run, *ANN, house.now)


def test_a_run_that_has_not_started_closes_without_a_start(house: House) -> None:
    machine = house.know(house.one(vm=True))
    operation = house.install(machine)
    close(house, operation.attempt.upper())
    house.run()
    loaded = house.store.runs.load(operation.attempt)
    assert loaded is not None
    assert loaded.run.closed is not None
    (ended,) = loaded.machines
    assert ended.reason is not None
    assert (ended.outcome, ended.reason.code, ended.reason.detail) == (
        Outcome.NOT_STARTED, "ClosedByOperator", "ann: it hangs")  # fmt: skip
    assert house.posts(machine["id"]) == []
    assert house.in_flight(machine) is None
    assert told(house, "install", machine) == (Outcome.NOT_STARTED, "ClosedByOperator", "ann: it hangs")


def test_a_run_that_runs_is_followed_to_its_end(house: House) -> None:
    machine = house.know(house.one(vm=True))
    operation = house.install(machine)
    house.run(until=lambda: held(house, machine).operation.state is State.ACCEPTED)
    close(house, operation.attempt)
    close(house, operation.attempt)
    house.live(60)
    loaded = house.store.runs.load(operation.attempt)
    assert loaded is not None
    assert loaded.run.closed is not None
    assert loaded.run.cancelled is not None
    assert loaded.machines[0].outcome is Outcome.SUCCEEDED
    assert effects(house, machine) == [True]


def test_a_run_that_waits_for_a_stuck_operation_closes_once_that_is_released(house: House) -> None:
    machine = house.know(house.one(vm=True))
    operation = lost(house, "install", machine)
    close(house, operation.attempt)
    house.run(0)
    house.lose()
    house.clock.advance(600)
    release(house, machine, operation.attempt)
    house.run()
    loaded = house.store.runs.load(operation.attempt)
    assert loaded is not None
    assert loaded.run.closed is not None
    assert loaded.machines[0].outcome is Outcome.UNKNOWN
    assert effects(house, machine) == [True]


def test_a_closed_or_unknown_run_cannot_be_closed(house: House) -> None:
    machine = house.know(house.one(vm=True))
    operation = house.install(machine)
    house.run()
    for run, status in ((operation.attempt, 409), ("nothing", 404), ("", 404)):
        with pytest.raises(RequestError) as refusal:
            close(house, run)
        assert refusal.value.status == status
