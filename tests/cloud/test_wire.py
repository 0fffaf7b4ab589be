"""What becomes of a start when the connection fails: over real sockets, judged by what the server received."""

from datetime import timedelta
from pathlib import Path

import pytest

from shared.cloud import patches
from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError
from shared.cloud.machines import subscriptions
from shared.cloud.operations import LOOK_AGAIN, Finished, Running, look
from shared.domain.operation import Accepted, Answer, NotSent, Unanswered
from tests.cloud.loopback import Manners, answering, azure_at, hang_up, reset, say_nothing, serving
from tests.cloud.world import REQUEST, World, accepted, address_of


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def start(world: World, azure: Azure, verb: str) -> Answer:
    machine = world.one(vm=True)
    not_after = azure.clock.now() + timedelta(minutes=1)
    if verb == "assess":
        return patches.assess(azure, address_of(machine), REQUEST, not_after)
    return patches.install(azure, address_of(machine), world.body(machine), REQUEST, not_after)


LOST = {
    "the connection ends": hang_up,
    "the connection is reset": reset,
    "nothing comes": say_nothing,
    "half a status line comes": answering(b"HTTP/1.1 20"),
    "no HTTP comes": answering(b"220 smtp.example ready\r\n\r\n"),
    "half a body comes": answering(b'HTTP/1.1 503 Busy\r\nContent-Length: 200\r\n\r\n{"error":'),
    "a gateway's page comes": answering(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 13\r\n\r\n<html></html>"),
}


@pytest.mark.parametrize("verb", ["assess", "install"])
@pytest.mark.parametrize("manners", LOST.values(), ids=LOST.keys())
def test_a_request_that_arrived_and_was_not_answered_stays_open(
    world: World, tmp_path: Path, manners: Manners, verb: str
) -> None:
    with serving(tmp_path, manners) as server, azure_at(world, server.ca, server.port) as azure:
        answer = start(world, azure, verb)
    assert isinstance(answer, Unanswered)
    assert answer.detail
    assert len(server.requests) == 1
    assert server.requests[0].startswith("POST ")


def test_an_answer_over_the_wire_is_understood(world: World, tmp_path: Path) -> None:
    """The server of these tests can also be heard: the tests above fail for the right reason."""
    headers = b"Location: https://x/result\r\nAzure-AsyncOperation: https://x/status\r\nRetry-After: 7\r\n"
    manners = answering(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n" + headers + b"\r\n")
    with serving(tmp_path, manners) as server, azure_at(world, server.ca, server.port) as azure:
        answer = start(world, azure, "assess")
    assert answer == Accepted(url="https://x/status", result_url="https://x/result", retry_after=7)
    assert len(server.requests) == 1


@pytest.mark.parametrize("verb", ["assess", "install"])
def test_a_refused_connection_means_not_sent(world: World, tmp_path: Path, verb: str) -> None:
    with serving(tmp_path, hang_up) as server, azure_at(world, server.ca) as azure:
        answer = start(world, azure, verb)
    assert isinstance(answer, NotSent)
    assert server.requests == []


def test_an_untrusted_certificate_is_never_taken_for_an_answer(world: World, tmp_path: Path) -> None:
    """Nothing has left, but the pipeline cannot prove it: the careful reading is allowed, a yes is not."""
    other = tmp_path / "other"
    other.mkdir()
    with serving(tmp_path, hang_up) as server, serving(other, hang_up) as stranger:
        with azure_at(world, stranger.ca, server.port) as azure:
            answer = start(world, azure, "install")
        assert isinstance(answer, NotSent | Unanswered)
        assert server.requests == []


@pytest.mark.parametrize("manners", [hang_up, say_nothing], ids=["hang up", "say nothing"])
def test_a_look_without_an_answer_means_look_again(world: World, tmp_path: Path, manners: Manners) -> None:
    with serving(tmp_path, manners) as server, azure_at(world, server.ca, server.port) as azure:
        operation = accepted(world.one(vm=True), world.clock.now, f"{azure.endpoint}/status")
        assert look(azure, operation) == Running(retry_after=LOOK_AGAIN)
    assert len(server.requests) == 1


def test_a_look_that_is_answered_with_a_gateways_page_means_look_again(world: World, tmp_path: Path) -> None:
    page = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>")
    with serving(tmp_path, page) as server, azure_at(world, server.ca, server.port) as azure:
        assert not isinstance(
            look(azure, accepted(world.one(vm=True), world.clock.now, f"{azure.endpoint}/status")), Finished
        )


@pytest.mark.parametrize("manners", [hang_up, say_nothing], ids=["hang up", "say nothing"])
def test_reading_without_an_answer_is_a_cloud_error_without_a_status(
    world: World, tmp_path: Path, manners: Manners
) -> None:
    with serving(tmp_path, manners) as server, azure_at(world, server.ca, server.port) as azure:
        error = failure(azure)
    assert error.status == 0
    assert error.code.startswith("Service")


def failure(azure: Azure) -> CloudError:
    with pytest.raises(CloudError) as raised:
        subscriptions(azure)
    return raised.value
