"""host.json: the part of it this host honours, with Azure's defaults; every other key becomes a warning by name.

Source of names, defaults and limits: "host.json reference for Azure Functions" and "Azure Queue storage bindings,
host.json settings" (extension version 5 and later).
"""

import logging
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from infra.local.host.errors import Refused

Object = Mapping[str, object]

# Default of the plans this app is made for (Flex Consumption, Premium, Dedicated); Consumption has 5 minutes.
DEFAULT_FUNCTION_TIMEOUT: Final = timedelta(minutes=30)
DEFAULT_ROUTE_PREFIX: Final = "api"
MAX_BATCH_SIZE: Final = 32
MIN_POLLING_INTERVAL: Final = timedelta(milliseconds=100)
MAX_POLLING_INTERVAL: Final = timedelta(minutes=1)

_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d{1,7})?)")
_LEVELS: Final = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 10,
}
_QUEUE_KEYS: Final = frozenset(
    {"maxPollingInterval", "visibilityTimeout", "batchSize", "newBatchThreshold", "maxDequeueCount", "messageEncoding"}
)


class QueueOptions(msgspec.Struct, frozen=True, kw_only=True):
    """extensions.queues."""

    max_polling_interval: timedelta = MAX_POLLING_INTERVAL
    visibility_timeout: timedelta = timedelta(0)
    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    base64: bool = True


class HostJson(msgspec.Struct, frozen=True, kw_only=True):
    """What host.json says, checked. A `function_timeout` of None is unlimited; `warnings` name unhonoured keys."""

    function_timeout: timedelta | None = DEFAULT_FUNCTION_TIMEOUT
    route_prefix: str = DEFAULT_ROUTE_PREFIX
    queues: QueueOptions = QueueOptions()
    log_level: int = logging.INFO
    warnings: tuple[str, ...] = ()


def read(app: Path) -> HostJson:
    """The app folder's host.json. Raises Refused when it is missing or wrong, naming the key."""
    path = app / "host.json"
    try:
        document = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        raise Refused(f"There is no host.json in {app}.") from None
    except msgspec.DecodeError as error:
        raise Refused(f"host.json is not valid JSON: {error}.") from error
    return parse(document)


def parse(document: object) -> HostJson:
    """Raises Refused naming the key that is wrong."""
    root = _object(document, "the document")
    if root.get("version") != "2.0":
        raise Refused('host.json: version must be "2.0".')
    extensions = _object(root.get("extensions", {}), "extensions")
    http = _object(extensions.get("http", {}), "extensions.http")
    queues = _object(extensions.get("queues", {}), "extensions.queues")
    logging_section = _object(root.get("logging", {}), "logging")
    levels = _object(logging_section.get("logLevel", {}), "logging.logLevel")
    return HostJson(
        function_timeout=_timeout(root.get("functionTimeout")),
        route_prefix=_text(http.get("routePrefix", DEFAULT_ROUTE_PREFIX), "extensions.http.routePrefix").strip("/"),
        queues=_queues(queues),
        log_level=_level(levels.get("default", "Information")),
        warnings=(
            *_unknown(root, {"version", "functionTimeout", "logging", "extensions", "extensionBundle"}, ""),
            *_unknown(extensions, {"http", "queues"}, "extensions."),
            *_unknown(http, {"routePrefix"}, "extensions.http."),
            *_unknown(queues, _QUEUE_KEYS, "extensions.queues."),
            *_unknown(logging_section, {"logLevel"}, "logging."),
            *_unknown(levels, {"default"}, "logging.logLevel."),
        ),
    )


def _queues(section: Object) -> QueueOptions:
    batch = _whole(section.get("batchSize", 16), "batchSize", 1, MAX_BATCH_SIZE)
    encoding = _text(section.get("messageEncoding", "base64"), "extensions.queues.messageEncoding").lower()
    if encoding not in {"base64", "none"}:
        raise Refused('host.json: extensions.queues.messageEncoding must be "base64" or "none".')
    polling = _span(section.get("maxPollingInterval", "00:01:00"), "extensions.queues.maxPollingInterval")
    if not MIN_POLLING_INTERVAL <= polling <= MAX_POLLING_INTERVAL:
        raise Refused("host.json: extensions.queues.maxPollingInterval must be from 00:00:00.100 to 00:01:00.")
    return QueueOptions(
        max_polling_interval=polling,
        visibility_timeout=_span(section.get("visibilityTimeout", "00:00:00"), "extensions.queues.visibilityTimeout"),
        batch_size=batch,
        new_batch_threshold=_whole(section.get("newBatchThreshold", batch // 2), "newBatchThreshold", 0, 1000),
        max_dequeue_count=_whole(section.get("maxDequeueCount", 5), "maxDequeueCount", 1, 1000),
        base64=encoding == "base64",
    )


def _timeout(value: object) -> timedelta | None:
    if value is None:
        return DEFAULT_FUNCTION_TIMEOUT
    return None if value == "-1" else _span(value, "functionTimeout")


def _span(value: object, key: str) -> timedelta:
    """A .NET TimeSpan, [d.]hh:mm:ss[.fffffff]."""
    match = _SPAN.fullmatch(_text(value, key))
    if match is None:
        raise Refused(f"host.json: {key} must be a time span hh:mm:ss, not {value!r}.")
    days, hours, minutes, seconds = match.groups()
    return timedelta(days=int(days or 0), hours=int(hours), minutes=int(minutes), seconds=float(seconds))


def _level(value: object) -> int:
    level = _LEVELS.get(_text(value, "logging.logLevel.default").lower())
    if level is None:
        raise Refused(f"host.json: logging.logLevel.default must be one of Azure's log levels, not {value!r}.")
    return level


def _whole(value: object, key: str, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise Refused(f"host.json: extensions.queues.{key} must be a whole number from {low} to {high}, not {value!r}.")
    return value


def _text(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise Refused(f"host.json: {key} must be a string, not {value!r}.")
    return value


def _object(value: object, key: str) -> Object:
    if not isinstance(value, dict):
        raise Refused(f"host.json: {key} must be an object, not {value!r}.")
    return value


def _unknown(section: Object, known: set[str] | frozenset[str], prefix: str) -> tuple[str, ...]:
    return tuple(f"host.json: {prefix}{key} is not honoured by the local host." for key in section if key not in known)
