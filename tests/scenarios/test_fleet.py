"""`prove fleet`: a thousand machines of every kind through the local host: none is lost, and what each one costs."""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from infra.local.demo import made
from infra.local.launch import Options
from shared.domain.agenda import HEAL_PLANNED
from shared.domain.machine import Record, unreachable
from shared.domain.messages import QUEUES, CountFleet
from tests.local.memory import LARGEST_WORKER, held, listed, peaks
from tests.local.waiting import until
from tests.scenarios import judging
from tests.scenarios.city import City
from tests.scenarios.tally import Call, together
from tests.scenarios.timers import forward, timer

pytestmark = [
    pytest.mark.proof,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(sys.platform != "linux", reason="reads memory in /proc"),
]

BY_HAND = ("assessment_timer", "inventory_timer", "results_timer")
OPTIONS = Options(
    machines=int(os.environ.get("FLEET_MACHINES", "1000")),
    seed=5,
    speed=10,
    settings={f"AzureWebJobs.{name}.Disabled": "true" for name in BY_HAND},
)
"""Of every kind, over the sandbox's three subscriptions and four regions: no throttle is reached. Ten times faster than
real ones, and Azure's Retry-After with them: an operation is looked at as often as at Azure's own speed. Timers whose
cost is counted run when the proof says so."""

MOST_DRIVEN = {"ARM": 2.0, "storage": 8.0}
MOST_SWEPT = {"ARM": 0.01, "storage": 2.0}
"""Calls a machine, all that belongs to it shared out. Issue 3, "Must show"."""

DAY = timedelta(hours=24)
"""How old a result may get: the default of OUM_ASSESSMENT_AGE."""

EVERY = {"results": 30.0, "assessment": 60.0}
TENDING = {"agenda": 20.0}
"""Seconds between two runs of these timers: five and ten minutes, ten times faster. The agenda's own timer runs every
minute; at the end it has nothing else to wait for."""

INVENTORY_SECONDS, SWEEP_SECONDS, DRIVE_SECONDS, CLOSE_SECONDS = 120.0, 120.0, 600.0, 180.0


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What some machines cost together."""

    what: str
    machines: int
    calls: Counter[Call]

    def each(self, *sides: str) -> float:
        """Calls a machine."""
        return together(self.calls, sides) / max(1, self.machines)

    def over(self, most: Mapping[str, float]) -> list[str]:
        """What costs more than it may."""
        spent = {"ARM": self.each("ARM"), "storage": self.each("app", "host")}
        return [
            f"{self.what}: {spent[name]:.3f} {name} calls a machine, at most {limit}"
            for name, limit in most.items()
            if spent[name] > limit
        ]


def say(text: str) -> None:
    print(text, flush=True)


def records(city: City) -> dict[str, Record]:
    """The fleet by key, read past the relays: what the proof asks costs the app nothing."""
    store = city.store
    found = (each for scope in store.fleet.scopes() for each in store.machines.in_scope(scope))
    return {str(each.machine.address).lower(): each for each in found}


def quiet(city: City) -> bool:
    """Whether no message waits, runs or is hidden. The index is rebuilt whenever somebody reads an old one."""
    queues = city.store.queues
    return not any(queues.length(name) for kind, name in QUEUES.items() if kind is not CountFleet)


@contextmanager
def phase(city: City, name: str) -> Iterator[Counter[Call]]:
    """What is counted meanwhile."""
    city.steps.phase = name
    yield city.steps.counted[name]
    assert until(lambda: quiet(city), CLOSE_SECONDS), judging.left_over(city)
    city.steps.phase = "between"


def live(city: City, done: Callable[[], bool], seconds: float, every: Mapping[str, float] = EVERY) -> bool:
    """Whether it came true in time; the timers run meanwhile as they do in Azure."""
    deadline, due = time.monotonic() + seconds, dict.fromkeys(every, 0.0)
    while not done():
        now = time.monotonic()
        if now > deadline:
            return False
        for capability in [each for each, at in due.items() if at <= now]:
            timer(city, capability)
            due[capability] = now + every[capability]
        time.sleep(2)
    return True


def close(city: City) -> None:
    """Until the agenda has forgotten all that ended: its lines are due four minutes after a start."""
    with phase(city, "clock"):
        forward(city, HEAL_PLANNED)
    with phase(city, "drive"):
        assert live(city, lambda: not judging.left_over(city), CLOSE_SECONDS, TENDING), judging.left_over(city)


def is_assessed(record: Record | None, now: datetime) -> bool:
    return record is not None and record.assessment is not None and now - record.assessment.ended < DAY


def fate(record: Record, planned: datetime, swept: bool) -> str:
    """What became of a machine, in words; empty when it is lost."""
    look = record.assessment
    if look is not None and look.ended >= planned:
        return "assessed"
    if why := unreachable(record.machine):
        return f"skipped: {why.code}"
    if swept and is_assessed(record, datetime.now(UTC)):
        return "left to Azure, whose result was swept"
    return ""


def judge(city: City, planned: datetime, swept: frozenset[str], driven: list[judging.Starts]) -> None:
    """Nothing is lost, by the rows; nothing was sent twice, by the sandbox's journal; each ended as it must."""
    known = records(city)
    fates = {key: fate(record, planned, key in swept) for key, record in known.items()}
    table = Counter((str(known[key].machine.kind), told) for key, told in fates.items())
    say(f"\n{len(fates)} machines:")
    for (kind, told), count in sorted(table.items()):
        say(f"  {kind:<16}{told or 'LOST':<44}{count:>5}")
    assert [key for key, told in fates.items() if not told] == []
    assert len(fates) == OPTIONS.machines
    assert [complaint for each in driven for complaint in each.complaints()] == []
    assert {key for key, told in fates.items() if told == "assessed"} == {each.machine for each in driven}
    # Of a machine that was not asked, what Azure had found before stands, also while it is off.
    theirs = swept - {each.machine for each in driven}
    assert until(lambda: not judging.outcomes(city, theirs), CLOSE_SECONDS), judging.outcomes(city, theirs)
    say(f"  {len(driven)} starts accepted, one a claim; every machine ended as its script makes right")


