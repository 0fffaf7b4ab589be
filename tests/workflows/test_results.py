"""Results swept from Resource Graph: nobody is asked, nothing is lost, and what stops is noticed and driven."""

from datetime import timedelta

import msgspec
import pytest

from shared.domain.assessment import PLATFORM_TOLERANCE
from shared.domain.fleet import status_of
from shared.domain.machine import Assessment, Outcome
from shared.domain.messages import FollowOperation, SweepResults
from shared.domain.operation import State
from shared.domain.results import OVERLAP, QUOTA_WAIT, SWEEP_LIFE
from tests.cloud.world import Json, address_of
from tests.workflows.conftest import Build
from tests.workflows.house import OLDEST, House

GRAPH = "/Microsoft.ResourceGraph/"
# One sandbox day lasts so long at speed 1: by the tests' own clock, as Azure's.
SPEED = 1.0
MINUTE = 60.0


@pytest.fixture
def house(build: Build) -> House:
    """Twenty machines, all known; Azure assesses most of them by itself."""
    made = build(machines=20, speed=SPEED, platform=True)
    made.inventory()
    return made


def look(house: House, machine: Json) -> Assessment:
    found = house.record(machine).assessment
    assert found is not None, machine["id"]
    return found


def modes(house: House) -> set[str]:
    """Machines that Azure assesses by itself and can reach, as the inventory saw them."""
    scopes = house.store.fleet.scopes()
    records = [record for scope in scopes for record in house.store.machines.in_scope(scope)]
    return {
        record.machine.id.lower()
        for record in records
        if record.machine.settings.assessment_mode == "AutomaticByPlatform"
        and record.machine.connection in ("running", "Connected")
        and record.machine.kind != "AzureLocalNode"
    }


def platform(house: House, script: str = "healthy") -> Json:
    """A machine that Azure assesses by itself."""
    known = modes(house)
    return next(each for each in house.fleet if each["id"].lower() in known and each["script"] == script)


def posts(house: House) -> list[Json]:
    sent = [entry for entry in house.journal("request") if entry["method"] == "POST"]
    return [entry for entry in sent if "assessPatches" in entry["url"]]


def sweep(house: House) -> None:
    house.sweep()
    house.run(1)


@pytest.mark.azurite
def test_a_fleet_that_azure_assesses_is_known_without_one_call(house: House) -> None:
    sweep(house)
    for machine in house.fleet:
        if machine["id"].lower() not in modes(house) or machine["script"] == "platformSilent":
            continue
        expected, seen = machine["expected"]["assessment"], look(house, machine)
        assert (seen.outcome, seen.reason.code if seen.reason else "") == (expected["outcome"], expected["reason"])
        assert seen.started_by == "Platform"
        if expected["outcome"] == "Succeeded":
            assert house.pending(machine) == set(machine["pending"]), machine
            assert seen.pending == len(machine["pending"])
    assert posts(house) == []
    assert house.plan() < len(house.fleet) - len(modes(house)) + 2
    house.run(60)
    asked = {entry["machine"].lower() for entry in posts(house)}
    silent = {each["id"].lower() for each in house.fleet if each["script"] == "platformSilent"}
    assert asked & modes(house) == silent


def test_results_renew_day_by_day_and_no_call_is_spent(house: House) -> None:
    machine = platform(house)
    seen = set()
    for _ in range(3):
        sweep(house)
        house.plan()
        house.lose()
        seen.add(look(house, machine).id)
        house.clock.advance(OLDEST.total_seconds())
    assert len(seen) == 3
    assert house.posts(machine["id"]) == []


def test_results_that_stop_are_noticed_and_driven(house: House) -> None:
    machine = house.one("platformSilent")
    house.lose()
    sweep(house)
    old = look(house, machine)
    assert old.started_by == "Platform"
    assert house.plan() > 0
    _, why = status_of(house.record(machine))
    assert why is not None
    assert why.code == "PlatformSilent"
    house.run(60)
    assert len(house.posts(machine["id"])) == 1
    ours = look(house, machine)
    assert ours.ended > old.ended
    assert ours.started_by == "User"
    _, why = status_of(house.record(machine))
    assert why is not None
    assert why.code == "PlatformSilent", "said for as long as Azure is silent"


def test_a_machine_without_any_result_waits_and_is_driven(build: Build) -> None:
    house = build(machines=30, speed=SPEED, platform=True)
    machine = house.know(house.one("healthy"))
    record = house.record(machine)
    mode = {"settings": {"assessment_mode": "AutomaticByPlatform"}}
    told = msgspec.convert({**msgspec.to_builtins(record.machine), **mode}, type(record.machine))
    house.store.machines.save(told.address.scope, [told])
    assert house.plan() == 0
    _, why = status_of(house.record(machine))
    assert why is not None
    assert why.code == "LeftToPlatform"
    house.clock.advance(PLATFORM_TOLERANCE.total_seconds() - 1)
    assert house.plan() == 0
    house.clock.advance(1)
    assert house.plan() == 1


