"""Two deployments over the same subscriptions, each with storage of its own: only one of them starts anything."""

from datetime import timedelta

import pytest

from shared.domain.errors import RequestError
from shared.domain.machine import Outcome
from shared.domain.messages import AdvanceRun, StartInstallation
from shared.domain.operation import ASSESSMENT_PATIENCE, State
from shared.domain.owner import GOOD_FOR, REFRESH, SETTLE, TAKE_OVER
from shared.workflows.inventory import plan_inventory
from shared.workflows.owner import ask_owner, list_owners, take_owner
from tests.cloud.world import Json
from tests.workflows.house import House
from tests.workflows.owners import TAGS, Build, asked, codes, marker, neighbour, tags
from tests.workflows.windows import code, healthy, loaded, part, save, soon


@pytest.fixture
def bare(build: Build) -> House:
    """Nobody has marked a subscription yet."""
    return build(owner="")


def test_a_first_start_marks_the_subscription_and_waits_until_that_has_settled(bare: House) -> None:
    machine = bare.know(bare.one(vm=True))
    began = bare.now
    operation = bare.assess(machine)
    bare.run(1)
    (post,) = bare.posts(machine["id"])
    assert post["time"] >= (began + SETTLE).isoformat()
    assert marker(bare, machine["subscription"]) == "ours"
    assert bare.attempt(machine, operation.attempt).state is State.ENDED
    assert (asked(bare, "PATCH"), asked(bare, "GET")) == (1, 2)
    assert codes(bare) == {}


def test_what_is_known_costs_nothing_until_it_is_old(house: House) -> None:
    subscription = house.fleet[0]["subscription"]
    for _ in range(10):
        assert ask_owner(house.azure, house.store, subscription) == (None, 0)
    assert asked(house, "GET") == 0
    house.clock.now += REFRESH
    for _ in range(10):
        assert ask_owner(house.azure, house.store, subscription) == (None, 0)
    assert asked(house, "GET") == 1


def test_the_first_inventory_marks_what_has_machines(bare: House) -> None:
    bare.inventory()
    subscriptions = {machine["subscription"] for machine in bare.fleet}
    assert {each: marker(bare, each) for each in subscriptions} == dict.fromkeys(subscriptions, "ours")


def test_the_other_deployment_plans_nothing_and_says_why(house: House, build: Build) -> None:
    other = neighbour(build, house)
    other.inventory()
    assert other.plan() == 0
    other.run(60)
    assert house.journal("request")
    assert [entry for entry in house.journal("request") if "assessPatches" in entry["url"]] == []
    refusals = [other.record(machine).refusal for machine in house.fleet]
    assert {each.reason.code for each in refusals if each} == {"OwnedElsewhere"}
    assert set(codes(other).values()) == {"OwnedElsewhere"}
    (sentence,) = {text.partition(" drives")[0] for text in other.problems() if "drives" in text}
    assert sentence == "The deployment 'ours'"
    machine = house.fleet[0]
    for ask in (other.assess, other.install):
        with pytest.raises(RequestError) as refused:
            ask(machine)
        assert (refused.value.status, refused.value.code) == (409, "OwnedElsewhere")
        assert f"/fleet/owners/{machine['subscription']}/take" in refused.value.message


def test_what_was_planned_before_the_other_came_is_not_started(house: House, build: Build) -> None:
    machine = house.know(house.one(vm=True))
    assert house.plan() == 1
    other = neighbour(build, house)
    take_owner(other.azure, other.store, machine["subscription"], "ann", "ours is to go")
    house.clock.now += REFRESH
    house.run(30)
    assert house.posts(machine["id"]) == []
    refusal = house.record(machine).refusal
    assert refusal is not None
    assert refusal.reason.code == "OwnedElsewhere"


