"""The inventory's plan, and what a sweep of Resource Graph may believe."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from shared.domain.fleet import Subscription
from shared.domain.inventory import (
    DOUBTS_LIFE,
    EMPTY_LISTING_AGE,
    ERROR_WAIT,
    LISTING_AGE,
    MOST_MACHINES,
    MOST_SUBSCRIPTIONS,
    MOST_TOUCHED,
    PATIENCE,
    THROTTLED_WAIT,
    Sighting,
    digest,
    is_settled,
    plan_inventory,
    portion,
    retry_in,
    sight,
)
from shared.domain.machine import Machine, Record
from shared.domain.reason import reason
from tests.domain.samples import NOW, VM, machine, minutes


def known(number: int = 1, *, machines: int = 10, listed: datetime | None = NOW, why: str = "") -> Subscription:
    return Subscription(
        id=f"s{number:03}", at=NOW, machines=machines, listed=listed, reason=reason(why) if why else None
    )


def test_a_subscription_is_listed_at_first_sight_once_a_week_and_after_a_failure() -> None:
    later = NOW + LISTING_AGE - minutes(1)
    subscriptions = [
        known(1),
        known(2, listed=None),
        known(3, why="InventoryFailed"),
        known(4, listed=NOW - minutes(2)),
    ]
    plan = plan_inventory(["s001", "S002", "s003", "s004", "s005"], subscriptions, later)
    assert plan.listings == ("s002", "s003", "s004", "s005")
    assert plan.sweeps == (("s001",),)
    assert plan.unseen == ()
    empty = replace(known(1), machines=0)
    assert plan_inventory(["s001"], [empty], NOW + EMPTY_LISTING_AGE - minutes(1)).listings == ()
    assert plan_inventory(["s001"], [empty], NOW + EMPTY_LISTING_AGE).listings == ("s001",)


def test_no_query_names_too_many_subscriptions_or_machines() -> None:
    many = [known(number) for number in range(250)]
    plan = plan_inventory([each.id for each in many], many, NOW)
    assert [len(batch) for batch in plan.sweeps] == [MOST_SUBSCRIPTIONS, MOST_SUBSCRIPTIONS, 50]
    assert [each for batch in plan.sweeps for each in batch] == [each.id for each in many]
    large = [known(1, machines=3000), known(2, machines=3000), known(3, machines=9 * MOST_MACHINES), known(4)]
    assert plan_inventory([each.id for each in large], large, NOW).sweeps == (
        ("s001",),
        ("s002",),
        ("s003",),
        ("s004",),
    )
    assert plan_inventory([], [], NOW).sweeps == ()


def test_a_subscription_that_is_not_read_any_more_says_so_once() -> None:
    (unseen,) = plan_inventory([], [known(1)], NOW + minutes(60)).unseen
    assert unseen == replace(known(1), at=NOW + minutes(60), reason=reason("SubscriptionUnseen"))
    assert plan_inventory([], [unseen], NOW + minutes(120)).unseen == ()
    assert plan_inventory(["s001"], [unseen], NOW).listings == ("s001",), "and is listed when it is back"


def at(number: int = 1, vm_id: str = "", **changes: object) -> Machine:
    return replace(machine(VM.replace("vm1", f"vm{number}")), vm_id=vm_id or f"v{number}", **changes)


def records(*machines: Machine) -> dict[str, Record]:
    return {each.address.key: Record(machine=each) for each in machines}


def named(*machines: Machine) -> dict[str, Machine]:
    return {each.address.key: each for each in machines}


def test_a_sweep_refreshes_what_is_known_and_takes_up_what_is_new() -> None:
    off = at(2, connection="stopped")
    assert sight(records(at(1), at(2)), named(at(1), off, at(3))) == Sighting(changed=(off,), new=(at(3),))


def test_another_case_is_no_change() -> None:
    shouted = at(1, "V1", id=VM.replace("web", "WEB").replace("vm1", "VM1"), name="VM1")
    assert shouted.address.key == at(1).address.key
    assert sight(records(at(1)), named(shouted)) == Sighting()


def test_what_it_leaves_out_brings_back_or_names_otherwise_is_in_doubt() -> None:
    gone = {at(2).address.key: Record(machine=at(2), deleted=NOW)}
    missing = sight(records(at(1)), {})
    back = sight(gone, named(at(2)))
    other = sight(records(at(3)), named(at(3, "else")))
    for seen in (missing, back, other):
        assert (seen.changed, seen.new, len(seen.doubts)) == ((), (), 1)
    assert len({digest(seen.doubts) for seen in (missing, back, other)}) == 3
    assert sight(gone, {}) == Sighting(), "gone and not named"


def test_doubts_that_a_listing_dealt_with_are_believed_for_a_while() -> None:
    mark = digest(["one", "two"])
    assert mark == digest(["two", "one"]) != digest(["one"])
    settled = replace(known(), doubts=mark)
    assert is_settled(settled, mark, NOW + DOUBTS_LIFE - minutes(1))
    assert not is_settled(settled, mark, NOW + DOUBTS_LIFE)
    assert not is_settled(settled, digest(["one"]), NOW)
    assert not is_settled(replace(settled, listed=None), mark, NOW)


@pytest.mark.parametrize(
    ("status", "given", "wait"),
    [
        (429, 17, 17),
        (429, 0, THROTTLED_WAIT.total_seconds()),
        (503, 0, ERROR_WAIT.total_seconds()),
        (0, 0, ERROR_WAIT.total_seconds()),
        (408, 0, ERROR_WAIT.total_seconds()),
        (403, 9, None),
        (404, 0, None),
        (400, 0, None),
    ],
)
def test_what_passes_by_itself_is_asked_again(status: int, given: int, wait: float | None) -> None:
    assert retry_in(status, given, NOW, NOW) == wait


def test_nothing_is_asked_again_for_ever() -> None:
    assert retry_in(429, 60, NOW, NOW + PATIENCE - timedelta(seconds=60)) == 60
    assert retry_in(429, 60, NOW, NOW + PATIENCE - timedelta(seconds=59)) is None


def test_a_large_listing_is_dealt_with_in_portions() -> None:
    many = {f"{number:05}": at(number) for number in range(MOST_TOUCHED + 5)}
    before = {key: Record(machine=many[key]) for key in list(many)[-3:]}
    part = portion(before, many)
    assert len(part) == MOST_TOUCHED + 3
    assert before.keys() <= part.keys()
    assert portion({key: Record(machine=one) for key, one in part.items()}, many) == many