def tell(costs: list[Cost]) -> None:
    """One line a cost, then what it is made of."""
    say(f"\n{'calls a machine, amortised':<30}{'machines':>9}{'ARM':>9}{'storage':>9}  app's + host's")
    for cost in costs:
        app, host = cost.each("app"), cost.each("host")
        say(f"{cost.what:<30}{cost.machines:>9}{cost.each('ARM'):>9.3f}{app + host:>9.2f}  {app:.2f} + {host:.2f}")
    for cost in costs:
        say(f"\n{cost.what}, calls in all:")
        for call, count in sorted(cost.calls.items()):
            say(f"  {call.side:<6}{call.name:<28}{count:>7}{count / max(1, cost.machines):>9.3f} a machine")


def check_journal(city: City) -> None:
    """The sandbox saw each ARM call that was counted, and no other."""
    seen = sum(each.event == "request" for each in judging.journal(city))
    assert seen == sum(together(calls, ["ARM"]) for calls in city.steps.counted.values())


def sweep(city: City, swept: Counter[Call]) -> frozenset[str]:
    """Keys of the machines whose results Resource Graph had."""
    timer(city, "results")
    assert until(lambda: bool(swept[Call("ARM", "Resource Graph: results")]) and quiet(city), SWEEP_SECONDS)
    return frozenset(key for key, each in records(city).items() if each.assessment)


def drive(city: City) -> datetime:
    """The periodic planner's work, until nothing is in flight; when it began."""
    guests = made(city.sandbox)
    needed = [key for key, guest in guests.items() if guest.expected.assessment.outcome != "Skipped"]
    planned = datetime.now(UTC)

    def is_done() -> bool:
        known = records(city)
        all_there = all(is_assessed(known.get(key), datetime.now(UTC)) for key in needed)
        return all_there and not any(each.startswith("in flight") for each in judging.left_over(city))

    assert live(city, is_done, DRIVE_SECONDS), judging.left_over(city)
    return planned


def test_a_thousand_machines() -> None:
    with City.start(OPTIONS) as city:
        with phase(city, "inventory") as inventory:
            timer(city, "inventory")
            assert until(lambda: len(records(city)) == OPTIONS.machines and quiet(city), INVENTORY_SECONDS)
        with phase(city, "sweep") as sweeping:
            swept = sweep(city, sweeping)
        with phase(city, "drive") as driving:
            planned = drive(city)
        close(city)
        driven = judging.starts(city)
        judge(city, planned, swept, driven)
        costs = [
            Cost(what="inventory", machines=OPTIONS.machines, calls=inventory),
            Cost(what="swept from Resource Graph", machines=len(swept), calls=sweeping),
            Cost(what="driven assessment", machines=len(driven), calls=driving),
        ]
        tell(costs)
        check_journal(city)
        say(f"\nmemory of the workers, MiB: {listed(held(city))}; at their peak {listed(peaks(city))}")
        assert max(peaks(city)) <= LARGEST_WORKER
        assert [*costs[1].over(MOST_SWEPT), *costs[2].over(MOST_DRIVEN)] == []
