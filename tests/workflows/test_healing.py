"""Whatever dies or gets lost half-way: the agenda brings it to an end, and nothing is sent twice."""

import msgspec
import pytest

from shared.domain.agenda import HEAL_EVERY, UNBORN_LIFE, Item, ItemKind
from shared.domain.errors import RequestError
from shared.domain.installation import read_installation
from shared.domain.machine import OperatingSystem, Outcome
from shared.domain.messages import FollowOperation, StartInstallation, StartPlanned
from shared.domain.operation import SENDING_PATIENCE, UNCONFIRMED_PATIENCE, Operation, State, claim_assessment, sending
from shared.domain.run import PERMIT_LIFE, RunMachine, Step, install_now
from tests.cloud.world import Json, everything
from tests.workflows.house import WHO, House

LATEST = UNCONFIRMED_PATIENCE + SENDING_PATIENCE + 2 * HEAL_EVERY
"""By when a start that nobody remembers the answer of has been given up."""

ATTEMPT = "33333333-0000-0000-0000-000000000001"


def planned(house: House, machine: Json) -> Operation:
    """The rows of an assessment that was claimed and then forgotten: agenda first, then the claim."""
    operation = claim_assessment(machine["id"], ATTEMPT, WHO, house.now, house.now)
    item = Item(kind=ItemKind.ASSESSMENT, id=ATTEMPT, since=house.now, machine=machine["id"])
    house.store.agenda.add(item, house.now + HEAL_EVERY)
    assert house.store.operations.claim(operation)
    return operation


def leave(house: House, machine: Json) -> None:
    """The worker records that it is about to send, and dies."""
    held = house.store.operations.in_flight(house.record(machine).machine.address)
    assert held is not None
    house.store.operations.save(held, sending(held.operation, house.now))


def reason_of(operation: Operation) -> str:
    return operation.reason.code if operation.reason else ""


def ended(house: House, machine: Json, attempt: str) -> Operation:
    """Lets the agenda work for as long as it may take."""
    house.live(240, until=lambda: house.attempt(machine, attempt).state is State.ENDED)
    done = house.attempt(machine, attempt)
    assert done.state is State.ENDED
    house.live(5)
    assert house.in_flight(machine) is None
    assert house.store.agenda.oldest() is None
    return done


def test_a_claim_whose_message_was_never_sent_is_assessed(house: House) -> None:
    machine = house.know(house.one(vm=True))
    planned(house, machine)
    assert ended(house, machine, ATTEMPT).outcome is Outcome.SUCCEEDED
    assert len(house.posts(machine["id"])) == 1


def test_an_assessment_whose_sender_died_before_the_wire_is_given_up(house: House) -> None:
    machine = house.know(house.one(vm=True))
    operation = planned(house, machine)
    leave(house, machine)
    done = ended(house, machine, ATTEMPT)
    assert (done.outcome, reason_of(done)) == (Outcome.UNKNOWN, "StartUnconfirmed")
    assert done.ended is not None
    assert done.ended - operation.claimed <= LATEST
    assert house.posts(machine["id"]) == []


@pytest.mark.parametrize("vm", [True, False])
def test_an_assessment_whose_sender_died_after_the_wire_is_found(house: House, vm: bool) -> None:
    machine = house.know(house.one(vm=vm))
    planned(house, machine)
    leave(house, machine)
    house.started(machine, "assess")
    done = ended(house, machine, ATTEMPT)
    assert (done.outcome, reason_of(done)) == (Outcome.SUCCEEDED, "")
    assert len(house.posts(machine["id"])) == 1
    assert house.pending(machine) == set(machine["pending"])


def test_the_sender_is_given_its_time_to_answer(house: House) -> None:
    """Within the minute that a send can take, nobody decides over its head."""
    machine = house.know(house.one(vm=True))
    planned(house, machine)
    leave(house, machine)
    house.clock.advance(SENDING_PATIENCE.total_seconds() - 1)
    house.deliver(FollowOperation(machine=machine["id"], attempt=ATTEMPT))
    operation = house.in_flight(machine)
    assert operation is not None
    assert operation.state is State.SENDING
    house.clock.advance(1)
    house.deliver(FollowOperation(machine=machine["id"], attempt=ATTEMPT))
    operation = house.in_flight(machine)
    assert operation is not None
    assert operation.state is State.UNCONFIRMED


@pytest.mark.parametrize("kind", ItemKind)
def test_an_agenda_line_without_a_claim_is_struck_out(house: House, kind: ItemKind) -> None:
    """The request died between the two writes: its caller got no answer, and nothing is under way."""
    machine = house.know(house.one(vm=True))
    house.store.agenda.add(Item(kind=kind, id=ATTEMPT, since=house.now, machine=machine["id"]), house.now)
    house.clock.advance(1)
    house.live(UNBORN_LIFE.total_seconds() / 60 - 1)
    assert house.store.agenda.oldest() is not None
    house.live(5)
    assert house.store.agenda.oldest() is None
    assert house.lose() == []


def test_a_claim_that_comes_long_after_its_agenda_line_is_not_forgotten(house: House) -> None:
    """The worker stood still between the two writes, longer than the agenda's rhythm, and died right after."""
    machine = house.know(house.one(vm=True))
    item = Item(kind=ItemKind.ASSESSMENT, id=ATTEMPT, since=house.now, machine=machine["id"])
    house.store.agenda.add(item, house.now + HEAL_EVERY)
    house.live(6)
    assert house.store.operations.claim(claim_assessment(machine["id"], ATTEMPT, WHO, house.now, house.now))
    assert ended(house, machine, ATTEMPT).outcome is Outcome.SUCCEEDED