def test_an_older_or_equal_result_is_nothing(house: House) -> None:
    """Messages come twice and out of order: the newest result stands."""
    machine = platform(house)
    sweep(house)
    first = look(house, machine)
    messages = [letter.message for letter in house.handled if isinstance(letter.message, SweepResults)]
    newer = Assessment(
        id="newer", outcome=Outcome.SUCCEEDED, started=first.started, ended=first.ended + timedelta(seconds=1)
    )
    house.store.machines.set_assessment(address_of(machine), newer)
    house.store.updates.replace(address_of(machine), ())
    for message in messages * 2:
        house.deliver(message)
    assert look(house, machine) == newer
    assert house.pending(machine) == set()


def test_the_quota_puts_a_sweep_off_and_loses_nothing(house: House) -> None:
    house.fault(429, GRAPH, headers={"Retry-After": "3"}, times=3)
    house.sweep()
    house.step()
    (letter,) = [each for each in house.waiting() if each.queue == "results"]
    assert letter.due >= house.clock.now + timedelta(seconds=QUOTA_WAIT)
    house.run(1)
    assert look(house, platform(house)).started_by == "Platform"
    assert house.sweep() > 0, "its end is known"


def test_a_quota_that_ends_between_pages_loses_nothing(house: House) -> None:
    """Every page is a query; the list of a portion breaks off and is read again."""
    house.sandbox.most_rows = 3
    sweep(house)
    house.run(5)
    for machine in house.fleet:
        if machine["id"].lower() in modes(house) and machine["script"] == "healthy":
            assert house.pending(machine) == set(machine["pending"]), machine
    statuses = {entry["status"] for entry in house.journal("request") if GRAPH in entry["url"]}
    assert statuses == {200, 429}


@pytest.mark.parametrize("status", [403, 503])
def test_a_graph_that_fails_is_asked_again(house: House, status: int) -> None:
    house.fault(status, GRAPH, times=9)
    house.sweep()
    house.run(4)
    assert house.record(platform(house)).assessment is None
    house.ask("/sandbox/faults", "DELETE")
    house.run(10)
    assert look(house, platform(house)).started_by == "Platform"


def test_a_sweep_whose_message_is_lost_is_asked_for_again(house: House) -> None:
    assert house.sweep() == 1
    house.lose()
    assert house.sweep() == 0
    house.clock.advance(SWEEP_LIFE.total_seconds())
    assert house.sweep() == 1
    house.run(1)
    assert look(house, platform(house)).started_by == "Platform"


def test_the_next_sweep_asks_only_for_what_changed(house: House) -> None:
    sweep(house)
    house.clock.advance(5 * MINUTE)
    house.sweep()
    (letter,) = [each for each in house.waiting() if each.queue == "results"]
    assert isinstance(letter.message, SweepResults)
    assert letter.message.since == house.clock.now - timedelta(minutes=5) - OVERLAP
    before = len(house.sandbox.seen)
    house.run(1)
    assert len(house.sandbox.seen) - before == 1, "one query, nothing new"


def test_an_operation_of_ours_is_not_concluded_by_a_sweep(house: House) -> None:
    """Its result stands in Resource Graph; ARM itself is asked, now and not when the next look was due."""
    machine = house.one(vm=True, os="Linux")
    sweep(house)
    asked = house.assess(machine)
    house.run(1, until=lambda: (held := house.in_flight(machine)) is not None and held.state is State.ACCEPTED)
    house.lose()
    house.clock.advance(20 * MINUTE)
    house.sweep()
    house.step()
    held = house.in_flight(machine)
    assert held is not None, "the sweep concludes nothing"
    assert held.attempt == asked.attempt
    (hint,) = [each for each in house.waiting() if each.queue == "operations"]
    assert hint.message == FollowOperation(machine=held.machine, attempt=held.attempt, look=held.looks)
    before = len(house.sandbox.seen)
    house.run(1)
    done = house.attempt(machine, asked.attempt)
    assert (done.state, done.outcome) == (State.ENDED, Outcome.SUCCEEDED)
    assert any("/operations/" in request.url for request in house.sandbox.seen[before:])
    assert len(house.posts(machine["id"])) == 1


def test_an_unknown_or_deleted_machine_stays_so(house: House) -> None:
    machine = platform(house)
    record = house.record(machine)
    house.store.machines.settle(record.machine.address.scope, [msgspec.structs.replace(record, deleted=house.now)])
    sweep(house)
    assert house.record(machine).assessment is None
