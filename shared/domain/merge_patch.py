"""JSON merge patch (RFC 7396): what a PATCH makes of a resource as it is shown."""

from typing import Any

import msgspec

from shared.domain.errors import RequestError
from shared.domain.reading import field_error

DEEPEST = 20  # levels of a PATCH body (ours); the deepest resource has six


def read_object(body: bytes) -> dict[str, Any]:
    """A body that is one JSON object. Raises RequestError 400."""
    try:
        return msgspec.json.decode(body or b"null", type=dict[str, Any])
    except msgspec.ValidationError as error:
        raise field_error(error) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise RequestError(400, "InvalidRequestContent", f"The request body is not JSON: {error}.", "body") from error


def merged(kept: dict[str, Any], given: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """The kept object with what is given put in; null removes. Raises RequestError 400 when it is nested too deeply."""
    if depth > DEEPEST:
        raise RequestError(400, "InvalidRequestContent", "The request body is nested too deeply.", "body")
    whole = dict(kept)
    for name, value in given.items():
        if value is None:
            whole.pop(name, None)
        elif isinstance(value, dict):
            inner = whole.get(name)
            whole[name] = merged(inner if isinstance(inner, dict) else {}, value, depth + 1)
        else:
            whole[name] = value
    return whole
