"""The twin of Queue Storage keeps its contract: each test runs on the twin and on Azurite."""

import base64
import time
import uuid
from typing import NamedTuple, Protocol

import pytest

from infra.local.azurite import Azurite
from shared.domain.messages import AdvanceRun, CountFleet
from shared.store.queue import Queues, open_queues
from tests.simulation.queues import QueueAccount, TwinQueues
from tests.simulation.steps import Hub

KINDS = ("twin", "azurite")
LONGEST_WAIT = 20.0
"""Seconds for a message of one second to show on a busy machine."""


class Received(NamedTuple):
    """What the host gets: the text that was sent, and how often it was given out."""

    text: str
    deliveries: int
    handle: object


class Driver(Protocol):
    """The app's side of the queues, and the host's."""

    queues: Queues

    def receive(self, queue: str, seconds: float) -> Received | None: ...

    def delete(self, received: Received, queue: str) -> None: ...

    def receive_later(self, queue: str) -> Received | None:
        """The message that shows within a second or two."""
        ...


class TwinDriver:
    def __init__(self) -> None:
        self.now = 0.0
        self.twin = TwinQueues(QueueAccount(lambda: self.now), Hub())
        self.queues: Queues = self.twin

    def receive(self, queue: str, seconds: float) -> Received | None:
        stored = self.twin.receive(queue, seconds)
        return Received(stored.text, stored.deliveries, stored) if stored else None

    def delete(self, received: Received, queue: str) -> None:
        self.twin.delete(received.handle)  # type: ignore[arg-type]  # a handle of ours

    def receive_later(self, queue: str) -> Received | None:
        self.now += 1.5
        return self.receive(queue, 30)


class AzuriteDriver:
    """As the Functions host does it: base64 text, visibility, pop receipts."""

    def __init__(self, azurite: Azurite) -> None:
        from azure.storage.queue import QueueServiceClient

        self.queues = open_queues(azurite.connection_string)
        self.service: QueueServiceClient = QueueServiceClient.from_connection_string(azurite.connection_string)

    def receive(self, queue: str, seconds: float) -> Received | None:
        with self.service.get_queue_client(queue) as client:
            message = client.receive_message(visibility_timeout=max(1, int(seconds)))
        if message is None:
            return None
        return Received(base64.b64decode(message.content).decode(), message.dequeue_count or 0, message)

    def delete(self, received: Received, queue: str) -> None:
        with self.service.get_queue_client(queue) as client:
            client.delete_message(received.handle)  # type: ignore[arg-type]  # a handle of ours

    def receive_later(self, queue: str) -> Received | None:
        """Polled: Azurite's visibility runs on its own clock."""
        deadline = time.monotonic() + LONGEST_WAIT
        while (received := self.receive(queue, 30)) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        return received


@pytest.fixture(params=KINDS)
def driver(request: pytest.FixtureRequest) -> Driver:
    return TwinDriver() if request.param == "twin" else AzuriteDriver(request.getfixturevalue("azurite"))


@pytest.fixture
def queue(driver: Driver) -> str:
    name = f"q{uuid.uuid4().hex}"
    driver.queues.ensure(name)
    driver.queues.ensure(name)
    return name


def test_a_text_is_received_as_it_was_sent_until_it_is_deleted(driver: Driver, queue: str) -> None:
    driver.queues.send_text(queue, '{"ä": "😀"}')
    assert driver.queues.length(queue) == 1
    received = driver.receive(queue, 30)
    assert received is not None
    assert (received.text, received.deliveries) == ('{"ä": "😀"}', 1)
    assert driver.queues.length(queue) == 1
    driver.delete(received, queue)
    assert driver.queues.length(queue) == 0
    assert driver.receive(queue, 30) is None


def test_a_received_message_hides_and_shows_again_counted(driver: Driver, queue: str) -> None:
    driver.queues.send_text(queue, "x")
    assert driver.receive(queue, 1) is not None
    assert driver.receive(queue, 1) is None
    again = driver.receive_later(queue)
    assert again is not None
    assert again.deliveries == 2


def test_a_delayed_message_shows_when_it_is_due(driver: Driver, queue: str) -> None:
    driver.queues.send_text(queue, "later", 1)
    driver.queues.send_text(queue, "now", -5)
    first = driver.receive(queue, 30)
    assert first is not None
    assert first.text == "now"
    assert driver.receive(queue, 30) is None
    second = driver.receive_later(queue)
    assert second is not None
    assert second.text == "later"


def test_a_message_goes_to_the_queue_of_its_kind(driver: Driver) -> None:
    for name in ("runs", "fleet"):
        driver.queues.ensure(name)
    before = driver.queues.length("runs"), driver.queues.length("fleet")
    driver.queues.send(AdvanceRun(run="r"), 3600)
    driver.queues.send(CountFleet(), 99999)
    assert (driver.queues.length("runs"), driver.queues.length("fleet")) == (before[0] + 1, before[1] + 1)
    assert driver.queues.length(f"n{uuid.uuid4().hex}") == 0
