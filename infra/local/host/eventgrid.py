"""The webhook through which Event Grid reaches functions: `/runtime/webhooks/EventGrid?functionName=NAME&code=KEY`.

As in Azure it takes a key and no token: App Service authentication has to leave this path out. Source: Azure Functions,
Event Grid trigger, and "Webhook event delivery" for the two handshakes.
"""

import asyncio
import hmac
import json
from collections.abc import Iterable
from typing import Any, Final

from aiohttp import web

from infra.local.host.invoker import Invoker
from infra.local.host.metadata import EventGridTrigger, Function
from infra.local.host.wire import Json

PATH: Final = "/runtime/webhooks/eventgrid"
"""In lower case."""
_VALIDATION: Final = "SubscriptionValidation"


class EventGrid:
    """Hands each event of a delivery to the function it is for."""

    def __init__(self, functions: Iterable[Function], invoker: Invoker, key: str) -> None:
        triggered = (each for each in functions if isinstance(each.trigger, EventGridTrigger))
        self._functions = {each.name.lower(): each for each in triggered}
        self._invoker = invoker
        self._key = key

    async def handle(self, request: web.Request) -> web.Response:
        """202 when every event was handled; 500, so that Event Grid comes again, when one was not."""
        given = request.query.get("code", "")
        if not hmac.compare_digest(given.encode(), self._key.encode()):
            return web.Response(status=401)
        function = self._functions.get(request.query.get("functionName", "").lower())
        if function is None:
            return web.Response(status=404)
        if request.method == "OPTIONS":
            origin = request.headers.get("WebHook-Request-Origin", "")
            return web.Response(headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"})
        events = _read(await request.read()) if request.method == "POST" else None
        if events is None:
            return web.Response(status=400)
        if request.headers.get("aeg-event-type") == _VALIDATION:
            return web.json_response({"validationResponse": events[0]["data"]["validationCode"]})
        return await self._deliver(function, events)

    async def _deliver(self, function: Function, events: list[dict[str, Any]]) -> web.Response:
        runs = (self._invoker.invoke(function, Json(value=json.dumps(each)), {}) for each in events)
        outcomes = await asyncio.gather(*runs)
        return web.Response(status=202 if all(each.succeeded for each in outcomes) else 500)


def _read(body: bytes) -> list[dict[str, Any]] | None:
    """A batch in Event Grid's schema, or one event in that of CloudEvents; None for anything else."""
    try:
        given = json.loads(body)
    except ValueError:
        return None
    events = given if isinstance(given, list) else [given]
    return events if events and all(isinstance(each, dict) for each in events) else None
