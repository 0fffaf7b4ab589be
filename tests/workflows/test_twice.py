"""Everything may come twice, late, or at once: requests and messages; Azure sees one start."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier

import msgspec
import pytest

from shared.domain.agenda import Item, ItemKind
from shared.domain.errors import RequestError
from shared.domain.installation import read_installation
from shared.domain.machine import OperatingSystem, Outcome
from shared.domain.messages import Message, StartAssessment
from shared.domain.operation import Operation, State
from shared.domain.request import SAME_REQUEST, attempt_id
from shared.domain.run import RunMachine, install_now
from tests.cloud.world import Json, address_of, everything
from tests.workflows.conftest import Build
from tests.workflows.house import WHO, House

pytestmark = pytest.mark.azurite

CALLERS = 6
ROUNDS = 4
VERBS = pytest.mark.parametrize("verb", ["assess", "install"])


def ask(house: House, verb: str, machine: Json, request: str) -> Operation:
    return house.assess(machine, request) if verb == "assess" else house.install(machine, request)


def at_once(calls: Sequence[Callable[[], Operation]]) -> list[Operation | RequestError]:
    """All calls from threads that start together; what each returned, or was refused with."""
    barrier = Barrier(len(calls))

    def call(one: Callable[[], Operation]) -> Operation | RequestError:
        barrier.wait(10)
        try:
            return one()
        except RequestError as refusal:
            return refusal

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(call, calls))


def effects(house: House, machine: Json) -> int:
    return [post["effect"] for post in house.posts(machine["id"])].count(True)


def delivered(house: House, message: Message, asked: Operation) -> Operation:
    house.deliver(message)
    return asked


@VERBS
@pytest.mark.parametrize("vm", [True, False])
def test_every_message_twice_is_one_start(house: House, verb: str, vm: bool) -> None:
    machine = house.know(house.one(vm=vm))
    house.copies = 2
    asked = ask(house, verb, machine, "r-1")
    house.run()
    assert house.attempt(machine, asked.attempt).outcome is Outcome.SUCCEEDED
    assert len(house.posts(machine["id"])) == 1


@VERBS
def test_every_old_message_again_starts_nothing(house: House, verb: str) -> None:
    """What was delivered comes back hours later, in order and in reverse."""
    machine = house.know(house.one(vm=True))
    asked = ask(house, verb, machine, "r-1")
    house.run()
    before = house.attempt(machine, asked.attempt)
    old = list(house.handled)
    house.clock.advance(3 * 3600)
    for letter in [*old, *reversed(old)]:
        house.deliver(letter.message)
    house.run()
    assert len(house.posts(machine["id"])) == 1
    assert house.attempt(machine, asked.attempt) == before
    assert house.in_flight(machine) is None


def test_every_old_message_of_a_planned_round_again_starts_nothing(house: House) -> None:
    house.inventory()
    house.handled.clear()
    house.plan()
    house.copies = 2
    house.run()
    posts = len([each for each in house.journal("request") if each["method"] == "POST" and "Patches" in each["url"]])
    for letter in list(house.handled):
        house.deliver(letter.message)
    house.run()
    again = len([each for each in house.journal("request") if each["method"] == "POST" and "Patches" in each["url"]])
    assert again == posts
    by_attempt = [each["clientRequestId"] for each in house.journal("request") if each["effect"]]
    assert len(by_attempt) == len(set(by_attempt))


@VERBS
def test_an_unanswered_start_is_not_repeated_by_any_message(house: House, verb: str) -> None:
    machine = house.know(house.one(vm=True))
    house.fault(503, f"/{verb}Patches", effect=False)
    house.copies = 3
    ask(house, verb, machine, "r-1")
    house.run()
    for letter in list(house.handled):
        house.deliver(letter.message)
    house.run()
    assert [post["status"] for post in house.posts(machine["id"])] == [503]


@VERBS
def test_the_same_request_twice_is_one_attempt(house: House, verb: str) -> None:
    machine = house.know(house.one(vm=True))
    first, second = ask(house, verb, machine, "same"), ask(house, verb, machine, "same")
    assert first == second
    house.run()
    third = ask(house, verb, machine, "same")
    assert (third.attempt, third.state) == (first.attempt, State.ENDED)
    house.run()
    assert len(house.posts(machine["id"])) == 1


@VERBS
def test_the_same_request_a_day_later_is_another(house: House, verb: str) -> None:
    machine = house.know(house.one(vm=True))
    first = ask(house, verb, machine, "same")
    house.run()
    house.clock.now = first.claimed + SAME_REQUEST - timedelta(seconds=1)
    assert ask(house, verb, machine, "same").attempt == first.attempt
    house.clock.advance(1)
    second = ask(house, verb, machine, "same")
    assert second.attempt != first.attempt
    house.run()
    assert effects(house, machine) == 2


def test_one_request_id_on_two_machines_or_two_verbs_is_two_requests(house: House) -> None:
    one, other = house.one(os="Windows", vm=True), house.one(os="Linux", vm=True)
    house.know(one, other)
    attempts = [house.assess(one, "same").attempt, house.assess(other, "same").attempt]
    house.run()
    attempts.append(house.install(one, "same").attempt)
    assert len(set(attempts)) == 3


@VERBS
def test_another_request_meanwhile_is_a_conflict(house: House, verb: str) -> None:
    machine = house.know(house.one(vm=True))
    ask(house, verb, machine, "one")
    for other in ("assess", "install"):
        with pytest.raises(RequestError) as refusal:
            ask(house, other, machine, "another")
        assert (refusal.value.status, refusal.value.code) == (409, "Conflict")
        assert "OperationInFlight" in refusal.value.message
    house.run()
    assert len(house.posts(machine["id"])) == 1
    assert ask(house, verb, machine, "another").state is State.CLAIMED


@VERBS
def test_different_requests_at_once_one_is_taken(build: Build, verb: str) -> None:
    house = build(machines=30)
    machines = [each for each in house.fleet if each["script"] == "healthy"][:ROUNDS]
    house.know(*machines)
    for machine in machines:
        calls = [partial(ask, house, verb, machine, f"r-{number}") for number in range(CALLERS)]
        answers = at_once(calls)
        taken = [answer for answer in answers if isinstance(answer, Operation)]
        refused = [answer.status for answer in answers if isinstance(answer, RequestError)]
        assert (len(taken), refused) == (1, [409] * (CALLERS - 1))
    house.live(30)
    assert [effects(house, machine) for machine in machines] == [1] * ROUNDS
    assert [house.in_flight(machine) for machine in machines] == [None] * ROUNDS
    assert house.store.agenda.oldest() is None


@VERBS
def test_one_request_many_times_at_once_is_one_attempt_and_one_answer(build: Build, verb: str) -> None:
    house = build(machines=30)
    machines = [each for each in house.fleet if each["script"] == "healthy"][:ROUNDS]
    house.know(*machines)
    for machine in machines:
        answers = at_once([partial(ask, house, verb, machine, "same")] * CALLERS)
        refused = [answer for answer in answers if isinstance(answer, RequestError)]
        assert refused == []
        assert len({answer.attempt for answer in answers if isinstance(answer, Operation)}) == 1
    house.live(30)
    assert [effects(house, machine) for machine in machines] == [1] * ROUNDS
    assert house.store.agenda.oldest() is None


def test_assess_and_install_at_once_one_is_taken(build: Build) -> None:
    house = build(machines=30)
    machines = [each for each in house.fleet if each["script"] == "healthy"][:ROUNDS]
    house.know(*machines)
    for machine in machines:
        answers = at_once([partial(house.assess, machine, "a"), partial(house.install, machine, "i")] * 2)
        attempts = {answer.attempt for answer in answers if isinstance(answer, Operation)}
        assert len(attempts) == 1
    house.live(30)
    assert [effects(house, machine) for machine in machines] == [1] * ROUNDS


def test_the_same_message_in_many_workers_at_once_is_one_start(build: Build) -> None:
    house = build(machines=30)
    machines = [each for each in house.fleet if each["script"] == "healthy"][:ROUNDS]
    house.know(*machines)
    for machine in machines:
        asked = house.assess(machine)
        (start,) = (letter.message for letter in house.lose() if isinstance(letter.message, StartAssessment))
        at_once([partial(delivered, house, start, asked)] * CALLERS)
    house.live(10)
    assert [effects(house, machine) for machine in machines] == [1] * ROUNDS


@VERBS
def test_an_id_used_every_day_is_one_attempt_a_day(house: House, verb: str) -> None:
    """A script with a constant id: its retries of one day are one attempt, also after it has ended."""
    machine = house.know(house.one(vm=True))
    first = ask(house, verb, machine, "constant")
    house.run()
    house.clock.now = first.claimed + SAME_REQUEST + timedelta(hours=1)
    second = ask(house, verb, machine, "constant")
    assert ask(house, verb, machine, "constant") == second, "while it is under way"
    house.run()
    house.clock.advance(3600)
    third = ask(house, verb, machine, "constant")
    assert (third.attempt, third.state) == (second.attempt, State.ENDED)
    assert effects(house, machine) == 2


@VERBS
def test_an_id_that_was_turned_away_is_taken_on_another_day(house: House, verb: str) -> None:
    machine = house.know(house.one(vm=True))
    ask(house, "assess", machine, "one")
    with pytest.raises(RequestError):
        ask(house, verb, machine, "constant")
    house.run()
    house.clock.advance(SAME_REQUEST.total_seconds() + 1)
    assert ask(house, verb, machine, "constant").state is State.CLAIMED


def test_a_request_that_was_answered_409_installs_nothing_later(house: House) -> None:
    """It died once between its run and its claim; meanwhile another took the machine."""
    machine = house.know(house.one(vm=True))
    body = msgspec.json.encode(everything(machine))
    request = read_installation(body, OperatingSystem(machine["os"]), is_vm=True)
    run_id = attempt_id(address_of(machine), "installPatches", "died")
    run = install_now(run_id, request, OperatingSystem(machine["os"]), WHO, house.now)
    house.store.agenda.add(Item(kind=ItemKind.RUN, id=run_id, since=house.now, closes_by=run.end), house.now)
    assert house.store.runs.create(run, [RunMachine(machine=machine["id"])])
    house.assess(machine)
    with pytest.raises(RequestError) as refusal:
        house.install(machine, "died")
    assert refusal.value.status == 409
    house.live(60)
    assert house.posts(machine["id"], "installPatches") == []
    loaded = house.store.runs.load(run_id)
    assert loaded is not None
    assert loaded.run.closed is not None
