"""One send: a call with an effect reaches Azure exactly once, whatever Azure answers; and what each answer means."""

import base64
from typing import Any

import pytest
from azure.core import PipelineClient
from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RequestIdPolicy, RetryPolicy
from azure.core.rest import HttpRequest, HttpResponse

from infra.local.sandbox.transport import SandboxTransport
from shared.domain.operation import Accepted, Refused, Unanswered
from tests.cloud.world import AUDIENCE, REQUEST, Fresh, Json, World
from tests.sandbox.world import ORIGIN

SILENT = (408, 500, 502, 503, 504)
"""Statuses that do not say whether the request was carried out."""

KINDS = [("assess", True), ("assess", False), ("install", True), ("install", False)]
"""What is started, and whether on a VM or on an Arc machine."""


@pytest.fixture
def world() -> World:
    return World(machines=30)


def accepted(world: World, machine: Json) -> list[Json]:
    """Operations that really began on the machine."""
    return [entry for entry in world.journal("operationAccepted") if entry["machine"] == machine["id"]]


@pytest.mark.parametrize(("verb", "vm"), KINDS)
def test_a_start_that_is_taken_is_one_post_with_our_id(world: World, verb: str, vm: bool) -> None:
    machine = world.one(vm=vm)
    answer = world.started(machine, verb)
    (post,) = world.posts(machine["id"])
    assert (post["status"], post["clientRequestId"], post["effect"]) == (202, REQUEST, True)
    assert answer.url.startswith(ORIGIN)
    assert answer.result_url.startswith(ORIGIN)
    assert answer.retry_after >= 1
    assert len(accepted(world, machine)) == 1


@pytest.mark.parametrize("effect", [True, False])
@pytest.mark.parametrize("status", SILENT)
@pytest.mark.parametrize(("verb", "vm"), KINDS)
def test_no_answer_is_never_asked_again(world: World, verb: str, vm: bool, status: int, effect: bool) -> None:
    machine = world.one(vm=vm)
    world.fault(status, f"/{verb}Patches", effect=effect, times=9)
    answer = world.start(machine, verb)
    assert isinstance(answer, Unanswered)
    assert str(status) in answer.detail
    assert [post["status"] for post in world.posts(machine["id"])] == [status]
    assert len(accepted(world, machine)) == effect


def test_the_journal_would_show_a_retry(world: World) -> None:
    """So the tests above can fail: with the RetryPolicy that the app leaves out, one fault makes two POSTs."""
    machine = world.one(vm=True)
    login = BearerTokenCredentialPolicy(Fresh(world.sandbox), AUDIENCE)
    policies: list[Any] = [RequestIdPolicy(), RetryPolicy(), login]
    wire = SandboxTransport(world.sandbox, sleep=world.clock.advance)
    client = PipelineClient[HttpRequest, HttpResponse](ORIGIN, policies=policies, transport=wire)
    world.fault(503, "/assessPatches", effect=False)
    client.send_request(HttpRequest("POST", f"{ORIGIN}{machine['id']}/assessPatches?api-version=2025-04-01"))
    assert [post["status"] for post in world.posts(machine["id"])] == [503, 202]


@pytest.mark.parametrize(("verb", "vm"), KINDS)
def test_throttled_means_not_taken_and_when_to_come_back(world: World, verb: str, vm: bool) -> None:
    machine = world.one(vm=vm)
    world.fault(429, f"/{verb}Patches", headers={"Retry-After": "17"})
    answer = world.start(machine, verb)
    assert isinstance(answer, Refused)
    assert (answer.status, answer.code, answer.retry_after) == (429, "TooManyRequests", 17)
    assert [post["status"] for post in world.posts(machine["id"])] == [429]


def test_azures_own_throttle_is_understood(world: World) -> None:
    """Six starts on one machine at once, then two a minute: the seventh is refused, with Azure's word on when."""
    machine = world.one("poweredOff")
    answers = [world.start(machine, "assess") for _ in range(7)]
    assert [answer.status for answer in answers if isinstance(answer, Refused)] == [*[409] * 6, 429]
    assert isinstance(answers[-1], Refused)
    assert 0 < answers[-1].retry_after <= 30
    assert len(world.posts(machine["id"])) == 7


@pytest.mark.parametrize(("verb", "vm"), KINDS)
def test_a_busy_machine_refuses_with_azures_words(world: World, verb: str, vm: bool) -> None:
    machine = world.one(vm=vm)
    world.started(machine, "assess")
    answer = world.start(machine, verb)
    assert isinstance(answer, Refused)
    assert (answer.status, answer.code, answer.retry_after) == (409, "OperationNotAllowed", 0)
    assert "in progress" in answer.detail
    assert len(accepted(world, machine)) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 412, 422])
def test_every_other_4xx_is_a_refusal(world: World, status: int) -> None:
    machine = world.one(vm=True)
    world.fault(status, "/assessPatches")
    answer = world.start(machine, "assess")
    assert isinstance(answer, Refused)
    assert (answer.status, answer.message) == (status, "A fault that was asked for.")
    assert len(world.posts(machine["id"])) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(world: World, status: int) -> None:
    machine = world.one(vm=True)
    target = f"{ORIGIN}{machine['id']}/assessPatches?api-version=2025-04-01&redirected=yes"
    world.fault(status, "/assessPatches", headers={"Location": target})
    assert isinstance(world.start(machine, "assess"), Unanswered)
    assert [post["status"] for post in world.posts(machine["id"])] == [status]


def test_a_refused_token_that_must_be_renewed_is_one_start(world: World) -> None:
    """Continuous access evaluation: 401 with claims says that nothing was done; the policy logs in again, and asks."""
    machine = world.one(vm=True)
    claims = base64.b64encode(b'{"access_token":{"nbf":{"essential":true,"value":"1"}}}').decode()
    challenge = f'Bearer realm="", error="insufficient_claims", claims="{claims}"'
    world.fault(401, "/assessPatches", headers={"WWW-Authenticate": challenge})
    assert isinstance(world.start(machine, "assess"), Accepted)
    assert [post["status"] for post in world.posts(machine["id"])] == [401, 202]
    assert len(accepted(world, machine)) == 1


def test_the_body_is_azures_with_whole_minutes(world: World) -> None:
    machine = world.one(os="Windows", vm=True)
    world.started(machine, "install")
    (body,) = world.sent_bodies(machine["id"])
    assert (body["maximumDuration"], body["rebootSetting"]) == ("PT60M", "IfRequired")
    assert set(body) == {"maximumDuration", "rebootSetting", "windowsParameters"}
    assert set(body["windowsParameters"]) == {"classificationsToInclude"}


@pytest.mark.parametrize(("vm", "content"), [(True, b""), (False, b"{}")])
def test_an_assessment_sends_what_each_provider_takes(world: World, vm: bool, content: bytes) -> None:
    machine = world.one(vm=vm)
    world.started(machine, "assess")
    assert world.sandbox.seen[-1].body == content
