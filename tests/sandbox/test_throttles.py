"""The documented throttles that only requests of some kinds meet, at their real size."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from infra.local.sandbox import throttles
from infra.local.sandbox.http import Refusal, Response
from infra.local.sandbox.throttles import Buckets, Limit
from tests.sandbox.world import START, World

VERSION = "api-version=2025-04-01"


@pytest.fixture
def world() -> World:
    return World()


def until_refused(world: World, ask: Callable[[], Response], pause: float = 0.0) -> tuple[int, Response]:
    """How many are answered before one is refused, with a pause after each, and the refusal."""
    for count in range(2000):
        answer = ask()
        if answer.status == 429:
            return count, answer
        assert answer.status in (200, 202)
        world.clock.advance(pause)
    raise AssertionError("nothing was refused")


def target(answer: Response) -> str:
    return str(json.loads(answer.body)["error"]["details"][0]["target"])


@pytest.mark.parametrize("view", ["", "/instanceView"])
def test_a_vm_is_looked_at_36_times_then_12_times_a_minute(world: World, view: str) -> None:
    machine = world.one(vm=True)
    path = f"{machine['id']}{view}?{VERSION}"
    count, refused = until_refused(world, lambda: world.send("GET", path))
    assert (count, target(refused), refused.headers["Retry-After"]) == (36, "GetVMPerMachine", "5")
    other = next(each for each in world.fleet if each["kind"] == "AzureVM" and each["id"] != machine["id"])
    assert world.send("GET", f"{other['id']}{view}?{VERSION}").status == 200
    world.clock.advance(60.01)
    assert until_refused(world, lambda: world.send("GET", path))[0] == 12


def test_vms_are_listed_900_times_then_300_times_a_minute(world: World) -> None:
    """Ten a second, which ARM's own throttle allows; the bucket gains five a second meanwhile."""
    path = f"/subscriptions/{world.one(vm=True)['subscription']}/providers/Microsoft.Compute/virtualMachines?{VERSION}"
    count, refused = until_refused(world, lambda: world.send("GET", path), pause=0.1)
    assert target(refused) == "ListVMsPerSubscription"
    assert count in (1799, 1800)


def test_an_operation_is_followed_45_times_then_15_times_a_minute(world: World) -> None:
    machine = world.one(vm=True)
    address = world.post(machine, "assessPatches").headers["Azure-AsyncOperation"]
    count, refused = until_refused(world, lambda: world.send("GET", address))
    assert (count, target(refused), refused.headers["Retry-After"]) == (45, "GetOperationPerMachine", "4")
    world.clock.advance(60.01)
    assert until_refused(world, lambda: world.send("GET", address))[0] == 15


def test_for_arc_operations_azure_publishes_no_figures(world: World) -> None:
    address = world.post(world.one(vm=False), "assessPatches").headers["Azure-AsyncOperation"]
    assert {world.send("GET", address).status for _ in range(100)} == {200}


def test_calls_of_the_whole_tenant_have_a_bucket_of_their_own(world: World) -> None:
    path = "/subscriptions?api-version=2022-12-01"
    count, refused = until_refused(world, lambda: world.send("GET", path))
    assert (count, refused.headers["Retry-After"]) == (250, "1")
    assert json.loads(refused.body)["error"]["code"] == "TenantRequestsThrottled"
    assert world.send("GET", f"/subscriptions/{world.fleet[0]['subscription']}?api-version=2022-12-01").status == 200


# Written down a second time, from peers C2, so that a changed figure is seen: bucket, and refill per second.
DOCUMENTED = {
    throttles.ARM["reads"]: (250, 25),
    throttles.ARM["writes"]: (200, 10),
    throttles.ARM["deletes"]: (200, 10),
    throttles.ARM_TENANT_READS: (250, 25),
    throttles.ARM_TOGETHER["reads"]: (3750, 375),
    throttles.ARM_TOGETHER["writes"]: (3000, 150),
    throttles.ARM_TOGETHER["deletes"]: (3000, 150),
    throttles.GUEST_PATCH_SUBSCRIPTION: (600, 200 / 60),
    throttles.GUEST_PATCH_MACHINE: (6, 2 / 60),
    throttles.GET_VM_SUBSCRIPTION: (24000, 8000 / 60),
    throttles.GET_VM_MACHINE: (36, 12 / 60),
    throttles.LIST_VMS_SUBSCRIPTION: (900, 300 / 60),
    throttles.ASYNC_SUBSCRIPTION: (15000, 5000 / 60),
    throttles.ASYNC_MACHINE: (45, 15 / 60),
}


@pytest.mark.parametrize(("limit", "documented"), DOCUMENTED.items(), ids=lambda each: getattr(each, "name", ""))
def test_every_bucket_has_its_documented_size(limit: Limit, documented: tuple[float, float]) -> None:
    burst, per_second = documented
    buckets = Buckets()
    assert taken(buckets, limit, 0) == burst
    seconds = 60.0
    assert taken(buckets, limit, seconds + 0.001) == min(burst, round(per_second * seconds))


def taken(buckets: Buckets, limit: Limit, seconds: float) -> int:
    """How many tokens there are at this instant."""
    for count in range(30000):
        try:
            buckets.take(limit, ("one",), START + timedelta(seconds=seconds))
        except Refusal:
            return count
    raise AssertionError("nothing was refused")
