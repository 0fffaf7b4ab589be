"""Faults of the way to Azure and back, through the official clients' own pipeline, and what the journal says of it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import (
    HttpResponseError,
    IncompleteReadError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.mgmt.compute import ComputeManagementClient

from infra.local.sandbox.transport import SandboxTransport
from tests.sandbox.world import ORIGIN, START, Holder, World, group_and_name

SUBSCRIPTIONS = "/subscriptions?api-version=2022-12-01"
READ_TIMEOUT = 30


@pytest.fixture
def world() -> World:
    return World()


def once(world: World, subscription: str) -> Any:  # noqa: ANN401 - generated classes
    """A client that sends everything once."""
    transport = SandboxTransport(world.sandbox, sleep=world.clock.advance)
    options: dict[str, Any] = {"transport": transport, "retry_total": 0}
    return ComputeManagementClient(Holder(world.token), subscription, ORIGIN, **options).virtual_machines


def assess(world: World, machine: dict[str, Any]) -> Any:  # noqa: ANN401 - generated classes
    """Sent once; an answer is waited for half a minute."""
    wait = {"polling": False, "read_timeout": READ_TIMEOUT}
    return once(world, machine["subscription"]).begin_assess_patches(*group_and_name(machine), **wait)


def last(world: World, *names: str) -> tuple[Any, ...]:
    entry = world.journal("request")[-1]
    return tuple(entry[name] for name in names)


def error(content: bytes) -> str:
    return str(json.loads(content)["error"]["code"])


@pytest.mark.parametrize("effect", [False, True])
def test_a_dropped_connection_is_an_answer_that_never_came(world: World, effect: bool) -> None:
    machine = world.one(vm=True)
    world.fault("drop", path_contains="/assessPatches", effect=effect)
    with pytest.raises(ServiceResponseError):
        assess(world, machine)
    assert last(world, "status", "azureStatus", "arrived", "effect", "faults") == (
        0, 202 if effect else 0, effect, effect, ["drop"],
    )  # fmt: skip
    assert len(world.journal("operationAccepted")) == effect
    assert world.clock.now == START


@pytest.mark.parametrize("effect", [False, True])
def test_a_hang_lasts_as_long_as_the_client_has_patience(world: World, effect: bool) -> None:
    machine = world.one(vm=True)
    world.fault("hang", path_contains="/assessPatches", effect=effect)
    with pytest.raises(ServiceResponseTimeoutError):
        assess(world, machine)
    assert world.clock.now == START + timedelta(seconds=READ_TIMEOUT)
    assert last(world, "status", "arrived", "effect", "faults") == (0, effect, effect, ["hang"])


def test_a_short_hang_ends_in_a_closed_connection(world: World) -> None:
    world.fault("hang", seconds=7)
    with pytest.raises(ServiceResponseError) as raised:
        assess(world, world.one(vm=True))
    assert not isinstance(raised.value, ServiceResponseTimeoutError)
    assert world.clock.now == START + timedelta(seconds=7)


def test_latency_is_between_the_work_and_its_answer(world: World) -> None:
    machine = world.one(vm=True)
    world.fault("latency", path_contains="/assessPatches", seconds=12.5)
    assess(world, machine)
    assert world.clock.now == START + timedelta(seconds=12.5)
    (accepted,) = world.journal("operationAccepted")
    assert accepted["time"] == "2026-11-20T09:00:00.0000000Z"
    assert last(world, "status", "azureStatus", "faults") == (202, 202, ["latency"])


def test_latency_beyond_patience_is_a_time_out_with_effect(world: World) -> None:
    machine = world.one(vm=True)
    world.fault("latency", path_contains="/assessPatches", seconds=READ_TIMEOUT + 1)
    with pytest.raises(ServiceResponseTimeoutError):
        assess(world, machine)
    assert len(world.journal("operationAccepted")) == 1


def test_a_truncated_body_is_no_body(world: World) -> None:
    machine = world.one(vm=True)
    world.fault("truncate", method="GET")
    with pytest.raises(IncompleteReadError):
        once(world, machine["subscription"]).get(*group_and_name(machine))
    assert last(world, "status", "azureStatus", "faults") == (200, 200, ["truncate"])
    assert once(world, machine["subscription"]).get(*group_and_name(machine)).id == machine["id"]


def test_a_truncated_accepted_answer_has_had_its_effect(world: World) -> None:
    machine = world.one(vm=True)
    world.fault("truncate", method="POST")
    with pytest.raises((IncompleteReadError, HttpResponseError, ServiceResponseError)):
        assess(world, machine)
    assert len(world.journal("operationAccepted")) == 1


@pytest.mark.parametrize("wait", [0, 9])
def test_too_many_requests_with_and_without_when(world: World, wait: int) -> None:
    world.fault("status", status=429, retry_after=wait)
    answer = world.send("GET", SUBSCRIPTIONS)
    assert (answer.status, answer.headers.get("Retry-After")) == (429, str(wait) if wait else None)
    assert last(world, "arrived", "faults") == (False, ["status"])


def test_the_sdk_comes_back_when_told(world: World) -> None:
    machine = world.one(vm=True)
    world.fault("status", status=429, retry_after=41, method="GET")
    world.compute(machine["subscription"]).virtual_machines.get(*group_and_name(machine))
    assert world.clock.now == START + timedelta(seconds=41)


def test_faults_wait_their_turn_skip_and_stay(world: World) -> None:
    world.fault("status", status=503, skip=2, times=2)
    assert [world.send("GET", SUBSCRIPTIONS).status for _ in range(5)] == [200, 200, 503, 503, 200]
    world.fault("status", status=500, times=0)
    assert {world.send("GET", SUBSCRIPTIONS).status for _ in range(40)} == {500}
    assert world.get("/sandbox/faults") == [{"kind": "status", "drawn": False, "times": 0, "status": 500}]
    assert world.send("DELETE", "/sandbox/faults").status == 204
    assert world.get("/sandbox/faults") == []


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"kind": "quake"}, "quake"),
        ({"kind": "drop", "status": 503}, "status"),
        ({"kind": "latency"}, "seconds"),
        ({"kind": "latency", "seconds": -1}, "negative"),
        ({"kind": "expire", "seconds": 1, "status": 500}, "404 or 410"),
        ({"kind": "status", "status": 99}, "99"),
        ({"kind": "page"}, "rows"),
        ({"kind": "page", "rows": -1}, "negative"),
        ({"kind": "forbidden"}, "subscription"),
        ({"kind": "clock", "seconds": 1, "times": 2}, "times"),
        ({"kind": "drop", "drawn": True}, "drawn"),
    ],
)
def test_what_is_no_fault_is_refused_by_name(world: World, body: dict[str, Any], named: str) -> None:
    answer = world.send("POST", "/sandbox/faults", body)
    assert (answer.status, error(answer.body)) == (400, "InvalidFault")
    assert named in json.loads(answer.body)["error"]["message"]
    assert world.get("/sandbox/faults") == []


def test_what_never_arrives_is_in_no_activity_log(world: World) -> None:
    machine = world.one(vm=True)
    for effect in (False, True):
        world.fault("drop", path_contains="/assessPatches", effect=effect)
        world.post(machine, "assessPatches")
    world.clock.advance(60)
    when = "2026-11-20T08:00:00Z"
    asked = f"$filter=eventTimestamp ge '{when}' and resourceUri eq '{machine['id']}'"
    path = f"/subscriptions/{machine['subscription']}/providers/Microsoft.Insights/eventtypes/management/values"
    events = world.get(f"{path}?api-version=2015-04-01&{asked.replace(' ', '%20')}")["value"]
    assert [event["status"]["value"] for event in events] == ["Accepted"]


def test_a_request_may_meet_one_fault_on_its_way_and_one_inside(world: World) -> None:
    machine = world.one()
    world.fault("latency", seconds=3)
    world.fault("busy")
    assert world.post(machine, "assessPatches").status == 409
    assert last(world, "faults") == (["latency", "busy"],)
    assert [entry["path"] for entry in world.journal("fault")] == [f"{machine['id']}/assessPatches"] * 2
