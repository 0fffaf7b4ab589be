"""One fault: what it does to a request or to the cloud, what a tester must say of it, and what it answers.

The body of `POST /sandbox/faults` is one JSON object. `kind` says what goes wrong (`status` when it is left out):

| kind | on | needs | may have | does |
|---|---|---|---|---|
| `status` | any request | `status` | `effect` `headers` `retry_after` | answers so, carried out with `effect` |
| `latency` | any | `seconds` | | carries it out at once and answers so much later |
| `drop` | any | | `effect` | closes the connection without an answer, before or after the effect |
| `hang` | any | | `effect` `seconds` | says nothing for so long, then closes the connection |
| `truncate` | any | | | carries it out; the body ends half-way |
| `busy` | a start | | `seconds` | somebody else's operation has just begun on the machine: 409 |
| `supersede` | a start | | `seconds` | the machine is at work; the start is accepted and ends what ran |
| `expire` | a start | `seconds` | `status` | its operation's addresses answer 404 (or 410) from then on |
| `page` | a list or query | `rows` | | at most so many rows and how to go on; 0 is an empty page |
| `graphLag` | a query | `seconds` | | patch results as they were so long ago |
| `forbidden` | a subscription | `subscription` | | 403; Resource Graph leaves its rows out |
| `throttled` | a subscription | `subscription` | `retry_after` | 429 |
| `clock` | every answer | `seconds` | | the `Date` header is off by so much |
| `foreign` | a machine | `machine` | `seconds` `installation` | somebody else starts an operation on it, now |

The first ten wait for a request that fits `method` and `path_contains`, let `skip` of those pass, and are used up
after `times` of them (0: never). `forbidden`, `throttled` and `clock` stay. `retry_after` 0 leaves the header out.
Seconds are those of the sandbox's clock, not divided by its speed. `DELETE` takes all back, `GET` tells which are
there. In the journal: a `fault` entry for each use (`drawn`: by the seed of `weather.py`, not asked for),
`faultBegan` and `faultEnded` for the three that stay, `operationExpires` with the instant, and on each `request` the
kinds in `faults`, whether it `arrived`, the `azureStatus` it then had and the `status` its sender got (0: none).
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from infra.local.sandbox.http import Delivery, Json, Refusal, Request, Response

HANG_SECONDS = 600.0
"""Longer than any client waits: azure-core's read time-out is 300 s."""


class Kind(StrEnum):
    STATUS = "status"
    LATENCY = "latency"
    DROP = "drop"
    HANG = "hang"
    TRUNCATE = "truncate"
    BUSY = "busy"
    SUPERSEDE = "supersede"
    EXPIRE = "expire"
    PAGE = "page"
    GRAPH_LAG = "graphLag"
    FORBIDDEN = "forbidden"
    THROTTLED = "throttled"
    CLOCK = "clock"
    FOREIGN = "foreign"


OUTSIDE = frozenset({Kind.STATUS, Kind.LATENCY, Kind.DROP, Kind.HANG, Kind.TRUNCATE})
"""What happens to a request between its sender and Azure."""
BUSYING = frozenset({Kind.BUSY, Kind.SUPERSEDE})
EXPIRING = frozenset({Kind.EXPIRE})
PAGED = frozenset({Kind.PAGE})
LAGGING = frozenset({Kind.GRAPH_LAG})
SUBSCRIPTION = frozenset({Kind.FORBIDDEN, Kind.THROTTLED})
STANDING = SUBSCRIPTION | {Kind.CLOCK}
"""Not used up; there until taken back."""

