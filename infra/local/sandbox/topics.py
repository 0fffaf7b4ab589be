"""Event Grid, as far as the app and its handlers need it: a topic takes CloudEvents, and delivers them to webhooks.

A topic is `/topics/{name}/api/events` here; in Azure its name is part of the host's. Any name is one. Who subscribes is
told by `POST /sandbox/subscriptions {"topic", "url"}`.
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from infra.local.sandbox.http import Json, Refusal, Request, Response, json_object, json_response
from infra.local.sandbox.journal import Journal

# Source: azure-eventgrid and the data-plane specification of topics.
VERSION = "2018-01-01"
CONTENT = "application/cloudevents-batch+json"
LARGEST_BYTES = 1024 * 1024
"""Of one request. Source: Event Grid quotas and limits."""
RETRIES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each attempt of a delivery; Event Grid itself waits 10 s, 30 s, a minute and so on, up to 24 h."""
_PATH = re.compile(r"/topics/([^/]+)/api/events/?", re.IGNORECASE)
_NEEDED = ("id", "source", "type", "specversion")


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one webhook."""

    url: str
    event: Json


class Topics:
    """Who subscribes to which topic, and what is still to be delivered."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._subscribers: list[tuple[str, str]] = []
        self._outgoing: list[Delivery] = []

    def subscribe(self, request: Request) -> Response:
        """Raises Refusal 400 for a body without topic and url."""
        body = json_object(request.body)
        topic, url = body.get("topic"), body.get("url")
        if not isinstance(topic, str) or not isinstance(url, str):
            raise Refusal(400, "InvalidRequest", "A subscription has a topic and a url.")
        self._subscribers.append((topic.lower(), url))
        return Response(status=204)

    def publish(self, request: Request, now: datetime) -> Response:
        """Takes a batch whole or not at all. Raises Refusal as Event Grid would refuse it."""
        match = _PATH.fullmatch(request.path)
        if match is None:
            raise Refusal(404, "NotFound", "There is no such topic.")
        events = _read(request)
        self.take(match.group(1), events, now)
        return json_response({})

    def take(self, topic: str, events: Sequence[Json], now: datetime) -> None:
        """Journals the events, and hands them to whoever subscribes."""
        for event in events:
            self._journal.note("eventPublished", now, {"topic": topic, "published": event})
            urls = [url for name, url in self._subscribers if name == topic.lower()]
            self._outgoing += [Delivery(url=url, event=event) for url in urls]

    def outgoing(self) -> list[Delivery]:
        """What is to be delivered now; each is given out once."""
        given, self._outgoing = self._outgoing, []
        return given

    def delivered(self, delivery: Delivery, status: int, now: datetime) -> None:
        """Notes an attempt; status 0: nobody answered."""
        facts = {"id": delivery.event["id"], "type": delivery.event["type"], "url": delivery.url, "status": status}
        self._journal.note("eventDelivered", now, facts)


def is_for_a_topic(request: Request) -> bool:
    return request.path.lower().startswith("/topics/")


def _read(request: Request) -> list[Json]:
    if request.method.upper() != "POST":
        raise Refusal(405, "MethodNotAllowed", "A topic takes POST.")
    if request.query.get("api-version") != VERSION:
        raise Refusal(400, "BadRequest", f"The api-version of a topic is {VERSION}.")
    if len(request.body) > LARGEST_BYTES:
        raise Refusal(413, "PayloadTooLarge", "The request is larger than 1 MB.")
    if request.header("Content-Type").partition(";")[0].strip().lower() != CONTENT:
        raise Refusal(415, "UnsupportedMediaType", f"This topic takes {CONTENT}.")
    try:
        events = json.loads(request.body)
    except ValueError as error:
        raise Refusal(400, "BadRequest", f"The events are no JSON: {error}.") from error
    if not isinstance(events, list) or not all(_is_event(each) for each in events):
        raise Refusal(400, "BadRequest", f"Every event has {', '.join(_NEEDED)}; specversion is 1.0.")
    return events


def _is_event(event: object) -> bool:
    return isinstance(event, dict) and all(event.get(name) for name in _NEEDED) and event["specversion"] == "1.0"
