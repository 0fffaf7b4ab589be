"""Between the app and the sandbox: one I/O step a request, and a record of every request with an effect."""

import json
from collections.abc import Callable
from datetime import datetime

import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError

from infra.local.sandbox.cloud import Sandbox
from infra.local.sandbox.http import Request, Response
from tests.simulation.steps import Hub, Step

NO_ANSWER = 0
NEVER_LEFT = -1


class Sent:
    """One assessPatches or installPatches POST: what left, what Azure made of it, and what the app was told."""

    __slots__ = ("arrived", "attempt", "body", "left", "machine", "seen", "status", "verb", "was_held")

    def __init__(self, request: Request, left: datetime) -> None:
        path = request.path
        self.machine = path.rpartition("/")[0].lower()
        self.verb = path.rpartition("/")[2]
        self.attempt = request.header("x-ms-client-request-id")
        self.body = request.body
        self.left = left
        self.arrived: datetime | None = None
        self.status = 0
        """Azure's own answer; 0 when nothing arrived."""
        self.seen = NO_ANSWER
        """The status the app was given, or NO_ANSWER, or NEVER_LEFT."""
        self.was_held = True
        """Whether the machine was held for this attempt when the request arrived."""

    @property
    def accepted(self) -> bool:
        return self.status == 202

    @property
    def in_doubt(self) -> bool:
        """The app cannot know that it was refused."""
        return self.seen != NEVER_LEFT and (not 400 <= self.seen < 500 or self.seen == 408)


class Wire:
    """Takes the place of the sandbox for the app's clients."""

    def __init__(self, hub: Hub, sandbox: Sandbox, now: Callable[[], datetime]) -> None:
        self._hub = hub
        self._sandbox = sandbox
        self._now = now
        self.sent: list[Sent] = []
        self.on_arrival: Callable[[Sent], None] = lambda _: None

    def handle(self, request: Request) -> Response:
        """The answer. Raises what `requests` raises when there is none."""
        verb = _verb(request)
        step = Step("arm", verb, request.path)
        if not verb.endswith("Patches"):
            return self._hub.io(step, lambda: self._pass_on(request))
        sent = Sent(request, self._now())
        self.sent.append(sent)
        try:
            answer = self._hub.io(step, lambda: self._arrive(request, sent))
        except NeverConnected:
            sent.seen = NEVER_LEFT
            raise
        sent.seen = answer.status
        return answer

    def _pass_on(self, request: Request) -> Response:
        return self._sandbox.handle(request)

    def _arrive(self, request: Request, sent: Sent) -> Response:
        sent.arrived = self._now()
        self.on_arrival(sent)
        answer = self._sandbox.handle(request)
        sent.status = answer.status
        return answer


class NeverConnected(requests.exceptions.ConnectionError):
    """As `requests` says it when nobody listens: nothing can have arrived."""

    def __init__(self) -> None:
        why = NewConnectionError(None, "refused")  # type: ignore[arg-type]  # the text needs no connection
        super().__init__(MaxRetryError(None, "/", why))  # type: ignore[arg-type]  # likewise no pool


def error_response(status: int, code: str, retry_after: int = 0) -> Response:
    """Azure's error body for an answer that the simulation makes up."""
    headers = {"Content-Type": "application/json"} | ({"Retry-After": str(retry_after)} if retry_after else {})
    body = {"error": {"code": code, "message": "A fault of the simulation."}}
    return Response(status=status, headers=headers, body=json.dumps(body).encode())


def _verb(request: Request) -> str:
    """What is asked, in a few words: the kinds of ARM steps there are."""
    path = request.path
    last = path.rpartition("/")[2]
    if request.method == "POST":
        return last if last.endswith("Patches") else "publish" if last == "events" else "graph"
    if "/locations/" in path:
        return "operation"
    if last == "default":
        return "owner"
    if last == "values":
        return "activity"
    return "list" if last in ("virtualMachines", "machines", "subscriptions") else "machine"
