"""The owner marker where Azure refuses to show it or to write it, or another instance wrote it a moment ago."""

from datetime import timedelta

import pytest

from shared.domain.messages import OpenRun
from shared.domain.owner import REFRESH, SETTLE, TAKE_OVER
from shared.workflows.openings import open_run
from shared.workflows.owner import ask_owner, list_owners, take_owner
from shared.workflows.parts import OWNERS_TIME
from tests.domain.maintenance import ADDRESS
from tests.workflows.house import House
from tests.workflows.owners import TAGS, Build, asked, codes, neighbour, tags
from tests.workflows.windows import code, healthy, loaded, part, save, soon


@pytest.fixture
def bare(build: Build) -> House:
    """Nobody has marked a subscription yet."""
    return build(owner="")


@pytest.mark.parametrize(("status", "method"), [(403, "GET"), (404, "GET"), (403, "PATCH")])
def test_what_another_drives_stays_anothers_when_azure_shows_it_no_more(
    house: House, build: Build, status: int, method: str
) -> None:
    """Its permission is withdrawn while it knows that the other works; with PATCH the marker is gone as well."""
    other, machine = neighbour(build, house), house.fleet[0]
    subscription = machine["subscription"]
    (why, _) = ask_owner(other.azure, other.store, subscription)
    assert why is not None
    if method == "PATCH":
        tags(house, subscription, "PATCH", "Replace")
    other.fault(status, TAGS, method=method, times=1000)
    house.clock.now += REFRESH
    why, wait = ask_owner(other.azure, other.store, subscription)
    assert why is not None or wait > 0
    assert subscription in codes(other)


@pytest.mark.parametrize("minutes", [5, 30])
def test_a_take_over_that_azure_shows_no_more_does_not_start_anything(
    house: House, build: Build, minutes: float
) -> None:
    """Whether the other has seen it nobody knows, and it may have taken it back."""
    other, subscription = neighbour(build, house), house.fleet[0]["subscription"]
    take_owner(other.azure, other.store, subscription, "ann", "ours is gone")
    other.fault(403, TAGS, method="GET", times=1)
    house.clock.now += timedelta(minutes=minutes)
    assert ask_owner(other.azure, other.store, subscription)[1] > 0
    assert codes(other) == {subscription: "OwnerUnreadable"}
    house.clock.now += TAKE_OVER
    assert ask_owner(other.azure, other.store, subscription) == (None, 0)
    assert codes(other) == {}


def test_a_take_over_whose_marker_was_taken_away_settles_no_sooner(house: House, build: Build) -> None:
    other, subscription = neighbour(build, house), house.fleet[0]["subscription"]
    taken = take_owner(other.azure, other.store, subscription, "ann", "ours is gone")
    tags(house, subscription, "PATCH", "Replace")
    assert taken.settles is not None
    for _ in range(3):
        house.clock.now += REFRESH
        assert ask_owner(other.azure, other.store, subscription)[1] > 0
        assert house.now < taken.settles
    assert list_owners(other.store)[0].taken == taken.taken


def test_what_was_ours_and_is_shown_no_more_is_worked_on_with_a_warning(house: House) -> None:
    subscription = house.fleet[0]["subscription"]
    house.fault(403, TAGS, method="GET", times=10)
    house.clock.now += REFRESH
    assert ask_owner(house.azure, house.store, subscription) == (None, 0)
    assert codes(house) == {subscription: "OwnerUnreadable"}


def test_an_instance_that_finds_the_marker_another_just_wrote_waits_with_it(bare: House) -> None:
    """Both read that nothing is known; one has written row and marker before the other asks Azure."""
    subscription = bare.fleet[0]["subscription"]
    first: list[int] = []
    path = f"/subscriptions/{subscription}{TAGS}".lower()
    bare.sandbox.beforehand[path] = lambda: first.append(ask_owner(bare.azure, bare.store, subscription)[1])
    _, wait = ask_owner(bare.azure, bare.store, subscription)
    assert first
    assert first[0] > 0
    assert wait > 0
    assert (asked(bare, "GET"), asked(bare, "PATCH")) == (2, 1)
    bare.clock.now += SETTLE + timedelta(seconds=1)
    assert ask_owner(bare.azure, bare.store, subscription) == (None, 0)


def test_a_marker_of_ours_where_it_could_not_be_written_before_settles(bare: House) -> None:
    """No row of it was written first: it may be a second old."""
    subscription = bare.fleet[0]["subscription"]
    bare.fault(403, TAGS, method="PATCH")
    assert ask_owner(bare.azure, bare.store, subscription) == (None, 0)
    tags(bare, subscription, "PATCH", "Merge", **{"open-update-manager-owner": "ours"})
    bare.clock.now += REFRESH
    assert ask_owner(bare.azure, bare.store, subscription)[1] > 0
    bare.clock.now += SETTLE + timedelta(seconds=1)
    assert ask_owner(bare.azure, bare.store, subscription) == (None, 0)


def test_a_first_claim_whose_worker_died_is_no_reason_to_wait_for_ever(bare: House) -> None:
    """Its row stands, and then Azure refuses to write the marker."""
    subscription = bare.fleet[0]["subscription"]
    bare.fault(503, TAGS, method="PATCH")
    assert ask_owner(bare.azure, bare.store, subscription)[1] > 0
    bare.fault(403, TAGS, method="PATCH", times=10)
    bare.clock.now += SETTLE + timedelta(seconds=1)
    assert ask_owner(bare.azure, bare.store, subscription) == (None, 0)
    assert codes(bare) == {subscription: "OwnerUnwritable"}


def test_a_window_does_not_wait_for_every_owner_that_azure_is_silent_about(house: House, build: Build) -> None:
    """The rest is judged by what is known, and each start asks again."""
    machines = healthy(house, 6)
    last, *others = sorted({machine["subscription"] for machine in machines}, reverse=True)
    assert len(others) > 1
    other = neighbour(build, house)
    take_owner(other.azure, other.store, last, "ann", "theirs now")
    house.clock.now += REFRESH
    assert ask_owner(house.azure, house.store, last)[0] is not None
    start = save(house, soon(house), *machines)
    house.lose()
    house.clock.now = start - timedelta(seconds=59)
    for _ in others:
        house.fault(503, TAGS, method="GET", times=1)
    paths = [f"/subscriptions/{each}{TAGS}".lower() for each in others]
    for path in paths:
        house.sandbox.beforehand[path] = lambda: house.clock.advance(OWNERS_TIME.total_seconds())
    open_run(house.azure, house.store, OpenRun(configuration=str(ADDRESS), start=start))
    assert len(house.sandbox.beforehand) == len(paths) - 1
    assert house.now < start
    for machine in machines:
        expected = "OwnedElsewhere" if machine["subscription"] == last else ""
        assert code(part(house, start, machine)) == expected
    assert not loaded(house, start).run.closed
