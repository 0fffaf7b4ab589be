"""The last policy before the wire. Imported when the first client is built: it needs azure.core, which costs time."""

from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy

from shared.cloud.clock import Clock


class Gate(SansIOHTTPPolicy[Any, Any]):
    """Holds a request to its Departure, and reads Azure's time off each answer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Raises TimeoutError when the request may not leave any more; it then has not left."""
        departure = request.context.setdefault("departure", request.context.options.pop("departure", None))
        if departure:
            departure.leave(self._clock.now())
        request.context["asked"] = self._clock.local()

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        date = response.http_response.headers.get("Date")
        if date:
            self._clock.observe(date, request.context["asked"])
