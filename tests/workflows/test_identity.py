"""Machines that are deleted, moved, renamed, re-created and cloned while the app runs, and what ran on them then."""

from datetime import timedelta

import pytest

from shared.domain.errors import RequestError
from shared.domain.identity import flags
from shared.domain.index import Filter
from shared.domain.machine import Outcome, Record
from shared.domain.messages import ListSubscription
from shared.domain.operation import State
from shared.workflows.fleet import list_machines
from shared.workflows.machines import read_installations, read_latest_assessment
from tests.cloud.world import Json, address_of
from tests.workflows.conftest import Build
from tests.workflows.house import House


@pytest.fixture
def house(build: Build) -> House:
    """Fourteen machines, known to the app."""
    made = build()
    made.inventory()
    return made


def told(house: House, machine: Json) -> dict[str, str]:
    """The flags of a machine with what they name."""
    return {each.code: each.detail for each in flags(house.record(machine))}


def stranger(house: House, machine: Json) -> str:
    """A resource group of another subscription."""
    other = next(each for each in house.fleet if each["subscription"] != machine["subscription"])
    return str(other["id"]).partition("/providers/")[0]


def neighbour(house: House, machine: Json) -> str:
    """Another resource group of the same subscription."""
    own = str(machine["id"]).partition("/providers/")[0]
    groups = [str(each["id"]).partition("/providers/")[0] for each in house.fleet]
    return next(each for each in groups if each.split("/")[2] == machine["subscription"] and each != own)


def assessed(house: House, machine: Json) -> Record:
    house.assess(machine)
    house.run()
    record = house.record(machine)
    assert record.assessment is not None
    return record


@pytest.mark.parametrize("vm", [True, False])
def test_a_deleted_machine_is_kept_with_its_history(house: House, vm: bool) -> None:
    machine = house.one(vm=vm)
    before = assessed(house, machine)
    house.change("delete", machine)
    house.inventory()
    assert told(house, machine) == {"Deleted": ""}
    assert house.record(machine).assessment == before.assessment
    assert house.record(machine).deleted == house.now


@pytest.mark.parametrize("vm", [True, False])
@pytest.mark.parametrize("place", ["neighbour", "stranger", "name"])
def test_a_moved_or_renamed_machine_says_where_from_and_where_to(house: House, vm: bool, place: str) -> None:
    old = house.one(vm=vm)
    before = assessed(house, old)
    if place == "name":
        new = house.change("rename", old, name="another-name")
    else:
        new = house.change("move", old, group=(neighbour if place == "neighbour" else stranger)(house, old))
    house.inventory()
    assert told(house, old) == {"Moved": new["id"]}
    assert told(house, new) == {"MovedHere": old["id"]}
    assert house.record(old).deleted is not None
    assert house.record(old).assessment == before.assessment
    house.plan()
    house.run()
    assert house.record(new).assessment is not None, "it is watched at its new place"
    assert house.posts(old["id"]) == house.posts(old["id"])[:1]


def test_a_move_is_seen_whichever_subscription_is_listed_first(house: House) -> None:
    for machine in (
        house.fleet[0],
        next(e for e in house.fleet if e["subscription"] != house.fleet[0]["subscription"]),
    ):
        old, new = machine, house.change("move", machine, group=stranger(house, machine))
        house.inventory()
        assert (told(house, old), told(house, new)) == ({"Moved": new["id"]}, {"MovedHere": old["id"]})


@pytest.mark.parametrize("vm", [True, False])
def test_a_re_created_machine_shows_nothing_of_the_one_before(house: House, vm: bool) -> None:
    machine = house.one(vm=vm)
    before = assessed(house, machine)
    house.install(machine)
    house.run()
    house.clock.advance(600)
    house.change("recreate", machine)
    house.inventory()
    after = house.record(machine)
    assert told(house, machine) == {"Recreated": before.machine.vm_id}
    assert after.machine.vm_id != before.machine.vm_id
    assert (after.assessment, after.installation, after.refusal, after.planned) == (None, None, None, None)
    assert house.pending(machine) == set()
    with pytest.raises(RequestError):
        read_latest_assessment(house.store, address_of(machine))
    assert len(read_installations(house.store, address_of(machine))) == 1, "the history is kept"
    house.plan()
    house.run()
    assert house.record(machine).assessment is not None


