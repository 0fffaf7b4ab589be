"""What a seed of a maintenance window decides before anything runs: the rule, its machines, and all that befalls it."""

from collections.abc import Iterator
from datetime import datetime
from random import Random
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from tests.simulation.nights import PLAIN, Night
from tests.simulation.plan import Plan
from tests.simulation.versions import LONG, MINUTE, SECOND, Version
from tests.simulation.window_changes import Change, draw_changes
from tests.simulation.window_events import EventsPlan, draw_events
from tests.simulation.window_points import AIMED, COMMON, EVENT_PATHS, PATHS, RARE
from tests.simulation.wishes import Target, Wish, some

OPENING = 420.0
"""Seconds from the clock's start to the first window's, on every night."""
FROZEN = OPENING - 60
SOAK = 120
TIGHT_AGAIN = 0.2
"""Of the days on which the throttle is used up so many stay so: that costs much, and is proven elsewhere."""
LATER = 3
"""Minutes by which an edit moves a window."""
GOOD_DAYS, FAULTY_DAYS = 0.12, 0.055
"""Seeds in which nobody interferes and only sound machines are in scope: their runs can end well. And those in
which Azure shows nothing any more."""
MEETING = 0.1
"""Days on which a cancel and a step of the run meet."""
TROUBLES = ("unsent", "unsent", "unsent", "throttled", "throttled", "busy", "refused", "refused", "refused")
"""How Azure, or the way to it, meets every start of one machine."""
FAULTS = ("forbidden", "graphLag", "graphLag")
"""The right to read a subscription is lost for good after the first start; Resource Graph shows nothing new."""
_PLACES = (
    "run", "queue", "agenda", "configurations", "assignments", "operations", "arm", "machines", "runs", "history"
)  # fmt: skip
"""What may be down around the opening."""
_SHARE = {"common": 0.07, "rare": 0.5, "paths": 0.7, "events": 0.12}


class Edit(NamedTuple):
    """What a client does at a second: PUTs a version, or deletes the configuration (None)."""

    at: float
    version: Version | None


class WindowPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`waves`: ids in each, those of none come last. Seconds are from the clock's start."""

    edits: tuple[Edit, ...]
    machines: frozenset[str]  # ids, lower case, that the assignments take
    scope: str
    location: str
    limit: int | None
    budget: int | None
    waves: tuple[frozenset[str], ...]
    threshold: int
    planned: bool  # assessments of everything fall into the window
    cancels: tuple[float, ...] = ()
    meets: bool = False  # a cancel comes while the run takes a step that it has not written yet
    closes: tuple[float, ...] = ()  # an operator closes the run
    releases: tuple[float, ...] = ()  # an operator releases an operation of the troubled machine
    troubles: dict[str, str] = {}  # machine id, lower case: one of TROUBLES
    changes: tuple[Change, ...] = ()
    native: str = ""  # id of a machine with a schedule of Azure's own
    looks: bool = False  # machines that are away at their turn are looked at again
    taken: str = ""  # a subscription that another deployment of the app marks as its own
    fault: str = ""  # of the sandbox's: one of FAULTS
    events: EventsPlan = EventsPlan()


