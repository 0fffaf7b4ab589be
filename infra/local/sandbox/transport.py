"""The sandbox without a socket: a transport for the official SDK clients' own, unchanged pipeline."""

from collections.abc import Callable
from io import BytesIO

from azure.core.pipeline.transport import RequestsTransport
from requests import PreparedRequest, Session
from requests import Response as RequestsResponse
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from infra.local.sandbox.cloud import Sandbox
from infra.local.sandbox.http import Request


class SandboxTransport(RequestsTransport):  # type: ignore[misc]  # azure-core exports it lazily, without its type
    """Give it to a client as `transport=`. `sleep` is what waiting does: a test's clock can move on instead."""

    def __init__(self, sandbox: Sandbox, *, sleep: Callable[[float], None]) -> None:
        session = Session()
        for scheme in ("https://", "http://"):
            session.mount(scheme, _Adapter(sandbox))
        super().__init__(session=session, session_owner=False)
        self._wait = sleep

    def sleep(self, duration: float) -> None:
        self._wait(duration)


class _Adapter(HTTPAdapter):
    """Where requests would open a connection."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self._sandbox = sandbox

    def send(self, request: PreparedRequest, *args: object, **kwargs: object) -> RequestsResponse:
        answer = self._sandbox.handle(
            Request(
                method=request.method or "GET",
                url=request.url or "",
                headers={name: str(value) for name, value in request.headers.items()},
                body=_bytes(request.body),
            )
        )
        wire = HTTPResponse(
            body=BytesIO(answer.body), headers=dict(answer.headers), status=answer.status, preload_content=False
        )
        return self.build_response(request, wire)


def _bytes(body: object) -> bytes:
    """SDK clients send text or bytes; streams are not for ARM."""
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else b""
