"""The activity log as the last trace of a start: found by our own request id, trusted only for what it can say."""

import msgspec
import pytest

from shared.cloud.activity import was_accepted
from shared.cloud.errors import CloudError
from shared.cloud.operations import is_running, trace
from shared.domain.operation import Operation, State, Unanswered
from tests.cloud.world import Json, World, accepted

LAG = 300.0
"""Seconds that the log's own lag cannot outlast."""


@pytest.fixture
def world() -> World:
    """Operations take hours here: while one runs, an Arc machine shows nothing else."""
    return World(machines=30, speed=1.0)


def lost(world: World, machine: Json, *, effect: bool) -> Operation:
    """A start whose answer never came, given up as unconfirmed."""
    operation = msgspec.structs.replace(accepted(machine, world.clock.now), state=State.UNCONFIRMED)
    world.fault(503, "/assessPatches", effect=effect)
    assert isinstance(world.start(machine, "assess"), Unanswered)
    return operation


def test_a_running_operation_that_shows_nowhere_else_is_in_the_log(world: World) -> None:
    machine = world.one(vm=False)
    operation = lost(world, machine, effect=True)
    assert trace(world.azure, operation) is None, "the log lags"
    world.clock.advance(LAG)
    found = trace(world.azure, operation)
    assert found is not None
    assert is_running(found)
    asked = [request.path.rsplit("/", 1)[1].lower() for request in world.sandbox.seen]
    assert asked[-2:] == ["resources", "values"], "the other sources come first"


@pytest.mark.parametrize("effect", [True, False])
def test_only_a_request_of_ours_that_arrived_counts(world: World, effect: bool) -> None:
    operation = lost(world, world.one(vm=False), effect=effect)
    world.clock.advance(LAG)
    assert was_accepted(world.azure, operation) is effect
    assert not was_accepted(world.azure, msgspec.structs.replace(operation, attempt="another"))


def test_a_refused_request_is_in_the_log_and_is_no_start(world: World) -> None:
    """Powered off: Azure answered 409, which the log shows as failed."""
    machine = world.one("poweredOff", vm=True, pending=0)
    operation = msgspec.structs.replace(accepted(machine, world.clock.now), state=State.UNCONFIRMED)
    world.start(machine, "assess")
    world.clock.advance(LAG)
    assert not was_accepted(world.azure, operation)


def test_what_is_known_to_run_is_not_asked_for(world: World) -> None:
    operation = msgspec.structs.replace(lost(world, world.one(vm=False), effect=True), state=State.ACCEPTED)
    world.clock.advance(LAG)
    assert trace(world.azure, operation) is None
    assert not [request for request in world.sandbox.seen if "/eventtypes/" in request.url]


def test_a_log_that_may_not_be_read_says_so(world: World) -> None:
    operation = lost(world, world.one(vm=False), effect=True)
    world.fault(403, "/eventtypes/", "GET")
    with pytest.raises(CloudError, match="403"):
        trace(world.azure, operation)
