"""Queues: what the Functions host will receive, when, and that no message expires."""

import base64
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import msgspec
import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage, QueueServiceClient

from infra.local.azurite import Azurite
from shared.domain.messages import QUEUES
from shared.store.queue import LONGEST_DELAY, Queues, open_queues
from tests.domain.test_messages import EVERY
from tests.store.wire import Sent, Wire

WAIT_SECONDS = 20


@pytest.fixture
def queues(azurite: Azurite, name: str) -> Queues:
    queues = open_queues(azurite.connection_string)
    queues.ensure(name)
    return queues


@pytest.fixture
def reader(azurite: Azurite, name: str) -> Iterator[QueueClient]:
    with QueueClient.from_connection_string(azurite.connection_string, name) as client:
        yield client


def texts(reader: QueueClient) -> list[str]:
    """What can be received at this moment, decoded as the host decodes it."""
    return [base64.b64decode(each.content, validate=True).decode() for each in reader.receive_messages()]


def received(reader: QueueClient) -> QueueMessage:
    """The next message, waited for."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        message = reader.receive_message()
        if message is not None:
            return message
        assert time.monotonic() < deadline, "no message came"
        time.sleep(0.05)


@pytest.mark.parametrize("text", ['{"run":"r"}', '{"name":"ä 日 😀 <&>"}', "", "{}", "x" * 40_000])
def test_a_text_arrives_in_base64(queues: Queues, reader: QueueClient, name: str, text: str) -> None:
    queues.send_text(name, text)
    assert texts(reader) == [text]


def test_a_message_never_expires(queues: Queues, reader: QueueClient, name: str) -> None:
    """Azure's default is seven days, after which a machine would be forgotten."""
    queues.send_text(name, "{}")
    expires = received(reader).expires_on
    assert expires is not None
    assert expires > datetime.now(UTC) + timedelta(days=365 * 100)


def test_a_delayed_message_comes_later(queues: Queues, reader: QueueClient, name: str) -> None:
    queues.send_text(name, "later", delay=2)
    queues.send_text(name, "now")
    assert texts(reader) == ["now"]
    message = received(reader)
    assert base64.b64decode(message.content) == b"later"
    assert message.inserted_on is not None
    assert datetime.now(UTC) >= message.inserted_on + timedelta(seconds=2)


def sent(wire: Wire) -> list[Sent]:
    return [each for each in wire.seen if each.path.endswith("/messages")]


@pytest.mark.parametrize(("delay", "waits"), [(-5, 0), (0, 0), (1, 1), (3_600, 3_600), (3_601, 3_600), (10**6, 3_600)])
def test_delays_on_the_wire(watched_queues: QueueServiceClient, wire: Wire, name: str, delay: int, waits: int) -> None:
    """At most an hour: what is due later waits in the agenda."""
    queues = Queues(watched_queues)
    queues.ensure(name)
    queues.send_text(name, "{}", delay)
    (request,) = sent(wire)
    assert request.query["visibilitytimeout"] == str(waits)
    assert request.query["messagettl"] == "-1"
    assert LONGEST_DELAY == 3_600


def test_every_message_goes_to_its_queue(watched_queues: QueueServiceClient, wire: Wire) -> None:
    queues = Queues(watched_queues)
    try:
        for message in EVERY:
            queues.ensure(QUEUES[type(message)])
            queues.send(message, LONGEST_DELAY)
        requests = sent(wire)
        assert [each.path.split("/")[-2] for each in requests] == [QUEUES[type(message)] for message in EVERY]
        for request, message in zip(requests, EVERY, strict=True):
            text = ElementTree.fromstring(request.body).findtext("MessageText")  # noqa: S314 - what we sent ourselves
            assert msgspec.json.decode(base64.b64decode(text or ""), type=type(message)) == message
    finally:
        for queue in QUEUES.values():
            watched_queues.get_queue_client(queue).clear_messages()


def test_length_counts_what_waits(queues: Queues, name: str) -> None:
    assert queues.length(name) == 0
    for _ in range(3):
        queues.send_text(name, "{}", delay=600)
    assert queues.length(name) == 3


def test_a_queue_that_was_never_used_is_empty(queues: Queues, name: str) -> None:
    assert queues.length(f"{name}-poison") == 0


def test_ensure_may_be_repeated_and_keeps_what_waits(queues: Queues, name: str) -> None:
    queues.send_text(name, "{}")
    queues.ensure(name)
    assert queues.length(name) == 1


def test_sending_to_a_missing_queue_is_an_error(queues: Queues, name: str) -> None:
    """A message is never dropped silently."""
    with pytest.raises(ResourceNotFoundError):
        queues.send_text(f"{name}-missing", "{}")
