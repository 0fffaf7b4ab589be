"""Between the app and the sandbox on a day with a window: troubled machines, and a topic that may be down."""

import json
from collections.abc import Callable
from typing import Any

from infra.local.sandbox.http import Request, Response
from infra.local.sandbox.topics import is_for_a_topic
from tests.simulation.wire import NeverConnected, Sent, Wire, error_response


class WindowWire(Wire):
    """On which every start of some machines meets the same trouble."""

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]  # as its own
        self.troubles: dict[str, str] = {}
        self.on_first: Callable[[str], None] | None = None
        """Told once, at the first installation that Azure accepts: on which machine."""
        self.on_published: Callable[[dict[str, Any]], None] = lambda event: None
        """Told of every event that the topic took."""
        self.is_down: Callable[[], bool] = lambda: False
        """Whether the topic takes nothing now."""

    def _pass_on(self, request: Request) -> Response:
        if not is_for_a_topic(request):
            return super()._pass_on(request)
        if self.is_down():
            return error_response(503, "ServerError")
        answer = super()._pass_on(request)
        if answer.status == 200:
            for event in json.loads(request.body):
                self.on_published(event)
        return answer

    def _arrive(self, request: Request, sent: Sent) -> Response:
        trouble = self.troubles.get(sent.machine) if sent.verb == "installPatches" else None
        match trouble:
            case None:
                return self._taken(super()._arrive(request, sent), sent)
            case "unsent":
                raise NeverConnected
            case "throttled":
                return error_response(429, "TooManyRequests", 20)
            case "busy":
                return error_response(409, "Conflict")
        return error_response(403, "AuthorizationFailed")

    def _taken(self, answer: Response, sent: Sent) -> Response:
        if sent.verb == "installPatches" and sent.accepted and self.on_first:
            self.on_first(sent.machine)
            self.on_first = None
        return answer
