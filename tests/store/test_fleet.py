"""The fleet's own rows: where machines are, how inventories went, and when timers ran."""

import msgspec
import pytest

from shared.domain.fleet import Subscription
from shared.domain.reason import reason
from shared.domain.resource_id import machine_id
from shared.store.fleet import Fleet
from shared.store.table import Table
from tests.domain.samples import NOW, minutes

S1, S2, S10 = "s1", "s2", "s10"


@pytest.fixture
def fleet(table: Table) -> Fleet:
    return Fleet(table)


def scope(subscription: str, group: str) -> str:
    return machine_id(subscription, group, "Microsoft.Compute", "virtualMachines", "x").scope


def test_scopes_are_found_by_subscription(fleet: Fleet) -> None:
    """No subscription sees those of one whose name begins the same."""
    scopes = [scope(S1, "a"), scope(S1, "B|ä"), scope(S2, "a"), scope(S10, "a")]
    fleet.add_scopes(scopes)
    assert fleet.scopes() == sorted(scopes)
    assert fleet.scopes(S1) == sorted(scopes[:2])
    assert fleet.scopes(S1.upper()) == sorted(scopes[:2])
    assert fleet.scopes(S10) == [scopes[3]]
    assert fleet.scopes("s") == []


def test_adding_a_scope_again_is_nothing_new(fleet: Fleet) -> None:
    for _ in range(2):
        fleet.add_scopes([scope(S1, "a")])
    fleet.add_scopes([])
    assert fleet.scopes() == [scope(S1, "a")]


def test_more_scopes_than_one_transaction_takes(fleet: Fleet) -> None:
    """980 resource groups are the most of one subscription."""
    scopes = [scope(S1, f"group-{number:03}") for number in range(980)]
    fleet.add_scopes(scopes)
    fleet.add_scopes([scope(S2, "more"), *(scope(S2, f"{number}") for number in range(60))])
    assert fleet.scopes(S1) == scopes
    assert len(fleet.scopes()) == 980 + 61


def test_subscriptions(fleet: Fleet) -> None:
    failed = Subscription(id=S1, at=NOW, reason=reason("InventoryFailed", "403 AuthorizationFailed"))
    fleet.save_subscription(failed)
    fleet.save_subscription(Subscription(id=S2, at=NOW, machines=7))
    assert fleet.subscriptions() == [failed, Subscription(id=S2, at=NOW, machines=7)]
    well = Subscription(id=S1, at=NOW + minutes(60), machines=3)
    fleet.save_subscription(well)
    assert fleet.subscriptions()[0] == well


def test_scopes_from_a_key_on(fleet: Fleet) -> None:
    scopes = sorted(scope(each, group) for each in (S1, S2, S10) for group in "abc")
    fleet.add_scopes(scopes)
    for number, each in enumerate(scopes):
        assert list(fleet.scopes_from(each)) == scopes[number:]
        assert list(fleet.scopes_from(f"{each}0")) == scopes[number + 1 :]
    assert list(fleet.scopes_from("")) == scopes


def test_when_timers_ran(fleet: Fleet) -> None:
    assert fleet.timers() == {}
    fleet.timer_ran("agenda_timer", NOW - minutes(1))
    fleet.timer_ran("inventory_timer", NOW - minutes(30))
    fleet.timer_ran("agenda_timer", NOW)
    assert fleet.timers() == {"agenda_timer": NOW, "inventory_timer": NOW - minutes(30)}
    assert fleet.first_timers() == {"agenda_timer": NOW - minutes(1), "inventory_timer": NOW - minutes(30)}
    assert msgspec.json.encode(fleet.timers())  # the storage SDK's own datetime would be refused here


def test_the_kinds_of_rows_do_not_meet(fleet: Fleet) -> None:
    fleet.add_scopes([scope(S1, "a")])
    fleet.save_subscription(Subscription(id="timers", at=NOW))
    fleet.timer_ran("scopes", NOW)
    assert len(fleet.scopes()) == len(fleet.subscriptions()) == len(fleet.timers()) == 1
