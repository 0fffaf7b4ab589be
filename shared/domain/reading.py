"""From what a decoder says of a body to the field that its sender has to mend."""

import re
from typing import TypeVar

import msgspec

from shared.domain.errors import RequestError, invalid
from shared.domain.prepared import prepared

_PATH = re.compile(r"at `\$\.?([^`]*)`")
_UNKNOWN_FIELD = re.compile(r"unknown field `([^`]*)`")

_Kind = TypeVar("_Kind")


def field_error(error: msgspec.ValidationError, under: str = "") -> RequestError:
    """The decoder's complaint as 400 `InvalidParameter`; `under` is the path of the part that was decoded."""
    message = str(error)
    found = _target(message)
    target = ".".join(name for name in (under, "" if found == "body" and under else found) if name)
    return invalid(target, f"{message.split(' - at')[0]}.")


def decode_body(body: bytes, kind: type[_Kind]) -> _Kind:
    """A JSON body. Raises RequestError 400 for malformed or too deeply nested JSON, unknown or mistyped fields."""
    try:
        return msgspec.json.decode(body or b"null", type=prepared(kind))
    except msgspec.ValidationError as error:
        raise field_error(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(400, "InvalidRequestContent", f"The request body is not JSON: {error}.", "body") from error
    except RecursionError as error:
        raise RequestError(400, "InvalidRequestContent", "The request body is nested too deeply.", "body") from error


def _target(message: str) -> str:
    path, unknown = _PATH.search(message), _UNKNOWN_FIELD.search(message)
    names = [path.group(1) if path else "", unknown.group(1) if unknown else ""]
    if "missing required field" in message:
        names.append(message.split("`")[1])
    return ".".join(name for name in names if name) or "body"
