"""What goes over the wire: a request, a response, and a refusal in the shape of Azure's error body."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

Json = dict[str, Any]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request as it arrived; `url` is absolute."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""

    @property
    def origin(self) -> str:
        """Scheme, host and port: what the links in an answer start with."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def path(self) -> str:
        return _path(self.url)

    @property
    def query(self) -> Mapping[str, str]:
        """Query parameters, names in lower case as ARM reads them."""
        return _query(self.url)

    def header(self, name: str) -> str:
        """A header's value, matched without case; "" when absent."""
        if name in self.headers:
            return self.headers[name]
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), "")


@lru_cache(maxsize=1024)
def _path(url: str) -> str:
    return unquote(urlsplit(url).path)


@lru_cache(maxsize=1024)
def _query(url: str) -> Mapping[str, str]:
    """Not to be changed: the next request of the same URL gets it too."""
    return {name.lower(): value for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True)}


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of an answer on its way back: each front does it in its own manner."""

    late: float = 0.0
    """Seconds between the work and the answer, or the end of the connection."""
    lost: bool = False
    """The connection is closed without an answer."""
    cut: bool = False
    """The connection is closed in the middle of the body."""


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP answer. Status 0: there is none, see `delivery`."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""
    delivery: Delivery = Delivery()

    def truncated(self) -> tuple[bytes, int]:
        """What arrives of a cut body, and the length that was announced: always more."""
        return self.body[: len(self.body) // 2], max(1, len(self.body))

    def with_headers(self, more: Mapping[str, str]) -> "Response":
        return msgspec.structs.replace(self, headers={**self.headers, **more})


class Refusal(Exception):
    """A request that is not carried out: status and Azure's `{"error": {code, message, target, details}}`.

    Source: Azure REST API guidelines, error condition responses.
    """

    def __init__(self, status: int, code: str, message: str, target: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.details: list[Json] = []
        self.headers: dict[str, str] = {}

    def response(self) -> Response:
        error: Json = {"code": self.code, "message": self.message}
        if self.target:
            error["target"] = self.target
        if self.details:
            error["details"] = self.details
        return json_response({"error": error}, status=self.status, headers=self.headers)


def json_response(body: Json | list[Any], *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer with a JSON body."""
    kind = {"Content-Type": "application/json; charset=utf-8"}
    return Response(status=status, headers={**kind, **(headers or {})}, body=msgspec.json.encode(body))


def json_object(body: bytes) -> Json:
    """The body as a JSON object, {} when empty. Raises Refusal 400 `InvalidRequestContent`."""
    if not body.strip():
        return {}
    try:
        value = json.loads(body)
    except ValueError as error:
        raise Refusal(400, "InvalidRequestContent", f"The request content was invalid: {error}.") from error
    if not isinstance(value, dict):
        raise Refusal(400, "InvalidRequestContent", "The request content must be a JSON object.")
    return value