def test_a_planned_assessment_whose_message_was_lost_is_planned_again(house: House) -> None:
    machine = house.know(house.one(vm=True))
    assert house.plan() == 1
    assert any(isinstance(letter.message, StartPlanned) for letter in house.lose())
    house.clock.advance(30 * 60)
    assert house.plan() == 0, "it may still wait for its turn"
    house.clock.advance(15 * 60)
    assert house.plan() == 1
    house.run()
    assert len(house.posts(machine["id"])) == 1


@pytest.mark.parametrize("steps", range(6))
def test_an_assessment_survives_the_loss_of_its_messages_at_any_point(house: House, steps: int) -> None:
    machine = house.know(house.one(vm=False))
    asked = house.assess(machine)
    for _ in range(steps):
        if house.waiting():
            house.step()
    house.lose()
    assert ended(house, machine, asked.attempt).outcome is Outcome.SUCCEEDED
    assert len(house.posts(machine["id"])) == 1


@pytest.mark.parametrize("steps", range(6))
def test_an_installation_survives_the_loss_of_its_messages_at_any_point(house: House, steps: int) -> None:
    machine = house.know(house.one(os="Linux", vm=True))
    asked = house.install(machine)
    for _ in range(steps):
        if house.waiting():
            house.step()
    house.lose()
    assert ended(house, machine, asked.attempt).outcome is Outcome.SUCCEEDED
    assert len(house.posts(machine["id"])) == 1
    loaded = house.store.runs.load(asked.attempt)
    assert loaded is not None
    assert loaded.run.closed is not None


def test_a_run_that_was_written_and_not_claimed_goes_on(house: House) -> None:
    """The request died between the run and its claim: agenda and run stand, and keep the promise."""
    machine = house.know(house.one(vm=True))
    body = msgspec.json.encode(everything(machine))
    request = read_installation(body, OperatingSystem(machine["os"]), is_vm=True)
    run = install_now(ATTEMPT, request, OperatingSystem(machine["os"]), WHO, house.now)
    house.store.agenda.add(Item(kind=ItemKind.RUN, id=ATTEMPT, since=house.now), house.now + HEAL_EVERY)
    assert house.store.runs.create(run, [RunMachine(machine=machine["id"])])
    house.live(5)
    assert ended(house, machine, ATTEMPT).outcome is Outcome.SUCCEEDED
    assert len(house.posts(machine["id"])) == 1


def test_an_installation_whose_sender_died_before_the_wire_is_never_sent(house: House) -> None:
    """Also not by anybody else: until it is given up it counts as sent."""
    machine = house.know(house.one(vm=True))
    asked = house.install(machine)
    house.run(until=lambda: any(letter.queue == "installations" for letter in house.waiting()))
    leave(house, machine)
    done = ended(house, machine, asked.attempt)
    assert (done.outcome, reason_of(done)) == (Outcome.UNKNOWN, "StartUnconfirmed")
    assert done.ended is not None
    assert done.ended - asked.claimed <= LATEST
    assert house.posts(machine["id"]) == []


def test_an_installation_whose_sender_died_after_the_wire_is_found(house: House) -> None:
    machine = house.know(house.one(vm=True))
    asked = house.install(machine)
    house.run(until=lambda: any(letter.queue == "installations" for letter in house.waiting()))
    leave(house, machine)
    house.started(machine, "install")
    done = ended(house, machine, asked.attempt)
    assert (done.outcome, reason_of(done)) == (Outcome.SUCCEEDED, "")
    assert len(house.posts(machine["id"])) == 1


def test_a_permit_that_expired_is_no_right_any_more(house: House) -> None:
    """A start that is delivered late sends nothing; the run grants a new permit."""
    machine = house.know(house.one(vm=True))
    asked = house.install(machine)
    house.run(until=lambda: any(letter.queue == "installations" for letter in house.waiting()))
    late = StartInstallation(run=asked.attempt, machine=machine["id"])
    house.lose()
    house.clock.advance(PERMIT_LIFE.total_seconds())
    house.deliver(late)
    assert house.posts(machine["id"]) == []
    assert ended(house, machine, asked.attempt).outcome is Outcome.SUCCEEDED
    assert len(house.posts(machine["id"])) == 1


def test_a_cancelled_run_starts_nothing_and_frees_the_machine(house: House) -> None:
    machine = house.know(house.one(vm=True))
    asked = house.install(machine)
    loaded = house.store.runs.load(asked.attempt)
    assert loaded is not None
    house.store.runs.save(loaded, msgspec.structs.replace(loaded.run, cancelled=house.now), loaded.machines)
    house.run()
    done = house.attempt(machine, asked.attempt)
    assert (done.state, done.outcome, reason_of(done)) == (State.ENDED, Outcome.NOT_STARTED, "Cancelled")
    assert house.posts(machine["id"]) == []
    loaded = house.store.runs.load(asked.attempt)
    assert loaded is not None
    assert (loaded.machines[0].step, loaded.machines[0].outcome) == (Step.ENDED, Outcome.NOT_STARTED)
    assert house.install(machine, "another").state is State.CLAIMED


def test_a_line_that_fails_keeps_no_other_waiting(house: House) -> None:
    """A machine id that cannot be read, on every shard; what fails is raised when the rest was tended."""
    machine = house.know(house.one(vm=True))
    for number in range(8):
        bad = Item(
            kind=ItemKind.ASSESSMENT, id=f"bad-{number}", since=house.now, closes_by=house.now, machine="not a machine"
        )
        house.store.agenda.add(bad, house.now - HEAL_EVERY)
    planned(house, machine)
    house.clock.advance(HEAL_EVERY.total_seconds() + 60)
    with pytest.raises(RequestError):
        house.tend()
    house.run(5)
    assert house.attempt(machine, ATTEMPT).state is not State.CLAIMED