def test_what_was_asked_for_before_ends_with_the_reason(house: House, build: Build) -> None:
    machine, second = (each for each in healthy(house, 2))
    assessment, installation = house.assess(machine), house.install(second)
    other = neighbour(build, house)
    for each in (machine, second):
        take_owner(other.azure, other.store, each["subscription"], "ann", "ours is to go")
    house.clock.now += REFRESH
    house.run(30)
    for each, operation in ((machine, assessment), (second, installation)):
        assert house.posts(each["id"]) == []
        ended = house.attempt(each, operation.attempt)
        assert (ended.outcome, ended.reason and ended.reason.code) == (Outcome.NOT_STARTED, "OwnedElsewhere")
        assert house.in_flight(each) is None


def test_a_window_leaves_out_what_another_deployment_drives(house: House, build: Build) -> None:
    mine, theirs = two_subscriptions(house)
    other = neighbour(build, house)
    take_owner(other.azure, other.store, theirs["subscription"], "ann", "theirs now")
    house.clock.now += REFRESH
    start = save(house, soon(house), mine, theirs)
    house.live(200)
    assert len(house.posts(mine["id"])) == 1
    assert house.posts(theirs["id"]) == []
    assert code(part(house, start, theirs)) == "OwnedElsewhere"
    assert loaded(house, start).run.closed


def test_taken_away_while_the_window_is_open_the_rest_is_not_started(house: House, build: Build) -> None:
    machine = healthy(house, 1)[0]
    start = save(house, soon(house), machine)
    house.run(until=lambda: any(isinstance(each.message, AdvanceRun) for each in house.waiting()))
    other = neighbour(build, house)
    take_owner(other.azure, other.store, machine["subscription"], "ann", "theirs now")
    mark = house.store.fleet.mark(machine["subscription"])
    assert mark is not None
    house.clock.now = max(start, mark.read + REFRESH)
    house.live(200)
    assert house.posts(machine["id"]) == []
    assert code(part(house, start, machine)) == "OwnedElsewhere"


def test_a_window_of_an_unmarked_subscription_opens_to_the_second(bare: House) -> None:
    """It is marked when its machines are written down, a minute before."""
    machine = healthy(bare, 1)[0]
    start = save(bare, soon(bare), machine)
    bare.live(200)
    (post,) = bare.posts(machine["id"])
    assert post["time"] <= (start + timedelta(seconds=5)).isoformat()


def test_a_take_over_starts_only_when_the_other_has_surely_stopped(house: House, build: Build) -> None:
    machine = healthy(house, 1)[0]
    other = neighbour(build, house)
    other.know(machine)
    taken = take_owner(other.azure, other.store, machine["subscription"], "ann", "ours is gone")
    assert taken.settles is not None
    assert taken.settles == house.now + TAKE_OVER
    assert taken.taken is not None
    assert taken.taken.detail == "ann: ours is gone"
    assert TAKE_OVER > GOOD_FOR
    other.assess(machine)
    other.run(TAKE_OVER.total_seconds() / 60 - 0.1)
    assert house.posts(machine["id"]) == []
    other.run(20)
    (post,) = house.posts(machine["id"])
    assert post["time"] >= taken.settles.isoformat()


def test_two_that_claim_at_once_do_not_both_go_ahead(bare: House, build: Build) -> None:
    """Both see no marker; the second writes over the first, and the first reads that before it acts."""
    other, machine = neighbour(build, bare), bare.one(vm=True)
    subscription = machine["subscription"]
    path = f"/subscriptions/{subscription}{TAGS}".lower()
    answers = []
    bare.sandbox.afterwards[path] = lambda: answers.append(ask_owner(other.azure, other.store, subscription))
    answers.append(ask_owner(bare.azure, bare.store, subscription))
    assert [wait > 0 for _, wait in answers] == [True, True]
    assert marker(bare, subscription) == "ours"  # the one that wrote last
    bare.clock.now += SETTLE + timedelta(seconds=1)
    (no, _), yes = (ask_owner(each.azure, each.store, subscription) for each in (other, bare))
    assert yes == (None, 0)
    assert no is not None
    assert no.code == "OwnedElsewhere"