WAITING = ("kind", "method", "path_contains", "times", "skip")
"""What says which request is waited for, and how many."""
_NEEDED: Mapping[Kind, tuple[str, ...]] = {
    Kind.STATUS: ("status",),
    Kind.LATENCY: ("seconds",),
    Kind.EXPIRE: ("seconds",),
    Kind.PAGE: ("rows",),
    Kind.GRAPH_LAG: ("seconds",),
    Kind.FORBIDDEN: ("subscription",),
    Kind.THROTTLED: ("subscription",),
    Kind.CLOCK: ("seconds",),
    Kind.FOREIGN: ("machine",),
}
_ALLOWED: Mapping[Kind, tuple[str, ...]] = {
    Kind.STATUS: ("effect", "headers", "retry_after"),
    Kind.DROP: ("effect",),
    Kind.HANG: ("effect", "seconds"),
    Kind.BUSY: ("seconds",),
    Kind.SUPERSEDE: ("seconds",),
    Kind.EXPIRE: ("status",),
    Kind.THROTTLED: ("retry_after",),
    Kind.FOREIGN: ("seconds", "installation"),
}
_CODES = {
    403: "AuthorizationFailed",
    429: "TooManyRequests",
    500: "InternalServerError",
    502: "BadGateway",
    503: "ServerBusy",
    504: "GatewayTimeout",
}


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """The table above says which members belong to which kind. `method` "" fits any; `drawn`: by the seed."""

    kind: Kind = Kind.STATUS
    method: str = ""
    path_contains: str = ""
    times: int = 1
    skip: int = 0
    status: int = 0
    effect: bool = False
    headers: Mapping[str, str] = {}
    retry_after: int = 0
    seconds: float = 0.0
    rows: int = 0
    subscription: str = ""
    machine: str = ""
    installation: bool = False
    drawn: bool = False

    @property
    def arrives(self) -> bool:
        """Whether the request reaches Azure."""
        return self.effect or self.kind in (Kind.LATENCY, Kind.TRUNCATE)

    def fits(self, request: Request) -> bool:
        path = request.path.lower()
        if self.kind in SUBSCRIPTION:
            return f"{path}/".startswith(f"/subscriptions/{self.subscription.lower()}/")
        return self.method.upper() in ("", request.method.upper()) and self.path_contains.lower() in path

    def facts(self) -> Json:
        """What the journal and `GET` say: the kind and everything that differs from the default."""
        standard = Fault()
        said = {name: getattr(self, name) for name in self.__struct_fields__ if name not in ("kind", "drawn")}
        told = {name: value for name, value in said.items() if value != getattr(standard, name)}
        return {"kind": self.kind.value, "drawn": self.drawn, **told}

    def befall(self, answer: Response | None) -> Response:
        """What its sender gets. `answer` is Azure's own, None when the request never arrived."""
        if self.kind in (Kind.DROP, Kind.HANG):
            return Response(status=0, delivery=Delivery(late=self.seconds, lost=True))
        if answer is None or self.kind is Kind.STATUS:
            return self._refusal().response().with_headers(self.headers)
        late, cut = (self.seconds, False) if self.kind is Kind.LATENCY else (0.0, True)
        return msgspec.structs.replace(answer, delivery=Delivery(late=late, cut=cut))

    def _refusal(self) -> Refusal:
        refusal = _refusals(self)
        if self.retry_after:
            refusal.headers = {"Retry-After": str(self.retry_after)}
        return refusal


def _refusals(fault: Fault) -> Refusal:
    """Source of the two codes: Azure Resource Manager, common deployment errors."""
    if fault.kind is Kind.FORBIDDEN:
        message = f"The client has no authorization over scope '/subscriptions/{fault.subscription}'."
        return Refusal(403, "AuthorizationFailed", message)
    if fault.kind is Kind.THROTTLED:
        message = f"Number of requests for subscription '{fault.subscription}' exceeded the limit."
        return Refusal(429, "SubscriptionRequestsThrottled", message)
    return Refusal(fault.status, _CODES.get(fault.status, "InjectedFault"), "A fault that was asked for.")


def read_fault(body: Json) -> Fault:
    """A fault as a tester writes it. Raises Refusal 400 `InvalidFault` for a body that is none."""
    try:
        fault = msgspec.convert(body, Fault)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    needed, allowed = _NEEDED.get(fault.kind, ()), _ALLOWED.get(fault.kind, ())
    common = ("kind",) if fault.kind in STANDING | {Kind.FOREIGN} else WAITING
    if unknown := sorted(set(body) - {*common, *needed, *allowed}):
        raise _invalid(f"A fault of kind '{fault.kind}' has no {', '.join(unknown)}.")
    if missing := sorted(set(needed) - set(body)):
        raise _invalid(f"A fault of kind '{fault.kind}' needs {', '.join(missing)}.")
    return _checked(_completed(fault))


def _completed(fault: Fault) -> Fault:
    if fault.kind is Kind.HANG and not fault.seconds:
        return msgspec.structs.replace(fault, seconds=HANG_SECONDS)
    if fault.kind is Kind.EXPIRE and not fault.status:
        return msgspec.structs.replace(fault, status=404)
    return fault


def _checked(fault: Fault) -> Fault:
    if fault.kind is Kind.STATUS and not 200 <= fault.status <= 599:
        raise _invalid(f"{fault.status} is not an HTTP status from 200 to 599.")
    if fault.kind is Kind.EXPIRE and fault.status not in (404, 410):
        raise _invalid("An expired address answers 404 or 410.")
    if min(fault.times, fault.skip, fault.rows, fault.retry_after) < 0:
        raise _invalid("times, skip, rows and retry_after are not negative.")
    if fault.seconds < 0 and fault.kind is not Kind.CLOCK:
        raise _invalid("Only the clock may be off by negative seconds.")
    return fault


def _invalid(message: str) -> Refusal:
    return Refusal(400, "InvalidFault", message)
