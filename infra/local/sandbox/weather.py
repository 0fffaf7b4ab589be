"""Faults by seed: how bad a day it is, and what strikes which request. Off unless a rate is given."""

from collections import Counter
from collections.abc import Sequence
from random import Random

import msgspec

from infra.local.sandbox.fault import BUSYING, EXPIRING, HANG_SECONDS, LAGGING, OUTSIDE, PAGED, Fault, Kind
from infra.local.sandbox.http import Request

# Ranges that are drawn from, seconds. Ours: from hardly noticed to beyond what a client should wait for.
LATENCY_SECONDS = (0.05, 5.0)
RETRY_AFTER_SECONDS = (1, 60)
# Within a machine or Azure, so divided by speed.
FOREIGN_SECONDS = (60.0, 1200.0)
EXPIRY_SECONDS = (0.0, 1200.0)
LONG_LAG_SECONDS = (1800.0, 108000.0)
"""Up to 30 h, as support told a collection's maintainer. Source: peers, Azure limits, Resource Graph freshness [G4]."""

PAGE_ROWS = (0, 1, 7)
LOST = (500, 502, 503, 504)
_STARTING = BUSYING | EXPIRING
_QUERIED = PAGED | LAGGING
_ANYWHERE = OUTSIDE | {Kind.FOREIGN}
DRAWABLE = _ANYWHERE | _STARTING | _QUERIED
"""Kinds that a request may meet by seed. Subscriptions and the clock are drawn once, at the start."""


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """How bad a day. The same seed and the same requests meet the same faults, in whatever order machines come."""

    rate: float = 0.0
    """The share of requests that meet a fault, from 0 to below 1."""
    seed: int = 1
    kinds: tuple[str, ...] = ()
    """Only these; () means every kind of DRAWABLE."""
    forbidden: int = 0
    """How many subscriptions answer 403."""
    throttled: int = 0
    """How many subscriptions answer 429."""
    clock: float = 0.0
    """The `Date` header is off by up to so many seconds, either way."""

    def __post_init__(self) -> None:
        unknown = set(self.kinds) - DRAWABLE
        if not 0 <= self.rate < 1 or unknown or min(self.forbidden, self.throttled) < 0:
            raise ValueError(f"not a day of faults: rate {self.rate}, kinds {sorted(unknown)}")


class Weather:
    """Draws for one sandbox. Every draw has a generator of its own: what one request meets changes no other's luck."""

    def __init__(self, day: Day, speed: float, machines: Sequence[str]) -> None:
        self._day = day
        self._speed = speed
        self._machines = machines
        self._kinds = frozenset(Kind(kind) for kind in day.kinds) or DRAWABLE
        self._count: Counter[str] = Counter()

    def standing(self, subscriptions: Sequence[str]) -> list[Fault]:
        """What holds from the start: subscriptions that refuse, and a clock that is off."""
        random = Random(f"{self._day.seed}:standing")
        mixed = random.sample(sorted(subscriptions), len(subscriptions))
        last = self._day.forbidden + self._day.throttled
        found = [Fault(kind=Kind.FORBIDDEN, subscription=id_, drawn=True) for id_ in mixed[: self._day.forbidden]]
        for id_ in mixed[self._day.forbidden : last]:
            wait = _retry_after(random)
            found.append(Fault(kind=Kind.THROTTLED, subscription=id_, retry_after=wait, drawn=True))
        if self._day.clock:
            off = random.uniform(-self._day.clock, self._day.clock)
            found.append(Fault(kind=Kind.CLOCK, seconds=round(off, 3), drawn=True))
        return found

    def draw(self, request: Request) -> Fault | None:
        """A fault for this request, by its method, path and how often it came; mostly None."""
        if not self._day.rate:
            return None
        random = self._random(f"{request.method.upper()} {request.path.lower()}")
        kinds = sorted(_fitting(request) & self._kinds)
        if random.random() >= self._day.rate or not kinds:
            return None
        return self._make(random.choice(kinds), random)

    def long_lag(self, machine: str) -> Fault | None:
        """Whether a result of this machine shows much later than usual."""
        if not self._day.rate or Kind.GRAPH_LAG not in self._kinds:
            return None
        random = self._random(f"published {machine}")
        if random.random() >= self._day.rate:
            return None
        return Fault(kind=Kind.GRAPH_LAG, seconds=self._scaled(random, LONG_LAG_SECONDS), machine=machine, drawn=True)

    def supersedes(self, machine: str) -> bool:
        """Whether this machine, when busy, accepts a new operation and ends the old one. Else it answers 409."""
        return bool(self._day.rate) and Random(f"{self._day.seed}:busy:{machine}").random() < 0.5

    def _random(self, what: str) -> Random:
        self._count[what] += 1
        return Random(f"{self._day.seed}:{what}:{self._count[what]}")

    def _make(self, kind: Kind, random: Random) -> Fault:
        simple = _outside(kind, random)
        if simple is not None:
            return simple
        if kind is Kind.PAGE:
            return Fault(kind=kind, rows=random.choice(PAGE_ROWS), drawn=True)
        if kind is Kind.EXPIRE:
            seconds = self._scaled(random, EXPIRY_SECONDS)
            return Fault(kind=kind, seconds=seconds, status=random.choice((404, 410)), drawn=True)
        seconds = self._scaled(random, FOREIGN_SECONDS)
        if kind is Kind.FOREIGN:
            machine, installation = random.choice(self._machines), random.random() < 0.5
            return Fault(kind=kind, machine=machine, seconds=seconds, installation=installation, drawn=True)
        return Fault(kind=kind, seconds=seconds, drawn=True)

    def _scaled(self, random: Random, bounds: tuple[float, float]) -> float:
        return round(random.uniform(*bounds) / self._speed, 3)


def _fitting(request: Request) -> frozenset[Kind]:
    """The kinds that mean something to this request."""
    path = request.path.lower()
    if path.endswith(("/assesspatches", "/installpatches")):
        return _ANYWHERE | _STARTING
    if path.endswith("/microsoft.resourcegraph/resources"):
        return _ANYWHERE | _QUERIED
    return _ANYWHERE | (PAGED if path.endswith(("/virtualmachines", "/machines")) else frozenset())


def _outside(kind: Kind, random: Random) -> Fault | None:
    effect = random.random() < 0.5
    if kind is Kind.STATUS and random.random() < 0.4:
        return Fault(kind=kind, status=429, retry_after=_retry_after(random), drawn=True)
    if kind is Kind.STATUS:
        return Fault(kind=kind, status=random.choice(LOST), effect=effect, drawn=True)
    if kind is Kind.LATENCY:
        return Fault(kind=kind, seconds=round(random.uniform(*LATENCY_SECONDS), 3), drawn=True)
    if kind in (Kind.DROP, Kind.HANG):
        return Fault(kind=kind, effect=effect, seconds=HANG_SECONDS if kind is Kind.HANG else 0.0, drawn=True)
    return Fault(kind=kind, drawn=True) if kind is Kind.TRUNCATE else None


def _retry_after(random: Random) -> int:
    """Half of the throttled answers say when to come back."""
    return random.randint(*RETRY_AFTER_SECONDS) if random.random() < 0.5 else 0
