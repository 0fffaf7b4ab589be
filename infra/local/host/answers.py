"""Turns what a function returned, as the worker library hands it out, into an HTTP response for the wire."""

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from infra.local.host.messages import RpcHttp, RpcHttpCookie, SameSite, TypedData
from infra.local.host.wire import HttpResponse

_SAME_SITE_WORDS = {SameSite.Lax: "Lax", SameSite.Strict: "Strict", SameSite.ExplicitNone: "None"}


def http_response(value: TypedData | None) -> HttpResponse | None:
    """None when the function returned nothing; a bare string becomes 200 text/plain as in Azure's host."""
    if value is None:
        return None
    if value.WhichOneof("data") == "http":
        return _from_rpc(value.http)
    return HttpResponse(status=200, headers={"content-type": "text/plain; charset=utf-8"}, body=_bytes_of(value))


def _from_rpc(http: Any) -> HttpResponse:  # noqa: ANN401 - a stand-in with the library's attributes
    response: RpcHttp = http
    return HttpResponse(
        status=int(str(response.status_code)),
        headers=dict(response.headers or {}),
        cookies=tuple(_set_cookie(cookie) for cookie in response.cookies or ()),
        body=_bytes_of(response.body),
    )


def _bytes_of(value: Any) -> bytes:  # noqa: ANN401 - a TypedData or None
    kind = value.WhichOneof("data") if value is not None else None
    if kind is None:
        return b""
    content = getattr(value, kind)
    return content if isinstance(content, bytes) else str(content).encode()


def _set_cookie(cookie: RpcHttpCookie) -> str:
    """One Set-Cookie value (RFC 6265 §4.1)."""
    parts = [f"{cookie.name}={cookie.value}"]
    for name, attribute in (("Domain", cookie.domain), ("Path", cookie.path)):
        if text := _plain(attribute):
            parts.append(f"{name}={text}")
    if (age := _plain(cookie.max_age)) is not None:
        parts.append(f"Max-Age={int(age)}")
    if (expires := _plain(cookie.expires)) is not None:
        parts.append("Expires=" + format_datetime(datetime.fromtimestamp(expires.seconds, UTC), usegmt=True))
    parts += [word for word, flag in (("Secure", cookie.secure), ("HttpOnly", cookie.http_only)) if _plain(flag)]
    if word := _SAME_SITE_WORDS.get(cookie.same_site or 0):
        parts.append(f"SameSite={word}")
    return "; ".join(parts)


def _plain(nullable: Any) -> Any:  # noqa: ANN401 - Nullable* of the library, or None
    return None if nullable is None else nullable.value
