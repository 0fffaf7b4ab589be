"""Bad requests of every kind for one route: by list what is known to hurt, by seed what nobody thought of."""

import json
import random
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec

from infra.local.host.metadata import ALL_METHODS

DEEP = 10_000
KIB = 1024
RANDOM_CASES, SEGMENTS_EACH, QUERIES_EACH = 8, 8, 16
"""Of each route; of each of its parameters; of each route that reads no query: drawn anew by every seed."""
LONGEST_TARGET = 8000
"""Servers take 8 KiB of request line; a longer one never reaches the app."""

SEGMENTS = (
    "..", ".", "%2e%2e", "%2E%2E%2F%2e%2e", "%2F", "a%2Fb", "%5C..%5C", "%00", "a%00b", "%0A", "%0d%0aX-Forged:1",
    "%7F", "%C2%85", "%C0%AF", "%FF", "%ED%A0%80", "%", "%zz", "%25", "%252e%252e", "%20", "%23", "%3F", "%7C", "%27",
    "%22", "~done%7Cx", "%E2%80%AE", "%EF%BC%8Fadmin", "\u212Aelvin", "vm\u0130", "\u1e9e\ufb03", "caf\u00e9",
    "%F0%9F%92%A9", "x" * 600, "x" * 5000, "%E6%97%A5" * 400, "null", "0", "-1", "inflight", "{name}", "*", "admin",
    "a;b=c", "a b",
)  # fmt: skip
"""In place of each route parameter, as they stand in the path."""

QUERIES = (
    "", "api-version=", "api-version", "api-version=2025-04-01&api-version=2020-06-01", "api-version=1900-01-01",
    "api-version=9999-99-99", "api-version=2025-04-01-evil", "api-version=latest", "API-VERSION=2025-04-01",
    "api-version=%00", "api-version=%FF", "api-version=" + "9" * 4000, "api-version=2025-04-01%0a",
    "api-version=\u0662\u0660\u0662\u0665-\u0660\u0664-\u0660\u0661", "=&=&&&", "&" * 500, "%", "a=%zz", "%00=%00",
    *(f"$top={top}" for top in ("0", "-1", "1e9", "abc", "", "1001", "9" * 400, "\u0665", "\u00b2", "1,1", "%00")),
    "$top=1&$top=2", "%24top=0", "$skiptoken=", "$skiptoken=!", "$skiptoken=%FF", "$skiptoken=" + "A" * 5000,
    "subscription=%00", "subscription=" + "x" * 3000, "resourceGroup=%2F..%2F", "resourceGroup=%7C", "kind=evil", "os=",
    "os=Windows,Linux", "status=%27%20or%201%20eq%201", "tag==", "tag=" + "a," * 500, "tag=%00=%00", "tag=a=b=c,,",
    *(f"after={at}" for at in ("", "now", "2026-13-01", "2026-01-01", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
                               "8999-12-31T23:59:59-23:59", "2026-01-01T00:00:00%2B99:99", "%00", "9" * 400)),
    "filter=x", "$filter=name%20eq%20%27x%27", "machine=", "machine=%2F", "machine=" + "%2F" * 900, "machine=..%2F..",
    "machine=%2Fsubscriptions%2F%00%2FresourceGroups%2Fg%2Fproviders%2FMicrosoft.Compute%2FvirtualMachines%2Fv",
    "machine=a&machine=b", "monitor", "monitor=true&monitor=false", "code=x",
)  # fmt: skip

_TOKENS = (b"null", b"[]", b"1", b'"x"', b"{}", b'{"scope":1}', b'{"scope":null}', b'{"scope":"\\u0000"}', b"\xff\xfe",
           b'{"key":"x"}', b'{"key":""}', b'{"key":"\\u0000"}', b'{"key":"/\\\\#?"}', b'{"key":"%s"}' % (b"k" * 4000),
           b'{"scope":"%s","row":"x"}' % (b"s" * 4000), b'{"build":-1,"pack":1e99,"at":"x"}', b"[" * 5000,
           b'{"x":' + b"[" * 5000)  # fmt: skip
