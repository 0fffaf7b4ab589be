"""The sandbox without a socket: a transport for the official SDK clients' own, unchanged pipeline."""

import math
from collections.abc import Callable
from http.client import RemoteDisconnected
from io import BytesIO

from azure.core.pipeline.transport import RequestsTransport
from requests import ConnectionError as NoConnection
from requests import PreparedRequest, ReadTimeout, Session
from requests import Response as RequestsResponse
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError

from infra.local.sandbox.cloud import Sandbox
from infra.local.sandbox.http import Delivery, Request


class SandboxTransport(RequestsTransport):  # type: ignore[misc]  # azure-core exports it lazily, without its type
    """Give it to a client as `transport=`. `sleep` is what waiting does: a test's clock can move on instead.

    Late and lost answers raise what `requests` raises for a real connection.
    """

    def __init__(self, sandbox: Sandbox, *, sleep: Callable[[float], None]) -> None:
        session = Session()
        for scheme in ("https://", "http://"):
            session.mount(scheme, _Adapter(sandbox, sleep))
        super().__init__(session=session, session_owner=False)
        self._wait = sleep

    def sleep(self, duration: float) -> None:
        self._wait(duration)


class _Adapter(HTTPAdapter):
    """Where requests would open a connection."""

    def __init__(self, sandbox: Sandbox, sleep: Callable[[float], None]) -> None:
        super().__init__()
        self._sandbox = sandbox
        self._sleep = sleep

    def send(self, request: PreparedRequest, *args: object, **kwargs: object) -> RequestsResponse:
        answer = self._sandbox.handle(
            Request(
                method=request.method or "GET",
                url=request.url or "",
                headers={name: str(value) for name, value in request.headers.items()},
                body=_bytes(request.body),
            )
        )
        self._await(answer.delivery, request, _read_timeout(kwargs.get("timeout")))
        body, headers = answer.body, dict(answer.headers)
        if answer.delivery.cut:
            body, announced = answer.truncated()
            headers["Content-Length"] = str(announced)
        wire = HTTPResponse(body=BytesIO(body), headers=headers, status=answer.status, preload_content=False)
        return self.build_response(request, wire)

    def _await(self, delivery: Delivery, request: PreparedRequest, patience: float) -> None:
        """Raises ReadTimeout after `patience` seconds without an answer, ConnectionError when there is none."""
        if delivery.late:
            self._sleep(min(delivery.late, patience))
        if delivery.late > patience:
            raise ReadTimeout(f"Read timed out. (read timeout={patience})", request=request)
        if delivery.lost:
            closed = RemoteDisconnected("Remote end closed connection without response")
            raise NoConnection(ProtocolError("Connection aborted.", closed), request=request)


def _read_timeout(timeout: object) -> float:
    """Seconds that `requests` waits for an answer: (connect, read) or one number for both; None is for ever."""
    read = timeout[1] if isinstance(timeout, tuple) else timeout
    return float(read) if isinstance(read, int | float) else math.inf


def _bytes(body: object) -> bytes:
    """SDK clients send text or bytes; streams are not for ARM."""
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else b""
