"""A door before a server: every request goes through it unchanged, and one may be held while something is killed.

What is held is a real request of the app on its way to Azurite or to ARM; nothing in the app knows of it.
"""

import asyncio
import ssl
import threading
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote

import aiohttp
import msgspec
import yarl
from aiohttp import web

LARGEST_BODY_BYTES = 8 * 1024 * 1024
"""A transaction of Table Storage has at most 4 MiB, and its envelope."""

START_SECONDS = 10.0
HOP_BY_HOP = frozenset({"transfer-encoding", "connection", "keep-alive", "content-length"})
SIGNED = ("Content-Type", "User-Agent", "Accept", "Accept-Encoding")
"""A request to storage is signed with its headers: none may be added."""

_T = TypeVar("_T")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `door`: the relay's name; `ports`: of the sender and ours; `status`: 0 before the answer.

    `size`: bytes of the answer's body.
    """

    door: str
    method: str
    path: str
    body: str
    headers: dict[str, str]
    ports: tuple[int, int]
    status: int = 0
    size: int = 0


class Watch(Protocol):
    """Told of each request twice: before it goes on, and when its answer is there."""

    async def pass_on(self, seen: Seen) -> bool:
        """May take its time. False: the sender never gets an answer, and before the answer the server no request."""
        ...


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """One relay: its name, where its requests really go at this moment, and how much Azure's time is put forward."""

    name: str
    target: Callable[[], str]
    ahead: Callable[[], timedelta] = timedelta
    server: ssl.SSLContext | None = None
    client: ssl.SSLContext | bool = True


class Relay:
    """Several doors and the thread they are served in. `close` ends it."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._loop = asyncio.new_event_loop()
        self._runners: list[web.AppRunner] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._thread.start()

    def open(self, door: Door) -> str:
        """Listens on a free port of loopback; its address, without a path."""
        return self.run(self._open(door))

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Runs something in the relay's thread and waits for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_SECONDS)

    def call(self, act: Callable[[], object]) -> None:
        """Does something in the relay's thread, soon."""
        self._loop.call_soon_threadsafe(act)

    def close(self) -> None:
        self.run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_SECONDS)
        self._loop.close()

    async def _open(self, door: Door) -> str:
        app = web.Application(client_max_size=LARGEST_BODY_BYTES)
        # Azurite closes idle connections after 5 s: only ARM's, where each costs a handshake, are kept.
        connector = aiohttp.TCPConnector(force_close=door.server is None, limit=0)
        session = aiohttp.ClientSession(connector=connector, auto_decompress=False, skip_auto_headers=SIGNED)

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._handle(door, session, request)

        async def end(_: web.Application) -> None:
            await session.close()

        app.router.add_route("*", "/{path:.*}", handle)
        app.on_cleanup.append(end)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=door.server)
        await site.start()
        self._runners.append(runner)
        port = runner.addresses[0][1]
        return f"{'https' if door.server else 'http'}://127.0.0.1:{port}"

    async def _close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()

    async def _handle(self, door: Door, session: aiohttp.ClientSession, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.read()
        except ConnectionResetError:  # the sender died in the middle of its request
            return _gone(request)
        seen = _seen(door, request, body)
        if not await self._watch.pass_on(seen):
            return _gone(request)
        url = yarl.URL(f"{door.target()}{request.raw_path}", encoded=True)
        try:
            async with session.request(
                request.method, url, data=body or None, headers=request.headers, ssl=door.client, allow_redirects=False
            ) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, OSError):  # the server is down: its clients see a broken connection
            return _gone(request)
        if not await self._watch.pass_on(msgspec.structs.replace(seen, status=answer.status, size=len(content))):
            return _gone(request)
        return _answer(answer, content, door.ahead())


def _seen(door: Door, request: web.Request, body: bytes) -> Seen:
    ends = [request.transport.get_extra_info(end) for end in ("peername", "sockname")] if request.transport else []
    return Seen(
        door=door.name,
        method=request.method,
        path=unquote(request.raw_path),
        body=body.decode("utf-8", "replace"),
        headers={name.lower(): value for name, value in request.headers.items()},
        ports=(ends[0][1], ends[1][1]) if all(ends) and ends else (0, 0),
    )


def _gone(request: web.Request) -> web.Response:
    """The connection is broken off without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)


def _answer(answer: aiohttp.ClientResponse, content: bytes, ahead: timedelta) -> web.Response:
    headers = [(name, value) for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP]
    if ahead:
        shown = format_datetime(datetime.now(UTC) + ahead, usegmt=True)
        headers = [(name, value) for name, value in headers if name.lower() != "date"] + [("Date", shown)]
    response = web.Response(status=answer.status, body=content)
    response.headers.clear()
    response.headers.extend(headers)
    return response
