"""Requests exactly as a test writes them, whatever a well-behaved client would refuse to send."""

import contextlib
import http.client
import json
import socket
from urllib.parse import quote, urlsplit

import msgspec

from tests.triggers.bad import Bad

SECONDS = 20


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came back; status 0: the connection ended without an answer."""

    status: int
    body: bytes = b""
    content_type: str = ""
    retry_after: str = ""


def ask(base: str, token: str, bad: Bad) -> Reply:
    """One request on a connection of its own."""
    url = urlsplit(base)
    assert url.hostname is not None
    with socket.create_connection((url.hostname, url.port or 80), SECONDS) as wire:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # answered before it had read everything
            wire.sendall(_head(url.netloc, token, bad) + bad.body)
        return _reply(wire, bad.method)


def _reply(wire: socket.socket, method: str) -> Reply:
    answer = http.client.HTTPResponse(wire, method=method)
    try:
        answer.begin()
        headers, body = answer.headers, answer.read()
        told = {"content_type": headers.get("Content-Type", ""), "retry_after": headers.get("Retry-After", "")}
        return Reply(status=answer.status, body=body, **told)
    except (http.client.HTTPException, ConnectionResetError):
        return Reply(status=0)
    finally:
        answer.close()


def _head(host: str, token: str, bad: Bad) -> bytes:
    headers = {"Host": host, "Content-Type": "application/json", **bad.headers}
    authorization = bad.authorization if bad.unauthorized else f"Bearer {token}"
    if authorization is not None:
        headers["Authorization"] = authorization
    headers |= {"Content-Length": str(len(bad.body)), "Connection": "close"}
    target = quote(bad.target, safe="%/?&=$!,.-~*'()+:;@[]{}|\\\"<>^`#")
    lines = [f"{bad.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def fault(bad: Bad, reply: Reply) -> str:
    """What is wrong with an answer to a bad request; empty when nothing is."""
    if reply.status == 0 or reply.status >= 500:
        return f"{reply.status} {reply.body[:200]!r}"
    if reply.status < 400 or bad.method == "HEAD":
        return ""
    is_platforms = bad.target.lower().startswith(("/admin", "/runtime", "/.auth"))
    if is_platforms or (reply.status == 401 and bad.unauthorized):
        return ""  # the platform or its authentication answers; the request never reaches the app
    return _unlike_azure(reply)


def _unlike_azure(reply: Reply) -> str:
    try:
        error = json.loads(reply.body)["error"]
        right = all(isinstance(error[name], str) and error[name] for name in ("code", "message"))
        right = right and isinstance(error["details"], list) and isinstance(error.get("target", ""), str)
    except (ValueError, KeyError, TypeError, RecursionError):
        right = False
    right = right and reply.content_type.startswith("application/json")
    return "" if right else f"{reply.status} without Azure's error body: {reply.body[:200]!r}"