def test_clones_are_two_machines_until_one_goes(house: House) -> None:
    one = house.one(vm=True)
    two = house.change("clone", one, name="its-clone")
    house.inventory()
    assert (told(house, one), told(house, two)) == ({"Cloned": two["id"]}, {"Cloned": one["id"]})
    first, second = house.assess(one), house.assess(two)
    house.run()
    assert [house.attempt(one, first.attempt).state, house.attempt(two, second.attempt).state] == [State.ENDED] * 2
    house.change("delete", two)
    house.inventory()
    assert told(house, one) == {}
    assert told(house, two) == {"Deleted": "", "Cloned": one["id"]}


# What ran on them.
def started(house: House, machine: Json, *, install: bool = False) -> str:
    operation = house.install(machine) if install else house.assess(machine)
    house.run(until=lambda: (held := house.in_flight(machine)) is not None and held.state is State.ACCEPTED)
    house.clock.advance(0.01)
    return operation.attempt


@pytest.mark.parametrize("install", [True, False])
def test_a_late_result_is_not_written_over_the_new_machine(house: House, install: bool) -> None:
    machine = house.one(vm=True, os="Linux")
    attempt = started(house, machine, install=install)
    house.change("recreate", machine)
    house.inventory()
    house.run()
    ended = house.attempt(machine, attempt)
    assert (ended.state, ended.outcome) == (State.ENDED, Outcome.SUCCEEDED)
    after = house.record(machine)
    assert (after.assessment, after.installation, after.refusal) == (None, None, None)
    assert house.pending(machine) == set()
    assert len(read_installations(house.store, address_of(machine))) == int(install)


@pytest.mark.parametrize("install", [True, False])
@pytest.mark.parametrize(("verb", "code"), [("delete", "Deleted"), ("recreate", "Recreated"), ("move", "Moved")])
def test_an_operation_that_azure_forgets_with_its_machine_ends_with_that(
    house: House, install: bool, verb: str, code: str
) -> None:
    machine = house.one(vm=True, os="Linux")
    attempt = started(house, machine, install=install)
    more = {"group": neighbour(house, machine)} if verb == "move" else {}
    house.change(verb, machine, **more)
    house.inventory_now()
    house.fault(404, "/operations/", "GET", times=9999)
    house.run(420)
    ended = house.attempt(machine, attempt)
    assert (ended.state, ended.outcome) == (State.ENDED, Outcome.UNKNOWN)
    assert ended.reason is not None
    assert ended.reason.code == code
    assert ended.ended is not None
    early = ended.ended < ended.deadline - timedelta(minutes=30)
    assert early is not install, "the guest may go on installing, wherever it is now"
    if verb == "recreate":
        assert house.record(machine).refusal is None


@pytest.mark.parametrize("place", ["neighbour", "stranger"])
def test_a_moved_machine_stays_busy_when_azure_forgets_its_installation(house: House, place: str) -> None:
    """A 404 is no outcome, and a guest goes on patching through a move."""
    old = house.one(vm=True, os="Linux")
    attempt = started(house, old, install=True)
    new = house.change("move", old, group=(neighbour if place == "neighbour" else stranger)(house, old))
    house.inventory_now()
    house.fault(404, "/operations/", "GET", times=99)
    house.run(30)
    assert house.attempt(old, attempt).state is State.ACCEPTED
    with pytest.raises(RequestError, match="OperationInFlight"):
        house.install(new, "r-2")
    assert house.posts(new["id"]) == []


@pytest.mark.parametrize("install", [True, False])
@pytest.mark.parametrize(("verb", "code"), [("delete", "Deleted"), ("recreate", "Recreated")])
def test_nothing_is_started_any_more_on_a_machine_that_is_gone(
    house: House, install: bool, verb: str, code: str
) -> None:
    machine = house.one(vm=True, os="Linux")
    attempt = (house.install(machine) if install else house.assess(machine)).attempt
    claim = house.lose()
    house.clock.advance(1)
    house.change(verb, machine)
    house.inventory_now()
    for letter in claim:
        house.store.queues.send(letter.message)
    house.live(10)
    ended = house.attempt(machine, attempt)
    assert (ended.state, ended.outcome) == (State.ENDED, Outcome.NOT_STARTED)
    assert ended.reason is not None
    assert ended.reason.code == code
    assert house.posts(machine["id"]) == []


