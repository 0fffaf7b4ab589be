"""Azure's time, read off the `Date` header of its own answers."""

from datetime import datetime, timedelta
from email.utils import format_datetime

import pytest
from azure.mgmt.resourcegraph.models import QueryRequest

from shared.cloud.clock import NOISE, Clock
from shared.cloud.machines import subscriptions
from shared.domain.operation import Accepted
from tests.cloud.world import World
from tests.sandbox.world import START
from tests.sandbox.world import Clock as Hands


def off(world: World) -> float:
    """Seconds between the app's time and Azure's."""
    return abs((world.azure.clock.now() - world.azures_clock()).total_seconds())


@pytest.mark.parametrize("skew", [-3600, -90, 90, 3600])
def test_one_answer_sets_the_clock(skew: float) -> None:
    world = World(skew=skew)
    assert off(world) == abs(skew)
    subscriptions(world.azure)
    assert off(world) <= 1


@pytest.mark.parametrize("kind", ["compute", "hybrid", "graph", "start"])
def test_every_client_tells_the_time(kind: str) -> None:
    world = World(skew=600)
    machine = world.one(vm=True)
    if kind == "compute":
        list(world.azure.compute(machine["subscription"]).virtual_machines.list_all())
    if kind == "hybrid":
        list(world.azure.hybrid(machine["subscription"]).machines.list_by_subscription())
    if kind == "graph":
        world.azure.graph().resources(QueryRequest(query="resources | project id"))
    if kind == "start":
        assert isinstance(world.start(machine, "assess"), Accepted)
    assert off(world) <= 1


def test_a_refusal_tells_the_time_too() -> None:
    world = World(skew=600)
    world.fault(403, "/assessPatches")
    assert not isinstance(world.start(world.one(vm=True), "assess"), Accepted)
    assert off(world) <= 1


@pytest.mark.parametrize("skew", [-1.9, 0, 1.9])
def test_a_small_difference_is_noise(skew: float) -> None:
    world = World(skew=skew)
    subscriptions(world.azure)
    assert world.azure.clock.now() == world.clock.now


def test_an_azure_that_comes_right_again_is_followed() -> None:
    world = World(skew=600)
    subscriptions(world.azure)
    world.skew = 0
    subscriptions(world.azure)
    assert world.azure.clock.now() == world.clock.now


def test_a_slow_answer_says_nothing() -> None:
    hands = Hands()
    clock = Clock(hands)
    asked, sent = clock.local(), hands.now + timedelta(hours=1)
    hands.advance(NOISE.total_seconds() + 1)
    clock.observe(header(sent), asked)
    assert clock.now() == hands.now
    clock.observe(header(sent), clock.local())
    assert clock.now() > hands.now + timedelta(minutes=59)


@pytest.mark.parametrize("date", ["", "yesterday", "0", "Fri, 99 Nov 2026 09:00:00 GMT"])
def test_what_is_no_date_is_ignored(date: str) -> None:
    hands = Hands()
    clock = Clock(hands)
    clock.observe(date, clock.local())
    assert clock.now() == START


@pytest.mark.parametrize("date", ["Fri, 20 Nov 2026 09:00:00 -0000", "Fri Nov 20 09:00:00 2026"])
def test_a_date_without_a_zone_is_no_crash(date: str) -> None:
    """RFC 9110 asks recipients to take the old forms too; a proxy may write one."""
    clock = Clock(Hands())
    clock.observe(date, clock.local())
    assert abs(clock.now() - START) <= NOISE


def header(time: datetime) -> str:
    return format_datetime(time, usegmt=True)
