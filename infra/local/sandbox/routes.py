"""Matches method and path to what answers them, without case as ARM does, and checks the api-version."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from infra.local.sandbox.http import Refusal, Request, Response
from infra.local.sandbox.identity import Caller
from infra.local.sandbox.state import State


def _versions(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


# Versions in use by SDKs, the az command line and Azure's own pages for the operations served here.
RESOURCES_VERSIONS = _versions(
    "2016-06-01 2018-05-01 2019-06-01 2019-11-01 2020-01-01 2020-06-01 2021-01-01 2021-04-01 2022-09-01 2022-12-01",
    "2024-03-01 2024-11-01",
)
COMPUTE_VERSIONS = _versions(
    "2020-06-01 2020-12-01 2021-03-01 2021-04-01 2021-07-01 2021-11-01 2022-03-01 2022-08-01 2022-11-01 2023-03-01",
    "2023-07-01 2023-09-01 2024-03-01 2024-07-01 2024-11-01 2025-04-01 2025-11-01 2026-04-01",
)
HYBRID_VERSIONS = _versions(
    "2020-08-15-preview 2022-12-27 2023-06-20-preview 2023-10-03-preview 2024-03-31-preview 2024-05-20-preview",
    "2024-07-10 2024-07-31-preview 2025-01-13 2025-02-19-preview 2025-06-01 2026-07-15",
)
MAINTENANCE_VERSIONS = _versions("2021-05-01 2021-09-01-preview 2022-07-01-preview 2023-04-01 2023-09-01-preview",
                                 "2023-10-01-preview 2025-11-01")  # fmt: skip
ACTIVITY_VERSIONS = _versions("2014-04-01 2015-04-01")
GRAPH_VERSIONS = _versions("2019-04-01 2021-03-01 2021-06-01-preview 2022-10-01 2024-04-01")


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One matched request: the parts of its path by name, who sent it, and when."""

    request: Request
    parameters: Mapping[str, str]
    caller: Caller
    now: datetime

    @property
    def version(self) -> str:
        return self.request.query.get("api-version", "")


Handler = Callable[[State, Call], Response]


class Route(msgspec.Struct, frozen=True):
    """A method, a path with `{parameters}`, the versions taken, and what answers."""

    method: str
    template: str
    versions: frozenset[str]
    handler: Handler

    @property
    def pattern(self) -> re.Pattern[str]:
        path = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.template)
        return re.compile(path + "/?", re.IGNORECASE)


class Routes:
    """The table of routes."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes: dict[tuple[str, int], list[tuple[Route, re.Pattern[str]]]] = defaultdict(list)
        """By method and number of parts: few patterns are left to try."""
        for route in routes:
            self._routes[route.method, _parts(route.template)].append((route, route.pattern))

    def find(self, request: Request) -> tuple[Route, dict[str, str]]:
        """Raises Refusal 501 naming an unknown route, 400 for a missing or unknown api-version."""
        for route, pattern in self._routes.get((request.method.upper(), _parts(request.path)), ()):
            match = pattern.fullmatch(request.path)
            if match is not None:
                _check_version(request, route)
                return route, match.groupdict()
        message = f"The sandbox has no route for {request.method} {request.path}."
        raise Refusal(501, "NotImplemented", message, request.path)


def _parts(path: str) -> int:
    return path.removesuffix("/").count("/")


def _check_version(request: Request, route: Route) -> None:
    version = request.query.get("api-version", "")
    if not version:
        message = "The api-version query parameter (?api-version=) is required for all requests."
        raise Refusal(400, "MissingApiVersionParameter", message)
    if version.lower() not in route.versions:
        message = (
            f"The api-version '{version}' is invalid. The supported versions are '{','.join(sorted(route.versions))}'."
        )
        raise Refusal(400, "InvalidApiVersionParameter", message)