def draw_window(random: Random, night: Night, fleet: list[Target]) -> WindowPlan:
    drawn = random.random()
    good, fault = drawn < GOOD_DAYS, random.choice(FAULTS) if drawn > 1 - FAULTY_DAYS else ""
    scope, location = ("healthy", "") if good else ("all", "") if fault else _scope(random, fleet)
    machines = [each for each in fleet if in_scope(scope, location, each)]
    ids = [each.id for each in machines]
    random.shuffle(ids)
    third = max(1, len(ids) // (2 if fault else 3))
    waves = (ids[:third], ids[third : 2 * third]) if random.random() < 0.25 else (ids[:third],)
    limit, budget = random.choice((None, None, 1, 2, 4, 6)), random.choice((None, None, None, 1, 1, 2, 3))
    budget = 0 if random.random() < 0.02 else budget
    if fault:
        limit = budget = None
    threshold = 0 if good else random.choice((0, 0, 0, 10, 20, 80))
    looks = not good and random.random() < 0.25
    others = [each for each in fleet if each.id not in ids and not each.left_out]
    own = machines if scope == "static" else []
    events = EventsPlan() if fault else draw_events(random, OPENING, good=good, others=others, own=own)
    block = _block(limit, budget, waves, threshold) | {"lookAgain": looks} | events.block()
    first = _first(random, night, block)
    if good and random.random() < 0.4:
        first = replace(first, reboot="Never")
    plan = WindowPlan(
        edits=(_beginning(random, replace(first, length=LONG) if good and len(first.opens) == 1 else first),),
        machines=frozenset(each.lower() for each in ids),
        scope=scope,
        location=location,
        limit=limit,
        budget=budget,
        waves=tuple(frozenset(each.lower() for each in wave) for wave in waves),
        threshold=threshold,
        planned=random.random() < 0.1,
        looks=looks,
        fault=fault,
        events=events,
    )
    return plan if good or fault else _disturbed(random, plan, fleet)


def _disturbed(random: Random, plan: WindowPlan, fleet: list[Target]) -> WindowPlan:
    """By clients, operators, other tools, and by what becomes of machines."""
    machines = [each for each in fleet if each.id.lower() in plan.machines]
    patchable = [each for each in machines if not each.left_out]
    early = [each for each in patchable if each.id.lower() in plan.waves[0]] or patchable
    first = plan.edits[0]
    troubles = {each.id.lower(): random.choice(TROUBLES) for each in some(random, early, 0.6)}
    return replace(
        plan,
        edits=(first, *_edits(random, first)),
        cancels=(
            *_instants(random, 0.12, OPENING - 240, OPENING + 200),
            *_instants(random, 0.12, OPENING + 2, OPENING + 25),  # while permits are given
        ),
        meets=random.random() < MEETING,
        closes=_instants(random, 0.08, OPENING - 30, OPENING + 90),
        releases=_instants(random, 0.8, OPENING + 5, OPENING + 60) if troubles else (),
        troubles=troubles,
        changes=tuple(draw_changes(random, OPENING, early, machines if plan.looks else [])),
        native=random.choice(machines).id if random.random() < 0.12 else "",
        taken=random.choice(machines).subscription if random.random() < 0.12 else "",
    )


def for_windows(plan: Plan, random: Random) -> Plan:
    """The day's plan with what belongs to a window: few requests of clients, outages around the opening."""
    return replace(
        plan,
        faulty_for=random.uniform(500, 900),
        rate=max(plan.rate, 0.01),
        tight=plan.tight and random.random() < TIGHT_AGAIN,
        restarts=[(random.uniform(FROZEN - 120, OPENING + 120), name) for _, name in plan.restarts],
        outages=list(_outages(random)),
        wishes=list(_wishes(random, plan.wishes)),
        targets=list(_targets(random)),
    )


def in_scope(scope: str, location: str, machine: Target) -> bool:
    """Whether the assignments of that kind take a machine."""
    taken = {"windows": machine.os == "Windows", "vms": machine.is_vm, "location": machine.region == location,
             "healthy": machine.script in ("healthy", "rebootLeft")}  # fmt: skip
    return taken.get(scope, True)


def _scope(random: Random, fleet: list[Target]) -> tuple[str, str]:
    """Half take everything, by dynamic scopes or by one static assignment a machine."""
    scope = random.choice(("all", "all", "all", "static", "static", "windows", "vms", "location", "healthy"))
    return scope, max((each.region for each in fleet), key=[each.region for each in fleet].count)


def _block(limit: int | None, budget: int | None, waves: tuple[list[str], ...], threshold: int) -> dict[str, object]:
    stages = [{"name": f"wave {number}", "machines": wave, "soak": f"PT{SOAK}S", "successThreshold": threshold}
              for number, wave in enumerate(waves)]  # fmt: skip
    block: dict[str, object] = {"waves": stages}
    if limit is not None:
        block["maxConcurrency"] = limit
    if budget is not None:
        block["maxFailures"] = budget
    return block


def _first(random: Random, night: Night, block: dict[str, object]) -> Version:
    second = night is PLAIN and random.random() < 0.2
    return Version(
        number=1,
        night=night,
        opens=(*night.opens, night.opens[0] + SECOND) if second else night.opens,
        reboot="Never" if random.random() < 0.3 else "IfRequired",
        systems=("Windows",) if random.random() < 0.08 else ("Windows", "Linux"),
        block=block,
    )


def _beginning(random: Random, first: Version) -> Edit:
    """At most two minutes before the opening."""
    return Edit(random.uniform(3, 60) if random.random() < 0.8 else random.uniform(60, OPENING - 120), first)


def _edits(random: Random, first: Edit) -> Iterator[Edit]:
    """What clients think of after the first PUT."""
    before, times = first.version, [_edit_at(random) for _ in range(random.choice((0, 0, 0, 1, 1, 2)))]
    for number, at in enumerate(sorted(times), 2):
        assert before is not None
        before = _edited(random, before, number, at)
        yield Edit(at, before)
        if before is None:
            return


def _edit_at(random: Random) -> float:
    """Most about the time at which the run is frozen and opened."""
    near = random.uniform(FROZEN - 20, OPENING + 20)
    return near if random.random() < 0.7 else random.uniform(OPENING - 120, OPENING + 240)


def _edited(random: Random, before: Version, number: int, at: float) -> Version | None:
    """None: deleted."""
    plain = before.night is PLAIN and len(before.opens) == 1
    kinds = ["wide", "wide", "wide", "length", "enabled", "deleted", "deleted"]
    kinds += ["expired"] if plain and at < FROZEN - 10 else []
    kinds += ["later"] if plain and not before.expired else []
    kind = random.choice(kinds)
    after = replace(before, number=number)
    match kind:
        case "deleted":
            return None
        case "wide":
            return replace(after, wide=not before.wide)
        case "length":
            return replace(after, length=before.length + 5 * MINUTE)
        case "later":
            return replace(after, later=before.later + LATER, opens=_later(before.opens))
        case "expired":
            return replace(after, expired=True)
    return replace(after, enabled=not before.enabled)


def _later(opens: tuple[datetime, ...]) -> tuple[datetime, ...]:
    return tuple(each + LATER * MINUTE for each in opens)


def _outages(random: Random) -> Iterator[tuple[float, float, str]]:
    for _ in range(random.choice((0, 0, 1, 1, 2))):
        start = random.uniform(FROZEN - 60, OPENING + 90)
        length = random.choice((30.0, 90.0, 240.0, 420.0)) * random.uniform(0.8, 1.3)
        yield start, start + length, random.choice(_PLACES)


def _wishes(random: Random, drawn: list[Wish]) -> Iterator[Wish]:
    """One or two assessments and at times an installation meet the window on its machines."""
    looks = [wish for wish in drawn if wish.verb == "assessPatches"]
    installs = [wish for wish in drawn if wish.verb == "installPatches"]
    chosen = looks[: random.choice((0, 1, 1))] + installs[: random.choice((0, 0, 1))]
    for wish in chosen:
        wish.at = random.uniform(OPENING - 60, OPENING + 60)
        yield wish


def _targets(random: Random) -> Iterator[str]:
    for points, share in ((COMMON, _SHARE["common"]), (RARE, _SHARE["rare"])):
        crashes = (f"{point} {side}" for point in points for side in ("before", "after"))
        yield from (crash for crash in crashes if random.random() < AIMED.get(crash, share))
    for paths, share in ((PATHS, _SHARE["paths"]), (EVENT_PATHS, _SHARE["events"])):
        yield from (path for path in paths if random.random() < share)


def _instants(random: Random, share: float, first: float, last: float) -> tuple[float, ...]:
    return (random.uniform(first, last),) if random.random() < share else ()
