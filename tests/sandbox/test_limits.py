"""Throttles of real size, faults on request, the journal, and tokens that are not good."""

import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.compute import ComputeManagementClient

from infra.local.sandbox.http import Refusal, Request
from infra.local.sandbox.throttles import GUEST_PATCH_SUBSCRIPTION, Buckets
from infra.local.sandbox.transport import SandboxTransport
from tests.sandbox.world import ORIGIN, START, Holder, World, group_and_name, install_body


@pytest.fixture
def world() -> World:
    return World()


def code(content: bytes) -> str:
    return str(json.loads(content)["error"]["code"])


def test_a_machine_takes_six_patch_calls_then_two_a_minute(world: World) -> None:
    machine = world.one(vm=True)
    statuses = [world.post(machine, "assessPatches").status for _ in range(6)]
    assert statuses == [202, 409, 409, 409, 409, 409]
    refused = world.post(machine, "assessPatches")
    assert (refused.status, code(refused.body)) == (429, "OperationNotAllowed")
    assert json.loads(refused.body)["error"]["details"][0]["target"] == "GuestPatchPerMachine"
    assert refused.headers["Retry-After"] == "30"
    world.clock.advance(30)
    assert world.post(machine, "assessPatches").status == 202


def test_a_region_of_a_subscription_takes_six_hundred_then_two_hundred_a_minute() -> None:
    buckets, key = Buckets(), ("subscription", "westeurope")
    left = [buckets.take(GUEST_PATCH_SUBSCRIPTION, key, START) for _ in range(600)]
    assert left == list(range(599, -1, -1))
    with pytest.raises(Refusal) as refused:
        buckets.take(GUEST_PATCH_SUBSCRIPTION, key, START)
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "1")
    assert buckets.take(GUEST_PATCH_SUBSCRIPTION, ("subscription", "eastus"), START) == 599
    later = START + timedelta(minutes=1, seconds=0.01)
    assert buckets.take(GUEST_PATCH_SUBSCRIPTION, key, later) == 199


def test_assess_and_install_share_the_buckets_and_a_refused_body_costs_too(world: World) -> None:
    machine = world.one(vm=False)
    for _ in range(3):
        world.post(machine, "assessPatches")
        assert world.post(machine, "installPatches", {}).status == 400
    assert world.post(machine, "assessPatches").status == 429


def test_arm_takes_250_reads_and_25_more_each_second(world: World) -> None:
    path = f"/subscriptions/{world.fleet[0]['subscription']}?api-version=2022-12-01"
    left = [int(world.send("GET", path).headers["x-ms-ratelimit-remaining-subscription-reads"]) for _ in range(250)]
    assert left == list(range(249, -1, -1))
    refused = world.send("GET", path)
    assert (refused.status, code(refused.body)) == (429, "SubscriptionRequestsThrottled")
    assert refused.headers["Retry-After"] == "1"
    world.clock.advance(1)
    assert [world.send("GET", path).status for _ in range(26)] == [200] * 25 + [429]


def test_one_subscriptions_reads_are_no_others(world: World) -> None:
    first, second = sorted({machine["subscription"] for machine in world.fleet})[:2]
    for _ in range(251):
        answer = world.send("GET", f"/subscriptions/{first}?api-version=2022-12-01")
    assert answer.status == 429
    assert world.send("GET", f"/subscriptions/{second}?api-version=2022-12-01").status == 200


def test_the_sdk_waits_out_a_throttle_by_itself(world: World) -> None:
    """Its own retry policy, its own pause; the pause moves the clock."""
    machine = world.one(vm=True)
    while world.post(machine, "assessPatches").status != 429:
        pass
    began = world.clock.now
    group, name = group_and_name(machine)
    result = world.compute(machine["subscription"]).virtual_machines.begin_assess_patches(group, name).result()
    assert result.status == "Succeeded"
    assert (world.clock.now - began).total_seconds() >= 30


def inject(world: World, **fault: object) -> None:
    assert world.send("POST", "/sandbox/faults", fault, token="").status == 204


def client(world: World, subscription: str, **options: Any) -> Any:  # noqa: ANN401 - generated classes
    transport = SandboxTransport(world.sandbox, sleep=world.clock.advance)
    return ComputeManagementClient(
        Holder(world.token), subscription, ORIGIN, transport=transport, polling_interval=1, **options
    ).virtual_machines


def posts(world: World) -> list[tuple[int, bool]]:
    return [(entry["status"], entry["effect"]) for entry in world.journal("request") if entry["method"] == "POST"]


def test_a_fault_with_effect_loses_only_the_answer(world: World) -> None:
    machine = world.one(vm=True)
    inject(world, method="POST", path_contains="/ASSESSPATCHES", status=503, effect=True)
    with pytest.raises(HttpResponseError) as raised:
        client(world, machine["subscription"], retry_total=0).begin_assess_patches(*group_and_name(machine))
    assert raised.value.status_code == 503
    assert posts(world) == [(503, True)]
    assert [entry["machine"] for entry in world.journal("operationAccepted")] == [machine["id"]]


def test_a_client_with_retries_sends_the_post_again(world: World) -> None:
    """Why the app turns retries off: the lost answer is followed by a second POST."""
    machine = world.one(vm=True)
    inject(world, method="POST", path_contains="/assessPatches", status=503, effect=True)
    with pytest.raises(HttpResponseError):
        client(world, machine["subscription"]).begin_assess_patches(*group_and_name(machine))
    assert posts(world) == [(503, True), (409, False)]


