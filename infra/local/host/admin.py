"""The host's own API under /admin, behind the master key: run a function now, list functions, status.

Source: "Manually run a non HTTP-triggered function".
"""

import asyncio
import uuid
from datetime import datetime, timedelta
from typing import Final

import msgspec
from aiohttp import web

from infra.local.host.invoker import Invoker
from infra.local.host.log import Clock
from infra.local.host.metadata import EventGridTrigger, Function, HttpTrigger, QueueTrigger
from infra.local.host.payloads import NEVER, QueueItem, ScheduleStatus, queue_input, queue_metadata, timer_input
from infra.local.host.wire import Input, Json, Metadata

_PREFIX: Final = "/admin/functions/"


class _Body(msgspec.Struct, frozen=True):
    input: str = ""


class Admin:
    """Answers requests whose key was checked already."""

    def __init__(self, functions: tuple[Function, ...], invoker: Invoker, now: Clock) -> None:
        self._functions = {function.name.lower(): function for function in functions}
        self._invoker = invoker
        self._now = now
        self._began = now()
        self._running: set[asyncio.Task[object]] = set()

    async def handle(self, method: str, path: str, body: bytes) -> web.Response:
        """`path` in lower case."""
        if method == "GET" and path == "/admin/host/status":
            return self._status()
        if method == "GET" and path == "/admin/functions":
            return web.json_response([_listed(function) for function in self._functions.values()])
        if method == "POST" and path.startswith(_PREFIX):
            function = self._functions.get(path.removeprefix(_PREFIX))
            return web.Response(status=404) if function is None else self._start(function, body)
        return web.Response(status=404)

    def _status(self) -> web.Response:
        uptime = int((self._now() - self._began) / timedelta(milliseconds=1))
        return web.json_response({"id": "local", "state": "Running", "version": "local", "processUptime": uptime})

    def _start(self, function: Function, body: bytes) -> web.Response:
        if isinstance(function.trigger, HttpTrigger):
            return web.Response(status=400, text=f"{function.name} is an HTTP function: call its route.")
        try:
            text = msgspec.json.decode(body, type=_Body).input if body.strip() else ""
        except msgspec.DecodeError as error:
            return web.Response(status=400, text=f'The body must be {{"input": "..."}}: {error}.')
        value, metadata = _payload(function, text, self._now())
        task: asyncio.Task[object] = asyncio.create_task(self._invoker.invoke(function, value, metadata))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return web.Response(status=202)


def _payload(function: Function, text: str, now: datetime) -> tuple[Input, dict[str, Metadata]]:
    if isinstance(function.trigger, EventGridTrigger):
        return Json(value=text), {}
    if isinstance(function.trigger, QueueTrigger):
        item = QueueItem(
            id=str(uuid.uuid4()),
            body=text.encode(),
            dequeue_count=1,
            inserted=now,
            expires=now + timedelta(days=7),
            next_visible=now,
            pop_receipt="",
        )
        return queue_input(item, function.trigger.binary), queue_metadata(item)
    return timer_input(False, ScheduleStatus(last=NEVER, next=now, last_updated=now)), {}


def _listed(function: Function) -> dict[str, object]:
    bindings = [msgspec.json.decode(raw) for raw in function.bindings]
    return {"name": function.name, "language": "python", "config": {"bindings": bindings}}
