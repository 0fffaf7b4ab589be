"""Speaks JSON to the app and to the sandbox on loopback, with the sandbox's certificate and a fixed set of headers."""

import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import msgspec

TIMEOUT_SECONDS = 30
"""Everything here is on this machine; only a stuck process needs longer."""

LATER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
"""By these the app says that Azure does not answer now."""

T = TypeVar("T")


class Page(msgspec.Struct, frozen=True, rename={"next": "nextLink"}):
    """Azure's form of a list."""

    value: list[msgspec.Raw]
    next: str | None = None


class Refused(RuntimeError):
    """The other side answered with an error; the message quotes it."""

    def __init__(self, method: str, path: str, status: int, body: bytes) -> None:
        super().__init__(f"{method} {path} was answered with {status}: {body[:400].decode('utf-8', 'replace')}")
        self.status = status


class Client:
    """One address; `ca` is the certificate file that vouches for it when it is https."""

    def __init__(self, base: str, headers: Mapping[str, str], ca: Path) -> None:
        self.base = base
        self._headers = {"Content-Type": "application/json", **headers}
        # Proxies are for the world outside: everything here is loopback.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(ca))),
        )

    def get(self, path: str, kind: type[T]) -> T:
        """The JSON answer. Raises Refused, or OSError when nobody answers."""
        return msgspec.json.decode(self._send("GET", path, None), type=kind)

    def pages(self, path: str, kind: type[T]) -> Iterator[T]:
        """Every member of `value`, over all pages."""
        link: str | None = path
        while link:
            page = self.get(link, Page)
            yield from (msgspec.json.decode(member, type=kind) for member in page.value)
            link = _local(page.next) if page.next else None

    def post(self, path: str, body: object = None) -> None:
        """Sends the body as JSON; the answer is not looked at. Raises Refused, or OSError when nobody answers."""
        self._send("POST", path, msgspec.json.encode({} if body is None else body))

    def put(self, path: str, body: object) -> None:
        """As `post`, with PUT."""
        self._send("PUT", path, msgspec.json.encode(body))

    def _send(self, method: str, path: str, body: bytes | None) -> bytes:
        request = urllib.request.Request(self.base + path, body, self._headers, method=method)  # noqa: S310 - loopback
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                content: bytes = answer.read()
        except urllib.error.HTTPError as refusal:
            raise Refused(method, path, refusal.code, refusal.read()) from None
        return content


def patiently(act: Callable[[], T], pause: float = 1.0) -> T:
    """Does it, and again after so many seconds while Azure does not answer the app, as long as a request may take.

    Raises Refused.
    """
    end = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            return act()
        except Refused as refusal:
            if refusal.status not in LATER or time.monotonic() > end:
                raise
        time.sleep(pause)


def is_busy(refusal: Refused) -> bool:
    """Whether the answer says: not now, later."""
    return refusal.status in (HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def _local(link: str) -> str:
    """Path and query of an absolute link: the app may be known by another name than we call it."""
    return "/" + link.split("://", 1)[1].split("/", 1)[1]
