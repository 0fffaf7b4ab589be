"""The sandbox over sockets: HTTPS for ARM and OpenID, plain HTTP for the managed identity alone."""

import asyncio
import json
import signal
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from socket import socket

import trustme
from aiohttp import web

from infra.local.sandbox.cloud import Sandbox
from infra.local.sandbox.couriers import Couriers
from infra.local.sandbox.http import Request, Response

LARGEST_BODY_BYTES = 4 * 1024 * 1024
"""ARM refuses larger requests (page: request limits, 4 MB)."""

_IDENTITY_PATHS = ("/msi/token",)

_Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


def write_certificate(folder: Path) -> tuple[Path, Path, Path]:
    """A new authority and a certificate for loopback: ca.pem, server.pem (whole chain), server.key in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    ca, cert, key = (folder / name for name in ("ca.pem", "server.pem", "server.key"))
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(ca)
    key.touch(mode=0o600)
    issued.private_key_pem.write_to_path(key)
    for position, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(cert, append=position > 0)
    return ca, cert, key


def listen(port: int) -> socket:
    """A listening socket on loopback; port 0 takes a free one."""
    sock = socket()
    try:
        sock.bind(("127.0.0.1", port))
        sock.listen(128)
    except OSError:
        sock.close()
        raise
    return sock


async def serve(sandbox: Sandbox, arm: socket, identity: socket, folder: Path) -> None:
    """Serves until SIGTERM or SIGINT; prints one JSON line on standard output when both sockets answer."""
    ca, cert, key = write_certificate(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    couriers = Couriers(sandbox, ca)
    everything = _everything(sandbox, couriers)
    runners = [await _start(everything, arm, context), await _start(_identity_only(everything), identity, None)]
    stopped = _stop_event()
    ready = {
        "arm": f"https://127.0.0.1:{arm.getsockname()[1]}",
        "identity": f"http://127.0.0.1:{identity.getsockname()[1]}/msi/token",
        "identity_header": sandbox.identity_header,
        "issuer": sandbox.issuer,
        "ca": str(ca),
        "cert": str(cert),
        "key": str(key),
        "token": sandbox.owner_token(),
    }
    print(json.dumps(ready), flush=True)
    await stopped.wait()
    await couriers.stop()
    for runner in runners:
        await runner.cleanup()


def _stop_event() -> asyncio.Event:
    """Set by SIGTERM and SIGINT; the loop's own signal handlers do not exist on Windows."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopped.set))
    return stopped


async def _start(handle: _Handle, sock: socket, context: ssl.SSLContext | None) -> web.AppRunner:
    app = web.Application(client_max_size=LARGEST_BODY_BYTES)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.SockSite(runner, sock, ssl_context=context).start()
    return runner


def _everything(sandbox: Sandbox, couriers: Couriers) -> _Handle:
    async def handle(request: web.Request) -> web.StreamResponse:
        seen = Request(
            method=request.method,
            url=f"{request.scheme}://{request.host}{request.raw_path}",
            headers=dict(request.headers),
            body=await request.read(),
        )
        answer = await asyncio.to_thread(sandbox.handle, seen)
        couriers.send_off()
        return await _deliver(request, answer)

    return handle


async def _deliver(request: web.Request, answer: Response) -> web.StreamResponse:
    """Sends the answer as its delivery says: late, cut short, or not at all."""
    if answer.delivery.late:
        await asyncio.sleep(answer.delivery.late)
    if answer.delivery.lost:
        _hang_up(request)
        return web.Response()
    if answer.delivery.cut:
        return await _cut(request, answer)
    return web.Response(status=answer.status, headers=dict(answer.headers), body=answer.body)


async def _cut(request: web.Request, answer: Response) -> web.StreamResponse:
    body, announced = answer.truncated()
    headers = {**answer.headers, "Content-Length": str(announced)}
    stream = web.StreamResponse(status=answer.status, headers=headers)
    await stream.prepare(request)
    await stream.write(body)
    _hang_up(request)
    return stream


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


def _identity_only(everything: _Handle) -> _Handle:
    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path not in _IDENTITY_PATHS:
            raise web.HTTPNotFound
        return await everything(request)

    return handle