def test_a_moved_machine_is_busy_while_its_operation_runs_at_the_old_place(house: House) -> None:
    old = house.one(vm=True, os="Linux")
    attempt = started(house, old, install=True)
    new = house.change("move", old, group=neighbour(house, old))
    house.inventory_now()
    for ask in (house.assess, house.install):
        with pytest.raises(RequestError, match="OperationInFlight"):
            ask(new)
    house.plan()
    house.run()
    assert house.attempt(old, attempt).state is State.ENDED
    house.assess(new, "r-2")
    house.run()
    assert house.record(new).assessment is not None


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_throttle_does_not_make_a_clone_of_a_moved_machine(house: House, status: int) -> None:
    """Its new subscription is listed first, while the look at its old place fails."""
    old = house.one(vm=True, os="Linux")
    attempt = started(house, old, install=True)
    new = house.change("move", old, group=stranger(house, old))
    house.fault(status, str(old["id"]).partition("/providers/")[2], "GET", times=20)
    house.deliver(ListSubscription(subscription=new["subscription"], asked=house.now))
    house.ask("/sandbox/faults", "DELETE")
    (again,) = [each for each in house.lose() if isinstance(each.message, ListSubscription)]
    assert house.problems() != []
    house.deliver(ListSubscription(subscription=old["subscription"], asked=house.now))
    house.deliver(again.message)
    assert (told(house, old), told(house, new)) == ({"Moved": new["id"]}, {"MovedHere": old["id"]})
    assert house.problems() == []
    with pytest.raises(RequestError, match="OperationInFlight"):
        house.install(new, "r-2")
    assert house.attempt(old, attempt).state is State.ACCEPTED
    assert house.posts(new["id"]) == []


def test_a_machine_that_may_not_be_read_any_more_is_as_it_was_last_seen(house: House) -> None:
    old = house.one(vm=True)
    new = house.change("move", old, group=stranger(house, old))
    house.fault(403, str(old["id"]).partition("/providers/")[2], "GET", times=20)
    house.deliver(ListSubscription(subscription=new["subscription"], asked=house.now))
    assert (told(house, old), told(house, new)) == ({"Cloned": new["id"]}, {"Cloned": old["id"]})


def test_a_machine_that_moved_twice_is_busy_while_its_operation_runs_at_the_first_place(house: House) -> None:
    first = house.one(vm=True, os="Linux")
    attempt = started(house, first, install=True)
    second = house.change("move", first, group=neighbour(house, first))
    house.inventory_now()
    house.clock.advance(0.01)
    third = house.change("rename", second, name="another-name")
    house.inventory_now()
    for ask in (house.assess, house.install):
        with pytest.raises(RequestError, match="OperationInFlight"):
            ask(third)
    house.run()
    assert house.attempt(first, attempt).state is State.ENDED
    assert house.assess(third, "r-2").state is State.CLAIMED


def test_another_machine_at_the_old_place_does_not_keep_a_moved_one_busy(house: House) -> None:
    old = house.one(vm=True, os="Linux")
    moved = house.change("rename", old, name="another-name")
    house.inventory_now()
    house.clock.advance(3600)
    other = house.change("recreate", house.change("clone", moved, name=str(old["id"]).rpartition("/")[2]))
    house.inventory_now()
    assert told(house, moved) == {"MovedHere": old["id"]}
    house.lose()
    started(house, other)
    operation = house.assess(moved, "r-2")
    house.run()
    assert house.attempt(moved, operation.attempt).outcome is Outcome.SUCCEEDED


def test_pages_of_the_fleet_show_who_is_who(house: House) -> None:
    old = house.one(vm=True)
    new = house.change("rename", old, name="another-name")
    house.inventory()
    page = list_machines(house.store, Filter(), 1000, None, house.now)
    shown = {record.machine.id: record for record in page.records}
    assert old["id"] not in shown
    assert [each.code for each in flags(shown[new["id"]])] == ["MovedHere"]
