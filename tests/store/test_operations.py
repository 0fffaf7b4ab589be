"""Operations: at most one in flight on a machine, each attempt at most once, and no step taken twice."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from msgspec.structs import replace

from shared.domain.machine import Outcome
from shared.domain.operation import Accepted, Operation, OperationKind, State, answered, end, installed, sending
from shared.domain.reason import reason
from shared.domain.resource_id import parse_machine_id
from shared.store.operations import MANY, Held, Operations
from shared.store.table import Conflict, Table
from tests.domain.samples import ARC, NOW, VM, installation, operation

ADDRESS = parse_machine_id(VM)
ROUNDS = 40


@pytest.fixture
def operations(table: Table) -> Operations:
    return Operations(table)


def attempt(name: str, machine: str = VM) -> Operation:
    return replace(operation(), attempt=name, machine=machine)


def held(operations: Operations) -> Held:
    found = operations.in_flight(ADDRESS)
    assert found is not None
    return found


def finish(operations: Operations) -> Operation:
    now = held(operations)
    return operations.save(now, end(now.operation, Outcome.NOT_STARTED, reason("Unsent"), NOW)).operation


def test_a_claim_holds_the_machine(operations: Operations) -> None:
    assert operations.in_flight(ADDRESS) is None
    assert operations.claim(attempt("a"))
    assert held(operations).operation == attempt("a")
    assert operations.attempt(ADDRESS, "a") == attempt("a")


def test_a_held_machine_is_not_claimed_again(operations: Operations) -> None:
    assert operations.claim(attempt("a"))
    assert not operations.claim(attempt("b"))
    assert not operations.claim(replace(attempt("c"), kind=OperationKind.ASSESSMENT))
    assert not operations.claim(attempt("d", VM.upper()))
    assert operations.attempt(ADDRESS, "b") is None
    assert operations.claim(attempt("b", ARC))


def test_an_attempt_exists_once_for_ever(operations: Operations) -> None:
    operations.claim(attempt("a"))
    ended = finish(operations)
    assert operations.in_flight(ADDRESS) is None
    assert not operations.claim(attempt("a"))
    assert operations.in_flight(ADDRESS) is None
    assert operations.attempt(ADDRESS, "a") == ended
    assert operations.claim(attempt("b"))


def test_every_state_is_read_back(operations: Operations) -> None:
    """While it runs from the row in flight, afterwards from its own; both by the attempt's id."""
    operations.claim(attempt("a"))
    now = operations.save(held(operations), sending(attempt("a"), NOW))
    assert operations.attempt(ADDRESS, "a") == now.operation
    accepted, _ = answered(now.operation, Accepted(url="u", result_url="r", retry_after=1), NOW)
    now = operations.save(now, accepted)
    assert held(operations).operation == accepted
    done = installed(accepted, installation(), NOW)
    assert operations.save(now, done).etag == ""
    assert operations.in_flight(ADDRESS) is None
    assert operations.attempt(ADDRESS, "a") == done


@pytest.mark.parametrize("last", [State.SENDING, State.ENDED])
def test_a_step_on_an_old_reading_conflicts(operations: Operations, last: State) -> None:
    operations.claim(attempt("a"))
    old = held(operations)
    operations.save(old, sending(old.operation, NOW))
    late = sending(old.operation, NOW + timedelta(seconds=1))
    step = late if last is State.SENDING else end(old.operation, Outcome.UNKNOWN, reason("NoAnswer"), NOW)
    with pytest.raises(Conflict):
        operations.save(old, step)
    assert held(operations).operation == sending(old.operation, NOW)
    assert operations.attempt(ADDRESS, "a") == sending(old.operation, NOW)


@pytest.mark.parametrize("last", [State.SENDING, State.ENDED])
def test_a_step_on_an_ended_operation_conflicts(operations: Operations, last: State) -> None:
    """Also when the machine is held by the next attempt already: that one is not touched."""
    operations.claim(attempt("a"))
    old = held(operations)
    ended = finish(operations)
    step = (
        sending(old.operation, NOW)
        if last is State.SENDING
        else end(old.operation, Outcome.UNKNOWN, reason("NoAnswer"), NOW)
    )
    with pytest.raises(Conflict):
        operations.save(old, step)
    operations.claim(attempt("b"))
    with pytest.raises(Conflict):
        operations.save(old, step)
    assert held(operations).operation == attempt("b")
    assert operations.attempt(ADDRESS, "a") == ended


def test_of_two_claims_at_once_exactly_one_wins(operations: Operations) -> None:
    """Two starters, many rounds: every round one attempt is in flight, and only its row exists."""

    def claim(barrier: Barrier, name: str) -> bool:
        barrier.wait(timeout=30)
        return operations.claim(attempt(name)) is not None

    with ThreadPoolExecutor(2) as pool:
        for number in range(ROUNDS):
            barrier, names = Barrier(2), [f"{number}-a", f"{number}-b"]
            won = list(pool.map(claim, [barrier, barrier], names))
            assert sorted(won) == [False, True]
            winner, loser = (names[won.index(True)], names[won.index(False)])
            assert held(operations).operation.attempt == winner
            assert operations.attempt(ADDRESS, loser) is None
            finish(operations)


def test_of_two_equal_claims_at_once_exactly_one_wins(operations: Operations) -> None:
    """The same request twice at once is one attempt."""

    def claim(barrier: Barrier, name: str) -> bool:
        barrier.wait(timeout=30)
        return operations.claim(attempt(name)) is not None

    with ThreadPoolExecutor(2) as pool:
        for number in range(ROUNDS):
            barrier = Barrier(2)
            assert sorted(pool.map(claim, [barrier, barrier], [f"{number}", f"{number}"])) == [False, True]
            finish(operations)


def test_of_two_senders_at_once_exactly_one_sends(operations: Operations) -> None:
    """Both read the same claim; only who records `sending` first may go to the wire."""

    def send(barrier: Barrier, reading: Held) -> bool:
        barrier.wait(timeout=30)
        try:
            operations.save(reading, sending(reading.operation, NOW))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        for number in range(ROUNDS):
            operations.claim(attempt(f"{number}"))
            reading, barrier = held(operations), Barrier(2)
            assert sorted(pool.map(send, [barrier, barrier], [reading, reading])) == [False, True]
            finish(operations)


def test_a_refused_attempt_can_never_be_claimed_and_holds_nothing(operations: Operations) -> None:
    asked = operation()
    refused = end(asked, Outcome.NOT_STARTED, reason("NoTimeLeft"), NOW)
    assert operations.refuse(refused)
    assert not operations.refuse(refused)
    assert not operations.claim(asked)
    assert operations.in_flight(ADDRESS) is None
    assert operations.attempt(ADDRESS, asked.attempt) == refused


def test_an_attempt_that_was_claimed_cannot_be_refused(operations: Operations) -> None:
    asked = operation()
    assert operations.claim(asked)
    assert not operations.refuse(end(asked, Outcome.NOT_STARTED, reason("NoTimeLeft"), NOW))


def test_attempts_of_many_machines_come_in_the_order_in_which_they_are_asked_for(operations: Operations) -> None:
    """Of many, several are read at once; of one that has none, there is none."""
    machines = [f"{VM}{number}" for number in range(MANY)]
    for machine in machines[1:]:
        operations.claim(attempt("one", machine))
    found = operations.attempts([parse_machine_id(machine) for machine in machines], "one")
    assert [each and each.machine for each in found] == [None, *machines[1:]]
    assert operations.attempts([ADDRESS], "one") == [None]
