"""Sweeping with Resource Graph: what it says is taken, what it leaves out is checked, and no throttle is waited for."""

from datetime import timedelta

import pytest

from shared.cloud import machines as listing
from shared.domain.fleet import Subscription
from shared.domain.inventory import DOUBTS_LIFE, LISTING_AGE, PATIENCE
from shared.domain.machine import Machine
from shared.domain.messages import ListSubscription, SweepMachines
from shared.workflows.inventory import plan_inventory
from tests.cloud.world import Json
from tests.workflows.conftest import Build
from tests.workflows.house import House

HOUR = timedelta(hours=1)


@pytest.fixture
def house(build: Build) -> House:
    """Fourteen machines, known to the app; an hour later."""
    made = build()
    made.inventory()
    made.clock.now += HOUR
    made.sandbox.seen.clear()
    return made


def known(house: House) -> dict[str, Machine]:
    """Every machine on record that is not gone."""
    found = [record for scope in house.store.fleet.scopes() for record in house.store.machines.in_scope(scope)]
    return {record.machine.id: record.machine for record in found if record.deleted is None}


def truth(house: House) -> dict[str, Machine]:
    """Every machine as the direct listings have it."""
    subscriptions = listing.subscriptions(house.azure)
    return {machine.id: machine for each in subscriptions for machine in listing.machines(house.azure, each)}


def calls(house: House) -> tuple[int, int]:
    """Queries of Resource Graph and direct reads of machines since the last look."""
    urls = [request.url.lower() for request in house.sandbox.seen]
    house.sandbox.seen.clear()
    queries = sum("resourcegraph" in url for url in urls)
    return queries, sum("/providers/microsoft.compute" in url or "hybridcompute" in url for url in urls)


def row(house: House, machine: Json) -> Subscription:
    found = house.store.fleet.subscription(machine["subscription"])
    assert found is not None
    return found


def test_resource_graph_describes_machines_as_the_listings_do(build: Build) -> None:
    """Every kind of machine; here the app never listed any."""
    house = build(machines=60)
    everything = truth(house)
    for subscription in listing.subscriptions(house.azure):
        house.store.fleet.save_subscription(Subscription(id=subscription, at=house.now, listed=house.now))
    house.sandbox.seen.clear()
    house.sandbox.most_rows = 7
    house.inventory()
    assert calls(house) == (9, 0)
    assert known(house) == everything
    assert {each.machines for each in house.store.fleet.subscriptions()} != {0}


def test_a_known_fleet_costs_one_query(house: House) -> None:
    before = known(house)
    house.inventory()
    assert calls(house) == (1, 0)
    assert known(house) == before
    assert {each.at for each in house.store.fleet.subscriptions()} == {house.now}


def test_what_changed_is_refreshed(house: House) -> None:
    machine = house.one(vm=True)
    right = house.record(machine).machine
    house.know(machine, connection="deallocated")
    house.inventory()
    assert house.record(machine).machine == right
    assert calls(house)[0] == 1


def test_a_machine_that_it_leaves_out_is_checked_once_and_stays(house: House) -> None:
    machine = house.one(vm=True)
    house.sandbox.hidden = (machine["id"],)
    before = known(house)
    for hour in range(5):
        house.inventory()
        queries, reads = calls(house)
        assert queries == 1
        assert (reads > 0) == (hour == 0), "the same doubts are not checked every hour"
        house.clock.now += HOUR
    assert known(house) == before
    house.clock.now += DOUBTS_LIFE
    house.inventory()
    assert calls(house)[1] > 0


def test_a_machine_that_it_still_names_after_its_end_is_not_brought_back(house: House) -> None:
    """The listing knew first; what Resource Graph names is checked again and stays gone."""
    machine = house.one(vm=True)
    gone = house.record(machine)
    house.change("delete", machine)
    house.clock.now += LISTING_AGE
    house.inventory()
    assert house.record(machine).deleted == house.now
    house.change("clone", house.one(vm=True), name="other")
    house.store.machines.save(gone.machine.address.scope, [gone.machine])
    assert machine["id"] not in known(house)


def test_every_subscription_is_listed_once_a_week(house: House) -> None:
    house.clock.now += LISTING_AGE
    house.inventory()
    queries, reads = calls(house)
    assert queries == 0
    assert reads >= 3 * 3


