"""Policies of the SDK's pipeline. Imported when the first client is built: they need azure.core, which costs time."""

from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import RetryPolicy, SansIOHTTPPolicy

from shared.cloud.clock import Clock


class Retry(RetryPolicy[Any, Any]):
    """The SDK's own, but a throttled request is not waited for: it would hold a function for as long as Azure says."""

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        return response.http_response.status_code != 429 and super().is_retry(settings, response)


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
