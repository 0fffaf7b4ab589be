"""Which HTTP function answers a request: route templates, their precedence, and what the parameters are. Pure.

The rules are those of ASP.NET Core routing that Azure's host uses ("Routing in ASP.NET Core", route template
precedence): literals before parameters with a constraint before free parameters before a catch-all, segment by
segment; letters' case is ignored; a method that does not fit passes the request on to the next route.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final
from urllib.parse import unquote

import msgspec

from infra.local.host.errors import Refused
from infra.local.host.metadata import Function, HttpTrigger

CONSTRAINTS: Final[dict[str, Callable[[str], bool]]] = {
    "int": lambda text: re.fullmatch(r"[+-]?\d{1,10}", text) is not None,
    "alpha": lambda text: re.fullmatch(r"[A-Za-z]*", text) is not None,
    "guid": lambda text: re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) is not None,
}
# Azure's host keeps these first segments for itself.
RESERVED: Final = frozenset({"admin", "runtime"})

_PARAMETER = re.compile(r"\{(?P<stars>\*{0,2})(?P<name>\w+)(?::(?P<constraint>\w+))?(?P<optional>\?)?\}")


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One segment of a template; a literal has no name and is kept in lower case."""

    literal: str = ""
    name: str = ""
    constraint: str = ""
    optional: bool = False
    catch_all: bool = False

    @property
    def rank(self) -> int:
        """The digit ASP.NET Core gives it; lower goes first."""
        if not self.name:
            return 1
        return (4 if self.constraint else 5) if self.catch_all else (2 if self.constraint else 3)


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP function's template, the route prefix included."""

    function: Function
    methods: frozenset[str]
    segments: tuple[Segment, ...]


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """The function that answers, and its route parameters."""

    function: Function
    params: dict[str, str]


class Routes:
    """The routes of an app, in the order in which they are tried."""

    def __init__(self, functions: Iterable[Function], prefix: str) -> None:
        """Raises Refused for a template that cannot be honoured, naming its function."""
        routes = [
            Route(function=function, methods=function.trigger.methods, segments=_segments(function, prefix))
            for function in functions
            if isinstance(function.trigger, HttpTrigger)
        ]
        self._routes = sorted(routes, key=lambda route: [segment.rank for segment in route.segments])

    def match(self, method: str, raw_path: str) -> Match | None:
        """The first route that fits; `raw_path` is the path as it came, percent-encoded, without the query."""
        parts = _parts(raw_path)
        for route in self._routes:
            if method in route.methods:
                params = _params(route.segments, parts)
                if params is not None:
                    return Match(function=route.function, params=params)
        return None


def _segments(function: Function, prefix: str) -> tuple[Segment, ...]:
    assert isinstance(function.trigger, HttpTrigger)
    template = "/".join(part for part in (prefix, function.trigger.route.strip("/")) if part)
    segments = tuple(_segment(text, function.name) for text in template.split("/")) if template else ()
    if any(segment.optional or segment.catch_all for segment in segments[:-1]):
        raise Refused(f"Function {function.name}: only the last segment of route {template} may be optional or *.")
    if segments and segments[0].literal in RESERVED:
        raise Refused(f"Function {function.name}: route {template} belongs to the Functions host itself.")
    return segments


def _segment(text: str, function: str) -> Segment:
    if text and "{" not in text and "}" not in text:
        return Segment(literal=text.lower())
    match = _PARAMETER.fullmatch(text)
    if match is None:
        raise Refused(f"Function {function}: the route segment {text!r} is not supported by the local host.")
    constraint = match["constraint"] or ""
    if constraint and constraint not in CONSTRAINTS:
        raise Refused(f"Function {function}: the route constraint {constraint} is not supported by the local host.")
    return Segment(
        name=match["name"], constraint=constraint, optional=bool(match["optional"]), catch_all=bool(match["stars"])
    )


def _parts(raw_path: str) -> list[str]:
    """The path's segments, decoded except for %2F, as in Azure; one closing slash does not count."""
    path = raw_path.removeprefix("/")
    if path.endswith("/") and not path.endswith("//"):
        path = path[:-1]
    return [_decoded(part) for part in path.split("/")] if path else []


def _decoded(part: str) -> str:
    return "%2F".join(unquote(piece) for piece in re.split("%2[fF]", part))


def _params(segments: Sequence[Segment], parts: Sequence[str]) -> dict[str, str] | None:
    """The parameters when the template fits the path, else None."""
    params: dict[str, str] = {}
    for index, segment in enumerate(segments):
        if segment.catch_all:
            rest = "/".join(parts[index:])
            return {**params, segment.name: rest} if _allowed(segment, rest) else None
        if index >= len(parts):
            return params if segment.optional else None
        part = parts[index]
        if not segment.name:
            if part.lower() != segment.literal:
                return None
        elif not part or not _allowed(segment, part):
            return None
        else:
            params[segment.name] = part
    return params if len(parts) == len(segments) else None


def _allowed(segment: Segment, text: str) -> bool:
    return not segment.constraint or CONSTRAINTS[segment.constraint](text)
