"""What Azure may still run is not released: its machine would be free, and two operations at work in one guest."""

import pytest

from shared.domain.errors import RequestError
from shared.domain.machine import Outcome
from shared.domain.messages import AdvanceRun
from shared.domain.operation import State
from shared.domain.release import operators_reason, released
from shared.workflows.machines import read_installations
from tests.cloud.world import address_of
from tests.workflows.house import House
from tests.workflows.test_release import ANN, VERBS, asked, effects, held, lost, refused, release


@pytest.mark.parametrize(
    ("verb", "vm", "known"),
    [(verb, vm, True) for verb in ("assess", "install") for vm in (True, False)]
    + [("assess", True, False), ("install", True, False), ("install", False, False)],
)
def test_what_azure_still_runs_is_not_released(house: House, verb: str, vm: bool, known: bool) -> None:
    """Another start could take its place in the guest. `known`: at its address, else by a trace."""
    machine = house.know(house.one(vm=vm))
    operation = asked(house, verb, machine)
    house.run(until=lambda: held(house, machine).operation.state is State.ACCEPTED)
    house.clock.advance(0.01)
    if not known:
        house.fault(404, "/operations/", "GET", times=4)
    before = held(house, machine)
    refusal = refused(house, machine, operation.attempt)
    assert (refusal.status, refusal.code) == (409, "OperationRunning")
    assert held(house, machine) == before
    house.ask("/sandbox/faults", "POST", {"kind": "supersede", "path_contains": f"/{verb}Patches"})
    with pytest.raises(RequestError, match="OperationInFlight"):
        asked(house, verb, machine, "another")
    house.run()
    assert effects(house, machine) == [True]
    assert house.attempt(machine, operation.attempt).outcome is Outcome.SUCCEEDED


@VERBS
def test_what_azure_does_not_tell_of_is_not_released(house: House, verb: str) -> None:
    machine = house.know(house.one(vm=True))
    operation = asked(house, verb, machine)
    house.run(until=lambda: held(house, machine).operation.state is State.ACCEPTED)
    house.fault(503, "/operations/", "GET", times=4)
    house.fault(403, "/instanceView", "GET")
    refusal = refused(house, machine, operation.attempt)
    assert (refusal.status, refusal.code) == (409, "OperationUnreadable")
    house.run()
    assert house.attempt(machine, operation.attempt).outcome is Outcome.SUCCEEDED


@VERBS
def test_a_start_without_an_answer_is_not_released_while_traces_are_looked_for(house: House, verb: str) -> None:
    machine = house.know(house.one(vm=True))
    operation = lost(house, verb, machine)
    refusal = refused(house, machine, operation.attempt)
    assert (refusal.status, refusal.code) == (409, "OperationStarting")
    house.run()
    assert house.attempt(machine, operation.attempt).outcome is Outcome.SUCCEEDED
    assert effects(house, machine) == [True]


@VERBS
def test_an_operation_is_found_in_upper_case_too(house: House, verb: str) -> None:
    machine = house.know(house.one(vm=True))
    operation = asked(house, verb, machine)
    done = release(house, machine, operation.attempt.upper())
    assert (done.attempt, done.outcome) == (operation.attempt, Outcome.NOT_STARTED)
    assert release(house, machine, operation.attempt.upper()) == done


def test_the_end_of_an_installation_that_is_told_late_is_not_written_over_a_newer_one(house: House) -> None:
    """Its run hears of it only after another installation; the history has both."""
    machine = house.know(house.one(vm=True))
    operation = asked(house, "install", machine)
    why = operators_reason("ReleasedByOperator", *ANN)
    house.store.operations.save(held(house, machine), released(operation, why, house.now))  # and died
    house.lose()
    house.clock.advance(60)
    asked(house, "install", machine, "another")
    house.run()
    before = house.record(machine)
    assert before.installation is not None
    assert before.installation.outcome is Outcome.SUCCEEDED
    house.deliver(AdvanceRun(run=operation.attempt))
    assert house.record(machine) == before
    told = read_installations(house.store, address_of(machine))
    assert {each.outcome for each in told} == {Outcome.SUCCEEDED, Outcome.NOT_STARTED}
