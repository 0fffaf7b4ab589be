"""What the host and its worker processes say to each other: length-prefixed MessagePack frames over loopback TCP.

A worker says `Hello`, the host answers `Start`, the worker says `Indexed`; from then on `Invoke` goes one way,
`Completed` and `Log` the other. The end of the connection ends the worker.
"""

import struct
from typing import Final

import msgspec

# A body of 100 MB (the front's limit) and its headers must fit into one frame.
MAX_FRAME_BYTES: Final = 128 * 1024 * 1024
HEADER_BYTES: Final = 4
_HEADER: Final = struct.Struct(">I")


class Text(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    """A string handed to or returned by a function."""

    value: str


class Json(msgspec.Struct, frozen=True, kw_only=True, tag="json"):
    """A JSON document, as text."""

    value: str


class Binary(msgspec.Struct, frozen=True, kw_only=True, tag="binary"):
    """Raw bytes."""

    value: bytes


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True, tag="request"):
    """One HTTP request: header names in lower case, `params` are the route's."""

    method: str
    url: str
    headers: dict[str, str]
    query: dict[str, str]
    params: dict[str, str]
    body: bytes


class HttpResponse(msgspec.Struct, frozen=True, kw_only=True, tag="response"):
    """One HTTP response; `cookies` are complete Set-Cookie values."""

    status: int
    headers: dict[str, str] = {}
    cookies: tuple[str, ...] = ()
    body: bytes = b""


Input = Text | Json | Binary | HttpRequest
Metadata = Text | Json


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello"):
    """A worker's first words; the secret is the one it was started with and works once."""

    worker: int
    secret: str


class Start(msgspec.Struct, frozen=True, kw_only=True, tag="start"):
    """Index this app folder; `log_level` is a level number of Python's logging."""

    app: str
    log_level: int


class FunctionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One indexed function as the worker library describes it; bindings are its raw JSON documents."""

    id: str
    name: str
    bindings: tuple[str, ...]
    has_retry: bool


class Indexed(msgspec.Struct, frozen=True, kw_only=True, tag="indexed"):
    """The outcome of indexing: the functions, or the worker library's error text and the app's traceback."""

    functions: tuple[FunctionRecord, ...] = ()
    error: str = ""
    stack: str = ""


class Invoke(msgspec.Struct, frozen=True, kw_only=True, tag="invoke"):
    """Run one function once."""

    id: str
    function_id: str
    parameter: str
    input: Input
    metadata: dict[str, Metadata] = {}


class Completed(msgspec.Struct, frozen=True, kw_only=True, tag="completed"):
    """The outcome of one invocation; an empty error means success. The stack is the function's own traceback."""

    id: str
    error: str = ""
    stack: str = ""
    response: HttpResponse | None = None


class Log(msgspec.Struct, frozen=True, kw_only=True, tag="log"):
    """One log record of a worker; `level` is a level number of Python's logging."""

    level: int
    logger: str
    message: str
    invocation: str = ""


FromWorker = Hello | Indexed | Completed | Log
FromHost = Start | Invoke

_encoder: Final = msgspec.msgpack.Encoder()
_from_worker: Final[msgspec.msgpack.Decoder[FromWorker]] = msgspec.msgpack.Decoder(FromWorker)
_from_host: Final[msgspec.msgpack.Decoder[FromHost]] = msgspec.msgpack.Decoder(FromHost)


class BadFrame(Exception):
    """The other side sent something that is no frame of this protocol."""


def encode(message: FromWorker | FromHost) -> bytes:
    """One whole frame: four bytes of length (big endian), then MessagePack."""
    body = _encoder.encode(message)
    return _HEADER.pack(len(body)) + body


def body_length(header: bytes) -> int:
    """The number of bytes that follow a frame's header. Raises BadFrame when over the limit."""
    length = int(_HEADER.unpack(header)[0])
    if length > MAX_FRAME_BYTES:
        raise BadFrame(f"A frame of {length} bytes is over the limit of {MAX_FRAME_BYTES}.")
    return length


def decode_from_worker(body: bytes) -> FromWorker:
    """Raises BadFrame."""
    try:
        return _from_worker.decode(body)
    except msgspec.DecodeError as error:
        raise BadFrame(str(error)) from error


def decode_from_host(body: bytes) -> FromHost:
    """Raises BadFrame."""
    try:
        return _from_host.decode(body)
    except msgspec.DecodeError as error:
        raise BadFrame(str(error)) from error
