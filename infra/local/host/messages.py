"""Plain Python stand-ins for the message classes Microsoft's worker library is written against.

The library gets them as its `protos` module and only builds or reads attributes, so no protobuf or gRPC is needed.
Names and enum values are those of the published FunctionRpc.proto.
"""

from typing import Any, Final


class Message:
    """Keeps what it was built with as attributes; a field that was not given reads as None, like an unset one."""

    def __init__(self, **fields: Any) -> None:  # noqa: ANN401 - the library decides the types
        self.__dict__.update(fields)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - only asked for fields that were not given
        if name.startswith("_") or name == "TypedData":  # the library asks a TypedData whether it wraps another one
            raise AttributeError(name)
        return None


class TypedData(Message):
    """One value; exactly one of string, json, bytes, http, int, double is set."""

    def WhichOneof(self, group: str) -> str | None:
        """The name of the field that is set."""
        return next(iter(self.__dict__), None)


class ParameterBinding(Message):
    """A named value of an invocation; `data` is always the form used here."""

    def WhichOneof(self, group: str) -> str:
        """The name of the field that is set."""
        return "data"


class StatusResult(Message):
    """The result of a request."""

    Failure: Final = 0
    Success: Final = 1


class BindingInfo(Message):
    """A binding of a function."""

    in_: Final = 0
    out: Final = 1
    inout: Final = 2
    undefined: Final = 0


class SameSite:
    """Values of a cookie's SameSite."""

    Lax: Final = 1
    Strict: Final = 2
    ExplicitNone: Final = 3


setattr(SameSite, "None", 0)


class RpcHttpCookie(Message):
    """A cookie of a response."""

    SameSite: Final = SameSite


class RpcHttp(Message):
    """An HTTP request or response."""


class RpcException(Message):
    """An error as text."""


class RpcFunctionMetadata(Message):
    """An indexed function."""


class RpcRetryOptions(Message):
    """A retry policy of a function."""


class WorkerInitResponse(Message):
    """Answer to the first request."""


class WorkerMetadata(Message):
    """What the worker says about itself."""


class FunctionMetadataResponse(Message):
    """Answer with all functions."""


class FunctionLoadResponse(Message):
    """Acknowledgement."""


class InvocationResponse(Message):
    """Outcome of an invocation."""


class NullableString(Message):
    """A string that may be absent."""


class NullableBool(Message):
    """A boolean that may be absent."""


class NullableDouble(Message):
    """A number that may be absent."""


class NullableTimestamp(Message):
    """A time that may be absent."""


class Timestamp(Message):
    """Seconds since 1970."""