BODIES: tuple[bytes, ...] = (
    b"", b"null", b"[]", b"1", b"true", b'"text"', b"{", b"}", b"{}", b"\xff\xfe\x00", b"\xed\xa0\x80", b"\x00" * 64,
    b"<xml/>", b"a=b", b'{"a":1}', b"NaN", b'{"a":1e999}', b'{"reason":1}', b'{"reason":""}', b'{"reason":"\\u0000"}',
    b'{"reason":"\\ud800"}', b'{"reason":"x","reason":"y"}', b'{"reason":"' + b"x" * 4000 + b'"}', b'{"machine":1}',
    b'{"machine":"","reason":"x"}', b'{"machine":"/subscriptions/s","reason":"x"}', b'{"reason":"x","evil":1}',
    b'{"machine":"' + b"/" * 3000 + b'","reason":"x"}', b'{"maximumDuration":"PT2H"}',
    b'{"maximumDuration":"forever","rebootSetting":"Never"}', b'{"maximumDuration":"P99999999999D","rebootSetting":1}',
    b'{"rebootSetting":"Never","windowsParameters":[]}', b'{"rebootSetting":"\\u0130fRequired","linuxParameters":{}}',
    b"[" * DEEP, b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP + b"1" + b"}" * DEEP, b'{"windowsParameters":' * DEEP,
    b'{"reason":"x","machine":' + b"[" * DEEP + b"]" * DEEP + b"}", b" " * 300 * KIB, b"x" * 1100 * KIB,
    b'{"reason":"' + b"x" * 1100 * KIB + b'"}', b'{"properties":{"fleet":null}}', b'{"properties":' * DEEP,
    b'{"location":"x","properties":{"maintenanceWindow":{"startDateTime":"9999-12-31 23:59","timeZone":"UTC"}}}',
    b'{"properties":{"maintenanceConfigurationId":"' + b"/" * 3000 + b'"}}',
    b'{"properties":{"filter":{"tagSettings":1}}}',
)  # fmt: skip
# No header that the HTTP server itself must refuse: such a request reaches neither host nor app, in Azure too.
HEADERS: tuple[dict[str, str], ...] = (
    {"Content-Type": "text/plain"}, {"Content-Type": "application/xml; charset=utf-99"},
    {"Content-Encoding": "gzip"}, {"Accept": "text/html"}, {"x-ms-client-request-id": ""},
    {"Accept-Language": "x" * 4000},
    {"x-ms-client-request-id": "x" * 4000}, {"x-ms-client-request-id": "\xe9\xff"}, {"If-Match": "*"},
    {"If-Match": 'W/"x",,"'}, {"If-None-Match": "*"}, {"If-None-Match": "x" * 4000}, {"If-Match": "\xe9\xff"},
    {"x-ms-client-principal-id": "forged"}, {"x-ms-client-principal": "e30="}, {"Host": "evil.example"},
    {"X-HTTP-Method-Override": "DELETE"}, {"Range": "bytes=0-1"},
)  # fmt: skip
AUTHORIZATIONS = (None, "", "Bearer", "Bearer ", "Bearer x.y.z", "Basic eDp5", "Bearer " + "A" * 4000)
"""In place of the caller's own; None: no header at all."""
METHODS = tuple(sorted(ALL_METHODS - {"CONNECT"}))
_CONFIGURATION = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Maintenance/maintenanceConfigurations/c"
GOOD: tuple[dict[str, Any], ...] = (
    {"maximumDuration": "PT2H", "rebootSetting": "IfRequired", "linuxParameters": {"packageNameMasksToInclude": ["*"]},
     "windowsParameters": {"classificationsToInclude": ["Security"], "kbNumbersToInclude": ["1"]}},
    {"location": "westeurope", "tags": {"a": "b"}, "properties": {
        "maintenanceScope": "InGuestPatch", "extensionProperties": {"InGuestPatchMode": "User"},
        "installPatches": {"rebootSetting": "Never", "linuxParameters": {"classificationsToInclude": ["Security"]}},
        "maintenanceWindow": {"recurEvery": "Day", "startDateTime": "2035-01-01 22:00", "duration": "03:00",
                              "timeZone": "UTC"},
        "fleet": {"maxFailures": 3, "rules": [{"recurEvery": "Month day1"}],
                  "waves": [{"name": "w", "zones": ["1"], "soak": "PT5M"}]}}},
    {"location": "westeurope", "properties": {
        "maintenanceConfigurationId": _CONFIGURATION, "filter": {
            "osTypes": ["Linux"], "locations": ["West Europe"],
            "tagSettings": {"tags": {"a": ["b"]}, "filterOperator": "All"}}}},
)  # fmt: skip
"""Bodies of an installation, a maintenance configuration and an assignment, to be spoiled."""


