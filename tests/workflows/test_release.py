"""What an operator ends by hand: recorded, and every law still holds, judged by what Azure saw."""

from datetime import datetime

import pytest

from shared.domain.errors import RequestError
from shared.domain.machine import Outcome
from shared.domain.operation import UNCONFIRMED_PATIENCE, Accepted, Answer, Operation, Refused, State, sending
from shared.domain.release import operators_reason, released
from shared.domain.run import Step
from shared.store.operations import Held
from shared.workflows.release import release_operation
from shared.workflows.sending import send
from tests.cloud.world import Json, address_of
from tests.workflows.house import House

ANN = ("ann", "it hangs")
VERBS = pytest.mark.parametrize("verb", ["assess", "install"])


def asked(house: House, verb: str, machine: Json, request: str = "r-1") -> Operation:
    return house.assess(machine, request) if verb == "assess" else house.install(machine, request)


def release(house: House, machine: Json, attempt: str) -> Operation:
    return release_operation(house.azure, house.store, address_of(machine), attempt, *ANN)


def held(house: House, machine: Json) -> Held:
    found = house.store.operations.in_flight(address_of(machine))
    assert found is not None
    return found


def effects(house: House, machine: Json) -> list[bool]:
    return [post["effect"] for post in house.posts(machine["id"])]


def lost(house: House, verb: str, machine: Json) -> Operation:
    """A start that Azure took and never answered."""
    house.fault(503, f"/{verb}Patches", effect=True)
    operation = asked(house, verb, machine)
    house.run(until=lambda: held(house, machine).operation.state is State.UNCONFIRMED)
    return operation


def refused(house: House, machine: Json, attempt: str) -> RequestError:
    with pytest.raises(RequestError) as refusal:
        release(house, machine, attempt)
    return refusal.value


def told(house: House, verb: str, machine: Json) -> tuple[Outcome | None, str, str]:
    """What the machine's own record says of its last operation that ended without a result."""
    record = house.record(machine)
    if verb == "install":
        assert record.installation is not None
        assert record.installation.reason is not None
        return record.installation.outcome, record.installation.reason.code, record.installation.reason.detail
    assert record.refusal is not None
    return None, record.refusal.reason.code, record.refusal.reason.detail


@VERBS
def test_a_claim_is_given_back_and_nothing_is_ever_sent(house: House, verb: str) -> None:
    machine = house.know(house.one(vm=True))
    operation = asked(house, verb, machine)
    done = release(house, machine, operation.attempt)
    assert (done.state, done.outcome) == (State.ENDED, Outcome.NOT_STARTED)
    assert told(house, verb, machine)[1:] == ("ReleasedByOperator", "ann: it hangs")
    assert house.in_flight(machine) is None
    house.live(20)
    assert house.posts(machine["id"]) == []
    assert house.attempt(machine, operation.attempt) == done
    asked(house, verb, machine, "another")
    house.run()
    assert effects(house, machine) == [True], "the machine is free for other work"


def test_a_released_claim_ends_its_run(house: House) -> None:
    machine = house.know(house.one(vm=True))
    operation = house.install(machine)
    release(house, machine, operation.attempt)
    house.run()
    loaded = house.store.runs.load(operation.attempt)
    assert loaded is not None
    assert loaded.run.closed is not None
    (ended,) = loaded.machines
    assert (ended.step, ended.outcome) == (Step.ENDED, Outcome.NOT_STARTED)
    assert ended.reason is not None
    assert ended.reason.detail == "ann: it hangs"


@VERBS
@pytest.mark.parametrize("state", [State.UNCONFIRMED, State.ACCEPTED])
def test_what_may_run_ends_as_unknown_and_is_never_sent_again_in_its_run(house: House, verb: str, state: State) -> None:
    machine = house.know(house.one(vm=True))
    if state is State.UNCONFIRMED:
        operation = lost(house, verb, machine)
    else:
        operation = asked(house, verb, machine)
        house.run(until=lambda: held(house, machine).operation.state is State.ACCEPTED)
    house.clock.advance(UNCONFIRMED_PATIENCE.total_seconds())
    done = release(house, machine, operation.attempt)
    assert (done.state, done.outcome) == (State.ENDED, Outcome.UNKNOWN)
    assert told(house, verb, machine)[1] == "ReleasedByOperator"
    house.run()
    for letter in list(house.handled):
        house.deliver(letter.message)
    house.live(30)
    assert effects(house, machine) == [True]
    assert house.attempt(machine, operation.attempt) == done
    assert house.store.agenda.oldest() is None
    if verb == "install":
        loaded = house.store.runs.load(operation.attempt)
        assert loaded is not None
        assert loaded.run.closed is not None
        assert loaded.machines[0].outcome is Outcome.UNKNOWN


@VERBS
def test_a_request_on_its_way_is_not_released(house: House, verb: str) -> None:
    machine = house.know(house.one(vm=True))
    operation = asked(house, verb, machine)
    before = house.store.operations.save(held(house, machine), sending(operation, house.now))
    refusal = refused(house, machine, operation.attempt)
    assert (refusal.status, refusal.code) == (409, "OperationStarting")
    assert held(house, machine) == before
    assert house.record(machine).refusal is None
    assert house.record(machine).installation is None
    house.clock.advance(UNCONFIRMED_PATIENCE.total_seconds())
    assert release(house, machine, operation.attempt).outcome is Outcome.UNKNOWN


