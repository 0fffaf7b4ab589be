"""What a caller knows of a resource: `If-Match` and `If-None-Match`, judged against the ETag that it has now.

Source: RFC 9110, section 13, and Azure's REST API guidelines. Weak and strong marks of one value are taken as equal.
"""

import msgspec

from shared.domain.errors import RequestError

ANY = "*"


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """The two headers as they came; empty: not sent."""

    if_match: str = ""
    if_none_match: str = ""


def check(condition: Condition, etag: str) -> None:
    """Whether a change may be made; `etag` empty: there is no such resource. Raises RequestError 412."""
    if condition.if_match and not _names(condition.if_match, etag):
        now = f"it is {etag} now" if etag else "there is none"
        raise _failed("If-Match", f"The resource is not the one that If-Match names: {now}. Read it and decide anew.")
    if condition.if_none_match and _names(condition.if_none_match, etag):
        raise _failed("If-None-Match", "The resource is there already; without If-None-Match it would be replaced.")


def is_known(condition: Condition, etag: str) -> bool:
    """Whether a reader has this very state already, so that 304 answers it."""
    return bool(condition.if_none_match) and _names(condition.if_none_match, etag)


def _names(header: str, etag: str) -> bool:
    if not etag:
        return False
    return header.strip() == ANY or _plain(etag) in {_plain(each) for each in header.split(",")}


def _plain(etag: str) -> str:
    return etag.strip().removeprefix("W/").strip('"')


def _failed(header: str, message: str) -> RequestError:
    return RequestError(412, "PreconditionFailed", message, header)