def test_a_throttled_listing_is_tried_again_with_its_reason_meanwhile(build: Build) -> None:
    house = build()
    machine = house.fleet[0]
    place = f"/subscriptions/{machine['subscription']}/providers/Microsoft.Compute"
    house.fault(429, place, "GET", times=2, headers={"Retry-After": "120"})
    before = house.clock.now
    house.inventory()
    assert house.clock.now == before + timedelta(seconds=240), "twice by message, and no function was held"
    assert row(house, machine).reason is None
    assert set(known(house)) == {each["id"] for each in house.fleet}


def test_a_listing_that_stays_throttled_keeps_its_reason(build: Build) -> None:
    house = build()
    machine = house.fleet[0]
    place = f"/subscriptions/{machine['subscription']}/providers/Microsoft.Compute"
    house.fault(429, place, "GET", times=99, headers={"Retry-After": "600"})
    house.inventory()
    why = row(house, machine).reason
    assert why is not None
    assert why.code == "InventoryThrottled"
    assert house.waiting() == []
    others = {each["id"] for each in house.fleet if each["subscription"] != machine["subscription"]}
    assert set(known(house)) == others
    house.ask("/sandbox/faults", "DELETE")
    house.clock.now += HOUR
    house.inventory()
    assert set(known(house)) == {each["id"] for each in house.fleet}


@pytest.mark.parametrize("status", [429, 503])
def test_a_query_that_fails_is_asked_again_by_message(house: House, status: int) -> None:
    house.fault(status, "resourcegraph", times=2, headers={"Retry-After": "30"})
    machine = house.one(vm=True)
    right = house.record(machine).machine
    house.know(machine, connection="deallocated")
    before = house.clock.now
    house.inventory()
    assert house.clock.now == before + timedelta(seconds=60)
    assert house.record(machine).machine == right
    assert {each.reason for each in house.store.fleet.subscriptions()} == {None}


@pytest.mark.parametrize(("status", "within"), [(429, PATIENCE), (400, timedelta())])
def test_what_resource_graph_does_not_answer_is_listed(house: House, status: int, within: timedelta) -> None:
    house.fault(status, "resourcegraph", times=9999, headers={"Retry-After": "120"})
    machine = house.one(vm=True)
    right = house.record(machine).machine
    house.know(machine, connection="deallocated")
    before = house.clock.now
    house.inventory()
    assert house.record(machine).machine == right
    assert house.clock.now <= before + within


def test_a_subscription_that_is_no_longer_chosen_says_so(house: House) -> None:
    chosen = house.fleet[0]["subscription"]
    before = known(house)
    plan_inventory(house.azure, house.store, (chosen,))
    house.run()
    told = {each.id: each.reason.code if each.reason else "" for each in house.store.fleet.subscriptions()}
    assert told.pop(chosen) == ""
    assert set(told.values()) == {"SubscriptionUnseen"}
    assert known(house) == before


def test_batches_leave_room_in_the_quota(house: House) -> None:
    for subscription in house.store.fleet.subscriptions():
        house.store.fleet.save_subscription(
            Subscription(id=subscription.id, at=house.now, machines=4000, listed=house.now)
        )
    plan_inventory(house.azure, house.store, ())
    letters = house.waiting()
    assert [type(each.message) for each in letters] == [SweepMachines] * 3
    assert [(each.due - house.clock.now).total_seconds() for each in letters] == [0, 5, 10]


def test_a_repeated_sweep_or_listing_changes_nothing(house: House) -> None:
    before = known(house)
    house.change("rename", house.one(vm=True), name="another-name")
    house.inventory_now(times=2)
    assert len(known(house)) == len(before)
    assert "another-name" in {machine.name for machine in known(house).values()}


def test_a_listing_does_not_take_a_newcomer_for_gone(house: House) -> None:
    """It is made after the listing was read, and a sweep takes it up before the listing is settled."""
    machine, made = house.one(vm=True), []
    subscription = machine["subscription"]

    def meanwhile() -> None:
        made.append(house.change("recreate", house.change("clone", machine, name="brand-new")))
        house.clock.now += timedelta(minutes=5)
        house.deliver(SweepMachines(subscriptions=(subscription,), asked=house.now))
        assert house.record(made[0]).deleted is None

    house.sandbox.afterwards[f"{subscription}/providers/microsoft.hybridcompute/machines"] = meanwhile
    house.deliver(ListSubscription(subscription=subscription, asked=house.now))
    assert house.record(made[0]).deleted is None
