"""The inventory: who is there, who is gone, and one subscription's trouble that stays its own."""

import pytest

from infra.local.sandbox.guests import GuestScript, ScriptedGuest
from shared.cloud.errors import CloudError
from shared.domain.errors import RequestError
from shared.domain.index import Filter
from shared.domain.messages import ListSubscription
from shared.domain.resource_id import parse_machine_id
from shared.workflows.fleet import list_machines, read_summary
from shared.workflows.health import read_health
from shared.workflows.inventory import ASK_AGAIN, plan_inventory, request_inventory
from shared.workflows.listing import take_inventory
from shared.workflows.machines import read_machine
from tests.workflows.conftest import Build
from tests.workflows.house import House


@pytest.fixture
def house(build: Build) -> House:
    """Fourteen machines, known to the app."""
    made = build()
    made.inventory()
    return made


def shown(house: House) -> set[str]:
    """Machines as `/fleet/machines` lists them."""
    return {record.machine.id for record in list_machines(house.store, Filter(), 1000, None, house.now).records}


def test_every_machine_becomes_known(house: House) -> None:
    assert shown(house) == {machine["id"] for machine in house.fleet}
    summary = read_summary(house.store, house.now)
    assert summary is not None
    assert summary.machines == len(house.fleet)
    taken = house.store.fleet.subscriptions()
    assert sum(each.machines for each in taken) == len(house.fleet)
    assert {each.reason for each in taken} == {None}


def test_only_chosen_subscriptions_are_read(build: Build) -> None:
    house = build()
    chosen = house.fleet[0]["subscription"]
    assert plan_inventory(house.azure, house.store, (chosen,)) == [chosen]
    house.run()
    assert shown(house) == {machine["id"] for machine in house.fleet if machine["subscription"] == chosen}


@pytest.mark.parametrize("path", ["Microsoft.Compute/virtualMachines", "Microsoft.HybridCompute/machines"])
def test_a_forbidden_subscription_keeps_its_trouble_to_itself(build: Build, path: str) -> None:
    house = build()
    broken = house.fleet[0]["subscription"]
    house.fault(403, f"/subscriptions/{broken}/providers/{path}", "GET", times=9)
    house.inventory()
    assert shown(house) == {machine["id"] for machine in house.fleet if machine["subscription"] != broken}
    health = read_health(house.store, house.now)
    (problem,) = house.problems()
    assert broken in problem
    assert "403" in problem
    (told,) = [each for each in health.subscriptions if each.reason]
    assert told.id == broken
    assert told.reason is not None
    assert told.reason.code == "InventoryFailed"


def test_a_subscription_that_fails_later_shows_its_machines_as_last_seen(house: House) -> None:
    everyone, broken = shown(house), house.fleet[0]["subscription"]
    house.fault(403, f"/subscriptions/{broken}/", "GET", times=9)
    house.sandbox.hidden = (f"/subscriptions/{broken}/",)
    house.inventory()
    assert shown(house) == everyone
    assert len(house.problems()) == 1
    house.ask("/sandbox/faults", "DELETE")
    house.sandbox.hidden = ()
    house.inventory()
    assert house.problems() == []


@pytest.mark.azurite
def test_a_deleted_machine_is_gone_and_keeps_its_history(build: Build) -> None:
    house = build()
    house.open_cloud(14, ScriptedGuest((), GuestScript(source="APT")))
    house.inventory()
    (leaving,) = [machine for machine in house.fleet if machine["id"].endswith("debian-real-01")]
    house.assess(leaving)
    house.run()
    assert house.record(leaving).assessment is not None

    house.open_cloud(13)
    house.inventory()
    assert leaving["id"] not in shown(house)
    assert len(shown(house)) == 13
    record = house.record(leaving)
    assert record.deleted == house.now
    assert record.assessment is not None
    for ask in (house.assess, house.install):
        with pytest.raises(RequestError) as refusal:
            ask(leaving, "r-2")
        assert (refusal.value.status, refusal.value.code) == (404, "ResourceNotFound")
    house.plan()
    house.run()
    assert house.posts(leaving["id"]) == []

    house.open_cloud(14, ScriptedGuest((), GuestScript(source="APT")))
    house.inventory()
    assert leaving["id"] in shown(house)
    assert house.record(leaving).deleted is None


def test_a_list_that_breaks_off_deletes_nobody(house: House) -> None:
    """The second page of a listing fails: what was not listed is not gone."""
    everyone, broken = shown(house), house.fleet[0]["subscription"]
    house.sandbox.hidden = (f"/subscriptions/{broken}/",)
    house.fault(403, f"/subscriptions/{broken}/providers/Microsoft.HybridCompute", "GET", times=9)
    house.inventory()
    assert any(each.reason for each in house.store.fleet.subscriptions())
    assert shown(house) == everyone


def test_subscriptions_that_cannot_be_listed_are_said_so(build: Build) -> None:
    house = build()
    house.fault(403, "/subscriptions", "GET")
    with pytest.raises(CloudError, match="403"):
        plan_inventory(house.azure, house.store, ())


def test_a_caller_is_told_when_to_ask_again(build: Build) -> None:
    house = build()
    for headers, wait in (({}, ASK_AGAIN), ({"Retry-After": "7"}, 7)):
        house.fault(403, "/subscriptions", "GET", headers=headers)
        with pytest.raises(RequestError) as refusal:
            request_inventory(house.azure, house.store, ())
        told = refusal.value
        assert (told.status, told.code, told.retry_after) == (503, "AuthorizationFailed", wait)


def test_an_unknown_subscription_of_the_settings_is_a_problem_in_words(build: Build) -> None:
    house = build()
    stranger = "00000000-0000-0000-0000-00000000abcd"
    take_inventory(house.azure, house.store, ListSubscription(subscription=stranger))
    (problem,) = house.problems()
    assert stranger in problem
    assert "SubscriptionNotFound" in problem


def test_a_machine_nobody_has_seen_is_not_found(house: House) -> None:
    stranger = parse_machine_id(house.fleet[0]["id"] + "-no")
    with pytest.raises(RequestError) as refusal:
        read_machine(house.store, stranger)
    assert refusal.value.status == 404
