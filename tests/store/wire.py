"""The SDKs' own transport, that also remembers what went over it."""

from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import msgspec
from azure.core.pipeline.transport import HttpRequest, RequestsTransport


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it left."""

    method: str
    path: str
    query: dict[str, str]
    body: str


class Wire(RequestsTransport):  # type: ignore[misc]  # the SDK exports it lazily, which hides its type
    """Sends like the SDKs' default."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Sent] = []

    def send(self, request: HttpRequest, **options: Any) -> Any:  # noqa: ANN401 - the SDK's own type
        parts = urlsplit(request.url)
        body = cast("str | bytes | None", request.body) or ""
        self.seen.append(
            Sent(
                method=request.method,
                path=parts.path,
                query={name: values[0] for name, values in parse_qs(parts.query).items()},
                body=body if isinstance(body, str) else body.decode(errors="replace"),
            )
        )
        return super().send(request, **options)