def sent_while_released(house: House, verb: str, machine: Json, answer: Answer | None = None) -> Operation:
    """The sender stands still after Azure's answer, for longer than any answer may take; then it goes on."""
    operation = asked(house, verb, machine)

    def call(_: datetime) -> Answer:
        real = answer or house.start(machine, verb)
        house.clock.advance(UNCONFIRMED_PATIENCE.total_seconds())
        release(house, machine, operation.attempt)
        return real

    send(house.azure, house.store, house.record(machine), held(house, machine), call)
    return house.attempt(machine, operation.attempt)


@VERBS
def test_the_answer_to_a_sender_that_was_released_meanwhile_is_kept(house: House, verb: str) -> None:
    machine = house.know(house.one(vm=True))
    done = sent_while_released(house, verb, machine)
    assert (done.state, done.outcome, done.late_answer) == (State.ENDED, Outcome.UNKNOWN, "Accepted")
    assert "/operations/" in done.url
    house.live(30)
    assert effects(house, machine) == [True]
    assert house.attempt(machine, done.attempt) == done
    assert told(house, verb, machine)[1] == "ReleasedByOperator"


@VERBS
def test_a_refusal_that_comes_late_does_not_change_what_is_said(house: House, verb: str) -> None:
    machine = house.know(house.one(vm=True))
    done = sent_while_released(house, verb, machine, Refused(status=400, code="Bad", message="no"))
    assert (done.outcome, done.late_answer) == (Outcome.UNKNOWN, "Refused: 400 Bad: no")
    assert told(house, verb, machine)[1] == "ReleasedByOperator"


@VERBS
def test_a_sender_that_was_given_up_and_released_while_it_answered(house: House, verb: str) -> None:
    """First its `sending` was taken for lost, then an operator released it: the yes is still kept."""
    machine = house.know(house.one(vm=True))
    operation = asked(house, verb, machine)
    house.run(until=lambda: any(letter.queue in ("assessments", "installations") for letter in house.waiting()))

    def call(_: datetime) -> Answer:
        house.clock.advance(120)
        house.live(6, until=lambda: held(house, machine).operation.state is State.UNCONFIRMED)
        assert held(house, machine).operation.state is State.UNCONFIRMED
        house.clock.advance(UNCONFIRMED_PATIENCE.total_seconds())
        release(house, machine, operation.attempt)
        return Accepted(url="https://azure/operations/1", result_url="", retry_after=1)

    send(house.azure, house.store, house.record(machine), held(house, machine), call)
    done = house.attempt(machine, operation.attempt)
    assert (done.outcome, done.late_answer, done.url) == (Outcome.UNKNOWN, "Accepted", "https://azure/operations/1")


def test_a_sender_is_stopped_when_its_claim_was_released(house: House) -> None:
    """Whoever is second finds the claim gone: nothing leaves."""
    machine = house.know(house.one(vm=True))
    operation = house.assess(machine)
    before = held(house, machine)
    release(house, machine, operation.attempt)
    house.run()
    assert house.posts(machine["id"]) == []
    assert held_by_nobody(house, machine, before)


def held_by_nobody(house: House, machine: Json, before: Held) -> bool:
    return house.in_flight(machine) is None and house.attempt(machine, before.operation.attempt).state is State.ENDED


@VERBS
def test_a_second_call_says_the_same_and_mends_what_a_dead_worker_left_out(house: House, verb: str) -> None:
    machine = house.know(house.one(vm=True))
    operation = asked(house, verb, machine)
    why = operators_reason("ReleasedByOperator", *ANN)
    ended = released(operation, why, house.now)
    house.store.operations.save(held(house, machine), ended)  # and died
    assert house.record(machine).refusal is None
    house.clock.advance(60)
    assert release(house, machine, operation.attempt) == ended
    assert told(house, verb, machine)[1] == "ReleasedByOperator"


def test_a_second_call_writes_over_nothing_newer(house: House) -> None:
    machine = house.know(house.one(vm=True))
    operation = house.install(machine)
    release(house, machine, operation.attempt)
    house.run()
    house.install(machine, "another")
    house.run()
    before = house.record(machine)
    assert before.installation is not None
    assert before.installation.outcome is Outcome.SUCCEEDED
    release(house, machine, operation.attempt)
    assert house.record(machine) == before


@VERBS
def test_what_ended_by_itself_cannot_be_released(house: House, verb: str) -> None:
    machine = house.know(house.one(vm=True))
    operation = asked(house, verb, machine)
    house.run()
    refusal = refused(house, machine, operation.attempt)
    assert (refusal.status, refusal.code) == (409, "OperationEnded")
    assert "Succeeded" in refusal.message


@pytest.mark.parametrize("attempt", ["", "nothing", "inflight", "../x"])
def test_an_operation_nobody_knows_is_not_found(house: House, attempt: str) -> None:
    machine = house.know(house.one(vm=True))
    house.assess(machine)
    assert refused(house, machine, attempt).status == 404
    assert house.in_flight(machine) is not None


def test_a_machine_that_left_the_records_can_be_released(house: House) -> None:
    """Following it finds no machine: it would stay for ever."""
    machine = house.know(house.one(vm=True))
    operation = house.assess(machine)
    stranger = {**machine, "id": machine["id"] + "-no"}
    forgotten = operation.__class__(**{f: getattr(operation, f) for f in operation.__struct_fields__} | {
        "machine": stranger["id"]})  # fmt: skip
    assert house.store.operations.claim(forgotten)
    assert release(house, stranger, operation.attempt).outcome is Outcome.NOT_STARTED
    assert house.in_flight(stranger) is None