class Bad(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it goes over the wire."""

    method: str
    target: str
    body: bytes = b""
    headers: dict[str, str] = {}
    unauthorized: bool = False
    authorization: str | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.target[:300]} {self.headers!s:.200} {self.body[:80]!r} ({len(self.body)} bytes)"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A route with values that fit: its template, one method it takes, its parameters and its query."""

    template: str
    method: str
    values: dict[str, str]
    query: str
    reads_query: bool = False

    def path(self, **changes: str) -> str:
        values = {**self.values, **changes}
        return "/" + re.sub(r"\{\*?(\w+)\}", lambda match: values[match[1]], self.template)


def tokens() -> list[str]:
    """Page tokens that decode to something else than ours."""
    import base64

    return [f"$skiptoken={base64.urlsafe_b64encode(token).decode()}" for token in _TOKENS]


def cases(route: Route, seed: int) -> Iterator[Bad]:
    """All bad requests of a route."""
    chance = random.Random(f"{seed} {route.template}")
    every = (*_paths(route, chance), *_requests(route), *_by_chance(route, chance))
    yield from (bad for bad in every if len(bad.target) < LONGEST_TARGET)


def _paths(route: Route, chance: random.Random) -> Iterator[Bad]:
    for name in route.values:
        some = chance.sample(SEGMENTS, SEGMENTS_EACH)
        yield from (_bad(route, f"{route.path(**{name: bad})}?{route.query}") for bad in some)
    queries = (*QUERIES, *tokens())
    if not route.reads_query:
        queries = tuple(chance.sample(queries, QUERIES_EACH))
    yield from (_bad(route, f"{route.path()}?{_sent(query)}") for query in queries)
    for more in ("/", "//", "/.", "/..", "/%2e%2e", "/x", "/%00", ";x", "%20"):
        yield _bad(route, f"{route.path()}{more}?{route.query}")
    yield _bad(route, "/" + route.path() + "?" + route.query)


def _requests(route: Route) -> Iterator[Bad]:
    good = f"{route.path()}?{route.query}"
    yield from (Bad(method=method, target=good) for method in METHODS)
    yield from (_bad(route, good, headers=headers) for headers in HEADERS)
    for authorization in AUTHORIZATIONS:
        yield Bad(method=route.method, target=good, unauthorized=True, authorization=authorization)
    if route.method != "GET":
        yield from (_bad(route, good, body) for body in BODIES)


def _by_chance(route: Route, chance: random.Random) -> Iterator[Bad]:
    for _ in range(RANDOM_CASES):
        changes = {name: chance.choice(SEGMENTS) for name in route.values if chance.random() < 0.4}
        query = "&".join(chance.sample(QUERIES, 3)) if chance.random() < 0.6 else route.query
        noise = bytes(chance.randrange(256) for _ in range(chance.randrange(200)))
        body = chance.choice((chance.choice(BODIES), noise, _mutated(chance)))
        headers = dict(chance.choice(HEADERS))
        yield Bad(method=chance.choice(METHODS), target=f"{route.path(**changes)}?{_sent(query)}", body=body,
                  headers=headers)  # fmt: skip


def _mutated(chance: random.Random) -> bytes:
    """A good body in which one value, at any depth, has another type."""
    wrong: tuple[Any, ...] = (None, True, 0, -1.5, "", "x" * 300, [], [[]], {}, {"a": {}}, [None], "\x00", 10**30)
    body: dict[str, Any] = json.loads(json.dumps(chance.choice(GOOD)))
    inside = body
    while isinstance(inner := inside[name := chance.choice(list(inside))], dict) and inner and chance.random() < 0.8:
        inside = inner
    inside[name] = chance.choice(wrong)
    return json.dumps(body).encode()


def _bad(route: Route, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Bad:
    return Bad(method=route.method, target=target, body=body, headers=headers or {})


def _sent(query: str) -> str:
    """Letters that no request line can hold are encoded; what is encoded already stays."""
    return quote(query, safe="%&=$!,.-~*'()+:;/?@[]")