@pytest.mark.parametrize(("method", "expected"), [("GET", "OwnerUnreadable"), ("PATCH", "OwnerUnwritable")])
def test_without_permission_the_app_works_and_health_warns(bare: House, method: str, expected: str) -> None:
    machine = bare.know(bare.one(vm=True))
    bare.fault(403, TAGS, method=method, times=100)
    bare.assess(machine)
    bare.run(1)
    assert len(bare.posts(machine["id"])) == 1
    assert codes(bare) == {machine["subscription"]: expected}


def test_a_marker_that_azure_does_not_show_in_time_starts_nothing(bare: House) -> None:
    machine = bare.know(bare.one(vm=True))
    bare.fault(503, TAGS, method="GET", times=1000)
    operation = bare.assess(machine)
    bare.live(1)
    bare.clock.advance(ASSESSMENT_PATIENCE.total_seconds() - 120)
    bare.live(3)
    assert bare.posts(machine["id"]) == []
    ended = bare.attempt(machine, operation.attempt)
    assert (ended.state, ended.reason and ended.reason.code) == (State.ENDED, "NoTimeLeft")


def test_what_was_read_counts_for_a_quarter_of_an_hour_while_azure_is_silent(house: House) -> None:
    subscription = house.fleet[0]["subscription"]
    house.fault(503, TAGS, method="GET", times=1000)
    house.clock.now += GOOD_FOR - timedelta(seconds=1)
    assert ask_owner(house.azure, house.store, subscription) == (None, 0)
    house.clock.now += timedelta(seconds=1)
    assert ask_owner(house.azure, house.store, subscription)[1] > 0


def test_a_marker_whose_write_was_not_answered_is_read_back(bare: House) -> None:
    machine = bare.know(bare.one(vm=True))
    bare.fault(503, TAGS, method="PATCH", effect=True)
    bare.assess(machine)
    bare.run(1)
    assert len(bare.posts(machine["id"])) == 1
    assert asked(bare, "PATCH") == 1


def test_a_subscription_that_the_other_gave_up_is_ours_after_the_next_inventory(house: House, build: Build) -> None:
    other = neighbour(build, house)
    other.inventory()
    for subscription in {machine["subscription"] for machine in house.fleet}:
        tags(house, subscription, "PATCH", "Replace")
    other.clock.now += timedelta(hours=1)
    seen = other.now
    plan_inventory(other.azure, other.store, ())
    other.run(5)
    assert codes(other) == {}
    assert other.plan() > 0
    other.run(30)
    posts = [entry for entry in house.journal("request") if "assessPatches" in entry["url"]]
    assert posts
    assert min(post["time"] for post in posts) >= (seen + TAKE_OVER).isoformat()
    assert {each.owner for each in list_owners(other.store)} == {"theirs"}


def test_a_subscription_that_is_not_there_cannot_be_taken(house: House) -> None:
    with pytest.raises(RequestError) as refused:
        take_owner(house.azure, house.store, "99999999-2222-3333-4444-555555555555", "ann", "mine")
    assert refused.value.status == 404
    with pytest.raises(RequestError, match="Say why"):
        take_owner(house.azure, house.store, house.fleet[0]["subscription"], "ann", " ")


def test_an_old_permit_starts_nothing_in_what_is_not_ours(house: House, build: Build) -> None:
    """The guard right before the send, whatever was planned."""
    machine = healthy(house, 1)[0]
    operation = house.install(machine)
    house.run(until=lambda: any(isinstance(each.message, StartInstallation) for each in house.waiting()))
    other = neighbour(build, house)
    take_owner(other.azure, other.store, machine["subscription"], "ann", "theirs now")
    mark = house.store.fleet.mark(machine["subscription"])
    assert mark is not None
    house.store.fleet.save_mark(type(mark)(subscription=mark.subscription, owner="theirs", read=house.now))
    house.run(5)
    assert house.posts(machine["id"]) == []
    assert house.attempt(machine, operation.attempt).outcome is Outcome.NOT_STARTED


def two_subscriptions(house: House) -> tuple[Json, Json]:
    first, *others = healthy(house, 2)
    return first, next(each for each in healthy(house, 2) + others if each["subscription"] != first["subscription"])
