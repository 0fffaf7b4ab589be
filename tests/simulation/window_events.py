"""What a seed decides of a day's events: topic, handlers, who joins or leaves too late, who asks for a run now."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import NamedTuple

import msgspec

from tests.simulation.wishes import Target

TOPIC_DAYS, WAITING_DAYS, WAITING_ALONE = 0.35, 0.5, 0.06
"""Shares: of the days with a topic; of those the ones on which runs wait for handlers; and where there is no topic."""
NOW_DAYS = 0.07
LEADS = {"": timedelta(minutes=40), "PT15M": timedelta(minutes=15), "PT30M": timedelta(minutes=30)}
"""`preEventLead`, and how long that is; without one it is Azure's own. All are longer than the first window is away."""
NAMES = ("drain", "backup")
_TOLERANCE, _TOLERATED_PART, _HEARD_PART = timedelta(minutes=10), 6, 2
"""A window is begun no later, and within this part of its length; handlers have this part of that time."""
CANCEL_LEAD = timedelta(minutes=10)
"""Azure takes a cancellation until so long before the start. Source: documentation of pre and post events."""
STEP = 0.5


class Kind(StrEnum):
    """What a handler does when it hears of a run; the run waits for it unless it cancels."""

    SUCCEEDS = "succeeds"
    CLOSE = "close"  # about the time until which it is heard
    LATE = "late"
    FAILS = "fails"
    SILENT = "silent"
    TURNS = "turns"  # fails when it has succeeded
    REPENTS = "repents"  # succeeds when it has failed
    CANCELS = "cancels"


class Handler(NamedTuple):
    """`twice`: it reports by both instances."""

    name: str
    kind: Kind
    after: float  # seconds from when it hears of a run
    apart: float  # seconds from the time until which it is heard
    twice: bool


_KINDS = (*(Kind.SUCCEEDS,) * 14, *(Kind.CLOSE, Kind.LATE, Kind.FAILS) * 2, Kind.SILENT, Kind.TURNS, Kind.REPENTS)


class EventsPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds are from the clock's start."""

    topic: bool = False
    lead: str = ""  # one of LEADS
    handlers: tuple[Handler, ...] = ()
    down: float = 0.0  # until then the topic takes nothing
    joins: tuple[tuple[float, str], ...] = ()  # machine ids, lower case, that an assignment takes from then on
    leaves: tuple[tuple[float, str], ...] = ()  # machine ids, lower case, that no assignment takes from then on
    now: tuple[tuple[float, str], ...] = ()  # run-now requests

    @property
    def waited(self) -> tuple[str, ...]:
        """Handlers that a run waits for."""
        return tuple(each.name for each in self.handlers if each.kind != Kind.CANCELS)

    def block(self) -> dict[str, object]:
        """Its part of `properties.fleet`."""
        lead = {"preEventLead": self.lead} if self.lead else {}
        return {**lead, "waitFor": list(self.waited)} if self.waited else dict[str, object](lead)


def draw_events(random: Random, opening: float, *, good: bool, others: list[Target], own: list[Target]) -> EventsPlan:
    """Of a good day all handlers succeed and nobody joins or leaves. `others`: machines that no assignment takes;
    `own`: those that have one each."""
    topic = random.random() < TOPIC_DAYS
    return EventsPlan(
        topic=topic,
        lead=random.choice(tuple(LEADS)) if topic else "",
        handlers=tuple(_handlers(random, topic=topic, good=good)),
        down=random.uniform(opening, opening + 900) if topic and not good and random.random() < 0.12 else 0.0,
        joins=tuple(_some(random, opening, others)) if topic and not good else (),
        leaves=tuple(_some(random, opening, own)) if topic and not good else (),
        now=tuple(_now(random, opening)) if random.random() < NOW_DAYS else (),
    )


def heard_until(start: datetime, end: datetime) -> datetime:
    """Until when a handler's success counts."""
    return start + min(_TOLERANCE, (end - start) / _TOLERATED_PART) / _HEARD_PART


def _handlers(random: Random, *, topic: bool, good: bool) -> Iterator[Handler]:
    if random.random() < (WAITING_DAYS if topic else WAITING_ALONE):
        for name in NAMES[: random.choice((1, 1, 2))]:
            yield _handler(random, name, Kind.SUCCEEDS if good else random.choice(_KINDS))
    if topic and not good and random.random() < 0.1:
        yield _handler(random, "guard", Kind.CANCELS)


def _handler(random: Random, name: str, kind: Kind) -> Handler:
    after = random.uniform(STEP, 20) if random.random() < 0.8 else random.uniform(20, 400)
    apart = random.uniform(-12, 12) if kind == Kind.CLOSE else random.uniform(9, 120)
    return Handler(name, kind, 2.0 if kind == Kind.SUCCEEDS and after > 100 else after, apart, random.random() < 0.3)


def _some(random: Random, opening: float, machines: list[Target]) -> Iterator[tuple[float, str]]:
    if machines and random.random() < 0.4:
        yield random.uniform(40, opening - 70), random.choice(machines).id.lower()


def _now(random: Random, opening: float) -> Iterator[tuple[float, str]]:
    """Before the window or after it; at times a second one beside it."""
    early = random.random() < 0.5
    first = random.uniform(62, opening - 70) if early else random.uniform(opening, opening + 600)
    yield first, "now 1"
    if random.random() < 0.3:
        yield first + random.choice((0.0, 0.1, 3.0, 60.0)), "now 2"
