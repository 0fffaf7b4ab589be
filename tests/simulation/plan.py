"""What a seed decides before anything runs: the fleet, the clocks, how bad the day is, and who asks for what."""

from collections.abc import Iterator
from random import Random

import msgspec

from tests.simulation.points import COMMON, RARE
from tests.simulation.wishes import Target, Wish, draw_wishes

SDK_EVERY = 20
"""One seed in twenty goes through the official SDK's own pipeline."""
TEMPLATES = 16
"""Fleets there are; a seed's fleet is its remainder."""
LARGEST_SKEW = 4.0
"""Seconds an instance's clock is wrong at most."""
LATE = "late"
"""Side of a point at which Azure refuses late instead of the worker dying."""
ASLEEP, FROZEN, THROTTLED, REFUSED = "asleep", "frozen", "throttled", "refused"
"""Sides of points at which the worker stands still for minutes, before the step or after it, and at which Azure answers
429 or 409."""
MET = "met"
"""Side of a point at which the worker stands still for seconds and its message is delivered once more meanwhile: both
come to the same row."""
_AIMED_COMMON, _AIMED_RARE = 0.09, 0.45
"""How often a seed aims at a common or a rare crash point."""
_PATHS = (
    f"installation_start arm.installPatches {LATE}",  # to `running -> permitted`
    f"installation_start run.get {ASLEEP}",  # past a cut-off, with a claim
    f"installation_request operations.transact {ASLEEP}",  # past a cut-off, without one
    f"assessment_start arm.assessPatches {REFUSED}",  # to an end before the start
    "assessment_start poison.write after",
    "assessment_start operations.transact before",
    "assessment_start operations.transact after",
    "assessments_follow operations.get before",
    "assessments_follow operations.get after",
    "assessments_follow operations.transact after",
    "run_advance operations.write before",  # where the sleeper made no claim
    "run_advance operations.write after",
    f"inventory_sweep arm.graph {THROTTLED}",  # to a sweep that sends itself again
    f"assessment_start operations.write {MET}",  # where only the row's ETag keeps a second request from leaving
    f"installation_start operations.write {MET}",
)
"""What must go wrong for the app to come to ways of its own that it seldom takes."""
_AIMED_PATHS = 0.8
TIGHT_SHARE = 0.2
"""Seeds in which other work of the app has used the throttle up; their clocks are right."""

_RATES = (0.004, 0.01, 0.02, 0.04)
INSTANCES = ("one", "two")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`rate` is the chance of a fault at a step; `faulty_for` seconds, then nothing goes wrong any more."""

    seed: int
    sdk: bool
    tight: bool
    skew: dict[str, float]
    rate: float
    faulty_for: float
    restarts: list[tuple[float, str]]
    outages: list[tuple[float, float, str]]  # from, to, place
    replays: bool
    expiring: bool  # Azure forgets an operation's address soon after its end
    wishes: list[Wish]
    targets: list[str]


def is_sdk(seed: int) -> bool:
    return seed % SDK_EVERY == 7


def draw_plan(seed: int, random: Random, fleet: list[Target]) -> Plan:
    faulty_for = random.uniform(8, 30) * 60
    tight = random.random() < TIGHT_SHARE
    steady = tight or random.random() < 0.4
    return Plan(
        seed=seed,
        sdk=is_sdk(seed),
        tight=tight,
        skew={name: 0.0 if steady else random.uniform(-LARGEST_SKEW, LARGEST_SKEW) for name in INSTANCES},
        rate=random.choice(_RATES),
        faulty_for=faulty_for,
        restarts=[(random.uniform(5, faulty_for), random.choice(INSTANCES)) for _ in range(random.randint(0, 3))],
        outages=[_outage(random, faulty_for) for _ in range(random.choice((0, 1, 1, 2)))],
        replays=random.random() < 0.5,
        expiring=random.random() < 0.2,
        wishes=draw_wishes(random, fleet, faulty_for),
        targets=list(_targets(random)),
    )


def _targets(random: Random) -> Iterator[str]:
    for points, share in ((COMMON, _AIMED_COMMON), (RARE, _AIMED_RARE)):
        crashes = (f"{point} {side}" for point in points for side in ("before", "after"))
        yield from (crash for crash in crashes if random.random() < share)
    yield from (path for path in _PATHS if random.random() < _AIMED_PATHS)


def _outage(random: Random, within: float) -> tuple[float, float, str]:
    """One table, the queues, or ARM fails for one to seven minutes: long enough for messages to be given up."""
    start = random.uniform(10, within)
    place = random.choice(("operations", "run", "machines", "agenda", "buckets", "history", "updates", "queue", "arm"))
    return start, start + random.uniform(60, 420), place
