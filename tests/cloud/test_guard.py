"""What stops a start before it leaves: no token, or the last instant has passed while everything was made ready."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import CredentialUnavailableError

from infra.local.sandbox.transport import SandboxTransport
from shared.cloud import patches
from shared.cloud.azure import Azure
from shared.cloud.clock import Clock
from shared.domain.operation import Accepted, Answer, NotSent
from tests.cloud.world import AUDIENCE, REQUEST, World, address_of
from tests.sandbox.world import ORIGIN

VERBS = pytest.mark.parametrize("verb", ["assess", "install"])


@pytest.fixture
def world() -> World:
    return World()


class Failing:
    """A credential that has none."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:  # noqa: ANN401 - azure-core's own signature
        raise self._error


class Slow:
    """A credential whose token takes its time: the clock moves while it is fetched."""

    def __init__(self, world: World, seconds: float) -> None:
        self._world, self._seconds = world, seconds

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:  # noqa: ANN401 - azure-core's own signature
        self._world.clock.advance(self._seconds)
        return self._world.credential.get_token()


def azure_with(world: World, credential: Callable[[], TokenCredential]) -> Azure:
    transport = SandboxTransport(world.sandbox, sleep=world.clock.advance)
    return Azure(ORIGIN, AUDIENCE, credential, Clock(world.clock), world.deployment, transport)


def start(world: World, azure: Azure, verb: str, seconds: float = 60) -> Answer:
    machine = world.one(vm=True)
    not_after = azure.clock.now() + timedelta(seconds=seconds)
    if verb == "assess":
        return patches.assess(azure, address_of(machine), REQUEST, not_after)
    return patches.install(azure, address_of(machine), world.body(machine), REQUEST, not_after)


@VERBS
@pytest.mark.parametrize(
    "error",
    [
        CredentialUnavailableError("The identity endpoint does not answer."),
        ClientAuthenticationError("The identity has no rights."),
        ServiceRequestError("The identity endpoint refused the connection."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_without_a_token_nothing_is_sent(world: World, verb: str, error: Exception) -> None:
    answer = start(world, azure_with(world, lambda: Failing(error)), verb)
    assert isinstance(answer, NotSent)
    assert type(error).__name__ in answer.detail
    assert world.journal("request") == []


@VERBS
def test_after_the_last_instant_nothing_is_sent(world: World, verb: str) -> None:
    answer = start(world, world.azure, verb, -1)
    assert isinstance(answer, NotSent)
    assert "Not sent" in answer.detail
    assert world.journal("request") == []


@VERBS
def test_at_the_last_instant_it_is_sent(world: World, verb: str) -> None:
    assert isinstance(start(world, world.azure, verb, 0), Accepted)


@VERBS
def test_a_token_that_took_too_long_stops_the_start(world: World, verb: str) -> None:
    """The clock is read last, after the token."""
    answer = start(world, azure_with(world, lambda: Slow(world, 90)), verb)
    assert isinstance(answer, NotSent)
    assert "Not sent" in answer.detail
    assert world.journal("request") == []


@VERBS
def test_a_slow_token_in_time_does_not(world: World, verb: str) -> None:
    assert isinstance(start(world, azure_with(world, lambda: Slow(world, 30)), verb), Accepted)
    assert len(world.posts(world.one(vm=True)["id"])) == 1


@VERBS
def test_the_guard_reads_azures_time(verb: str) -> None:
    """Our clock is two minutes behind Azure's: by ours there is a minute left, by Azure's it is too late."""
    world = World(skew=120)
    not_after = world.clock.now + timedelta(minutes=1)
    list(world.azure.compute(world.fleet[0]["subscription"]).virtual_machines.list_all())
    world.sandbox.seen.clear()
    machine = world.one(vm=True)
    address = address_of(machine)
    if verb == "assess":
        answer = patches.assess(world.azure, address, REQUEST, not_after)
    else:
        answer = patches.install(world.azure, address, world.body(machine), REQUEST, not_after)
    assert isinstance(answer, NotSent)
    assert "Not sent" in answer.detail
    assert world.sandbox.seen == []


def test_a_guard_of_one_start_does_not_stop_the_next(world: World) -> None:
    assert isinstance(start(world, world.azure, "assess", -1), NotSent)
    assert isinstance(start(world, world.azure, "assess", 60), Accepted)
