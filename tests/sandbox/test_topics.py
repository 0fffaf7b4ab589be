"""Topics: what the official publisher sends is taken, journalled and handed on; what Event Grid refuses is refused."""

import json
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.core.messaging import CloudEvent
from azure.eventgrid._legacy import EventGridPublisherClient

from infra.local.sandbox.http import Request, Response
from infra.local.sandbox.identity import EVENT_GRID
from infra.local.sandbox.transport import SandboxTransport
from tests.sandbox.contracts import FOLDER
from tests.sandbox.world import ORIGIN, Holder, World

PATH = "/topics/maintenance/api/events"
URL = f"{ORIGIN}{PATH}"
HOOK = "https://hook.invalid/"
EXAMPLE = FOLDER / "Microsoft.EventGrid/data-plane-2018-01-01/examples/PublishEventsToEventGridTopicAsCloudEvents.json"


@pytest.fixture
def world() -> World:
    return World()


def client(world: World, token: str = "", **options: Any) -> EventGridPublisherClient:  # noqa: ANN401 - SDK's own
    transport = SandboxTransport(world.sandbox, sleep=world.clock.advance)
    return EventGridPublisherClient(URL, Holder(token or world.token), transport=transport, retry_total=0, **options)


def event(**more: object) -> CloudEvent[Any]:
    given: dict[str, Any] = {"source": "/here", "type": "T", "id": "1", "subject": "s", "data": {"a": 1}, **more}
    return CloudEvent(**given)


def subscribe(world: World, topic: str = "maintenance") -> None:
    assert world.send("POST", "/sandbox/subscriptions", {"topic": topic, "url": HOOK}).status == 204


def post(world: World, body: bytes, kind: str = "application/cloudevents-batch+json") -> Response:
    headers = {"Authorization": f"Bearer {world.token}", "Content-Type": kind}
    return world.sandbox.handle(Request(method="POST", url=f"{URL}?api-version=2018-01-01", headers=headers, body=body))


def test_the_official_publisher_reaches_the_journal_and_who_subscribes(world: World) -> None:
    subscribe(world, "Maintenance")
    subscribe(world, "other")
    client(world).send([event(), event(id="2")])
    seen = world.journal("eventPublished")
    assert [(each["topic"], each["published"]["id"]) for each in seen] == [("maintenance", "1"), ("maintenance", "2")]
    assert {name: seen[0]["published"][name] for name in ("source", "type", "subject", "data", "specversion")} == {
        "source": "/here", "type": "T", "subject": "s", "data": {"a": 1}, "specversion": "1.0",
    }  # fmt: skip
    going = world.sandbox.outgoing()
    assert [(each.url, each.event["id"]) for each in going] == [(HOOK, "1"), (HOOK, "2")]
    assert world.sandbox.outgoing() == []
    world.sandbox.delivered(going[0], 200)
    (delivered,) = world.journal("eventDelivered")
    assert (delivered["id"], delivered["type"], delivered["status"]) == ("1", "T", 200)


def test_azures_published_example_is_taken(world: World) -> None:
    if not EXAMPLE.is_file():
        pytest.skip("no Azure examples beside the project")
    events = json.loads(EXAMPLE.read_text(encoding="utf-8"))["parameters"]["events"]
    assert post(world, json.dumps(events).encode()).status == 200
    assert [each["published"] for each in world.journal("eventPublished")] == events


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/cloudevents-batch+json", 400),
        (b"{}", "application/cloudevents-batch+json", 400),
        (b'[{"id": "1", "source": "s", "type": "t"}]', "application/cloudevents-batch+json", 400),
        (b'[{"id": "", "source": "s", "type": "t", "specversion": "1.0"}]', "application/cloudevents-batch+json", 400),
        (b"[]", "application/json", 415),
        (b" " * (1024 * 1024 + 1), "application/cloudevents-batch+json", 413),
    ],
)
def test_what_is_no_batch_of_events_is_refused_whole(world: World, body: bytes, kind: str, status: int) -> None:
    assert post(world, body, kind).status == status
    assert world.journal("eventPublished") == []


def test_a_token_for_something_else_is_refused(world: World) -> None:
    """The managed identity gets one for topics, and one for ARM is no good there."""
    headers = {"X-IDENTITY-HEADER": world.sandbox.identity_header}

    def token(resource: str) -> str:
        url = f"{ORIGIN}/msi/token?api-version=2019-08-01&resource={resource}"
        answer = world.sandbox.handle(Request(method="GET", url=url, headers=headers))
        return str(json.loads(answer.body)["access_token"])

    client(world, token(EVENT_GRID)).send(event())
    with pytest.raises(ClientAuthenticationError):
        client(world, token("https://management.azure.com")).send(event())
    assert world.send("GET", "/subscriptions?api-version=2022-12-01", token=token(EVENT_GRID)).status == 401
    assert len(world.journal("eventPublished")) == 1


def test_faults_befall_topics_too(world: World) -> None:
    world.fault("status", path_contains="/topics/", status=503, effect=True)
    with pytest.raises(HttpResponseError):
        client(world).send(event())
    assert len(world.journal("eventPublished")) == 1


def test_a_wrong_subscription_is_refused(world: World) -> None:
    assert world.send("POST", "/sandbox/subscriptions", {"topic": "t"}).status == 400