def test_a_fault_without_effect_changes_nothing(world: World) -> None:
    machine = world.one(vm=True)
    inject(world, method="POST", path_contains=machine["id"], status=500)
    with pytest.raises(HttpResponseError):
        client(world, machine["subscription"], retry_total=0).begin_assess_patches(*group_and_name(machine))
    assert posts(world) == [(500, False)]
    assert world.journal("operationAccepted") == []


def test_faults_are_used_up_carry_headers_and_can_be_taken_back(world: World) -> None:
    path = "/subscriptions?api-version=2022-12-01"
    inject(world, path_contains="/subscriptions", status=429, times=2, headers={"Retry-After": "7"})
    answers = [world.send("GET", path) for _ in range(3)]
    assert [answer.status for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "7"
    inject(world, status=500, times=100)
    assert world.send("GET", path).status == 500
    assert world.send("DELETE", "/sandbox/faults").status == 204
    assert world.send("GET", path).status == 200


@pytest.mark.parametrize("body", [{}, {"status": "bad"}, {"status": 503, "effects": True}])
def test_a_fault_that_is_none_is_refused(world: World, body: dict[str, Any]) -> None:
    assert world.send("POST", "/sandbox/faults", body).status == 400


def test_the_journal_tells_requests_and_effects_in_order(world: World) -> None:
    machine = world.one(vm=True, pending=1)
    world.finish(world.post(machine, "installPatches", install_body(machine)))
    entries = world.journal()
    assert [entry["sequence"] for entry in entries] == list(range(1, len(entries) + 1))
    effects = [entry["event"] for entry in entries if entry["event"] != "request"]
    assert effects == ["operationAccepted", "guestChanged", "operationEnded"]
    request = next(entry for entry in entries if entry["event"] == "request")
    assert request["machine"] == machine["id"]
    assert request["principal"] == jwt.decode(world.token, options={"verify_signature": False})["oid"]
    assert request["clientRequestId"].startswith("POST /subscriptions")
    changed = next(entry for entry in entries if entry["event"] == "guestChanged")
    assert set(changed["installed"]) == set(machine["pending"])
    assert world.token not in json.dumps(entries)


def test_the_journal_can_be_read_from_a_number_on(world: World) -> None:
    for _ in range(3):
        world.send("GET", "/subscriptions?api-version=2022-12-01")
    assert [entry["sequence"] for entry in world.get("/sandbox/journal?after=2")] == [3]
    assert world.get("/sandbox/journal?after=3") == []
    assert world.send("GET", "/sandbox/journal?after=x").status == 400
    assert world.send("GET", "/sandbox/nothing").status == 501


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "AuthenticationFailed"),
        ({"Authorization": "Basic abc"}, "AuthenticationFailed"),
        ({"Authorization": "Bearer abc"}, "InvalidAuthenticationToken"),
    ],
)
def test_no_token_no_answer(world: World, headers: dict[str, str], expected: str) -> None:
    url = f"{ORIGIN}/subscriptions?api-version=2022-12-01"
    answer = world.sandbox.handle(Request(method="GET", url=url, headers=headers))
    assert (answer.status, code(answer.body)) == (401, expected)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_of_another_sandbox_is_refused(world: World) -> None:
    answer = world.send("GET", "/subscriptions?api-version=2022-12-01", token=World(machines=1, own_key=True).token)
    assert (answer.status, code(answer.body)) == (401, "InvalidAuthenticationToken")


def test_a_token_ends_after_a_day(world: World) -> None:
    path = "/subscriptions?api-version=2022-12-01"
    world.clock.advance(24 * 3600 - 1)
    assert world.send("GET", path).status == 200
    world.clock.advance(1)
    answer = world.send("GET", path)
    assert (answer.status, code(answer.body)) == (401, "ExpiredAuthenticationToken")


def test_a_token_for_the_app_is_none_for_arm(world: World) -> None:
    tenant = jwt.decode(world.token, options={"verify_signature": False})["tid"]
    form = (
        b"grant_type=client_credentials&client_id=me&client_secret=s&scope=api%3A%2F%2Fopen-update-manager%2F.default"
    )
    answer = world.send("POST", f"/{tenant}/oauth2/v2.0/token", content=form)
    token = json.loads(answer.body)["access_token"]
    refused = world.send("GET", "/subscriptions?api-version=2022-12-01", token=token)
    assert (refused.status, code(refused.body)) == (401, "InvalidAuthenticationTokenAudience")


def test_every_answer_of_arm_carries_the_sandboxs_date_and_ids(world: World) -> None:
    answer = world.send("GET", "/subscriptions?api-version=2022-12-01")
    assert answer.headers["Date"] == "Fri, 20 Nov 2026 09:00:00 GMT"
    assert answer.headers["x-ms-request-id"]
    assert answer.headers["x-ms-client-request-id"] == "GET /subscriptions?api-version=2022-12-01"
    assert len(json.loads(answer.body)["value"]) == 3


def test_resource_groups_of_a_subscription(world: World) -> None:
    machine = world.fleet[0]
    groups = world.get(f"/subscriptions/{machine['subscription']}/resourcegroups?api-version=2021-04-01")["value"]
    assert machine["id"].split("/")[4] in {group["name"] for group in groups}


def test_the_command_line_learns_the_cloud_from_one_object(world: World) -> None:
    cloud = world.get("/metadata/endpoints?api-version=2022-09-01")
    assert cloud["resourceManager"] == ORIGIN
    assert cloud["authentication"]["audiences"] == ["https://management.azure.com"]
    assert cloud["authentication"]["tenant"] == jwt.decode(world.token, options={"verify_signature": False})["tid"]
