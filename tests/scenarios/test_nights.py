"""`prove nights`: twenty windows in a row in the local host, workers killed at random: the laws of a run hold.

Each window is one of a configuration of its own, written over HTTP two minutes before it opens; they open one after
the other, every 36 seconds. The fleet is dealt into four groups and each window takes the next one, so that every
machine has five windows and whatever a death left unsettled meets the next window. A seed draws one to three deaths
around each window, in its opening, starting, following and closing: at a random moment a random request of the app's is
held, to storage or to ARM, before or after the server has it, and the worker that made it dies by SIGKILL.

Nothing is hurried but the end: what an unanswered start is waited for passes there at once, on Azure's clock.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec
import pytest

from infra.local.client import Client, Refused
from infra.local.fleet import Row
from infra.local.launch import Options
from infra.local.seen import Entry, operations
from infra.local.waves import Part
from shared.domain.agenda import HEAL_PLANNED
from shared.domain.messages import POISON_SUFFIX, QUEUES, AdvanceRun
from shared.domain.opening import FREEZE
from shared.domain.operation import UNCONFIRMED_PATIENCE
from tests.local.waiting import until
from tests.scenarios import judging, nights, windows
from tests.scenarios.city import City
from tests.scenarios.killer import Killed, Killer, drawn
from tests.scenarios.nights import Night
from tests.scenarios.timers import forward, timer
from tests.scenarios.windows import Window

pytestmark = [
    pytest.mark.proof,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(sys.platform != "linux", reason="finds the process of a socket in /proc"),
]

SEED = int(os.environ.get("NIGHTS_SEED", str(time.time_ns() % 1_000_000)))
WINDOWS = int(os.environ.get("NIGHTS_WINDOWS", "20"))
OPTIONS = Options(machines=40, seed=13, saves=False, settings={"AzureWebJobs.assessment_timer.Disabled": "true"})
"""Assessed once before the first window; from then on only windows start something."""

GROUPS = 4

EVERY = timedelta(seconds=36)
"""From one window's start to the next one's. A message whose worker died comes back after thirty."""

LEAD = timedelta(seconds=110)
"""From the writing of a configuration to its window: who is assigned after it is frozen is not of the window."""

DURATIONS = (timedelta(hours=2), timedelta(minutes=30))
"""In turns for each group. In the shorter ones nothing may start on Windows when five minutes have passed."""

ANSWER_SECONDS, SETTLE_SECONDS, KILLS_SECONDS, NUDGE_SECONDS = 30.0, 180.0, 300.0, 5.0


class Listed(msgspec.Struct, frozen=True):
    """How a run stands (GET /fleet/runs/{run})."""

    phase: str


def dealt(city: City) -> list[list[Row]]:
    """The fleet in groups, each of every kind and script."""
    everybody = sorted(windows.assessed(city).values(), key=lambda row: row.key)
    return [everybody[number::GROUPS] for number in range(GROUPS)]


def patient(app: Client) -> windows.Put:
    """A worker may die of the request: a client asks again, as the SDKs do."""

    def put(path: str, body: object) -> None:
        assert until(lambda: _taken(app, path, body), ANSWER_SECONDS), path

    return put


def _taken(app: Client, path: str, body: object) -> bool:
    try:
        app.put(path, body)
    except Refused as refusal:
        if refusal.status < 500:
            raise
        return False
    return True


def live(city: City, groups: Sequence[Sequence[Row]], starts: Sequence[datetime]) -> list[Window]:
    """Writes each window in time, and waits for the last one to open."""
    made: list[Window] = []
    for number, start in enumerate(starts):
        time.sleep(max(0.0, (start - LEAD - datetime.now(UTC)).total_seconds()))
        group, duration = groups[number % GROUPS], DURATIONS[number // GROUPS % len(DURATIONS)]
        made.append(windows.write(patient(city.app), f"night-{number + 1:02}", start, duration, group))
        assert datetime.now(UTC) < start - FREEZE, "written too late"
    time.sleep(max(0.0, (starts[-1] + EVERY - datetime.now(UTC)).total_seconds()))
    return made


def settle(city: City, made: Sequence[Window]) -> list[str]:
    """Waits until all is closed; what is not. Azure's clock goes forward by what an unanswered start is waited for."""
    tended(city, lambda: _waits_only(city, made))
    if flying(city):
        print(f"  starts that were never answered: {', '.join(flying(city))}")
        forward(city, UNCONFIRMED_PATIENCE)
    tended(city, lambda: not flying(city) and not still_open(city, made))
    forward(city, HEAL_PLANNED)
    tended(city, lambda: not left_over(city))
    return [*still_open(city, made), *left_over(city)]


def tended(city: City, done: Callable[[], bool]) -> None:
    """Until it came true, or time is over; the agenda's timer runs often meanwhile."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while not done() and time.monotonic() < deadline:
        timer(city, "agenda")
        time.sleep(NUDGE_SECONDS)


def _waits_only(city: City, made: Sequence[Window]) -> bool:
    open_ones = flying(city)
    return all("unconfirmed" in each for each in open_ones) and len(still_open(city, made)) <= len(open_ones)


def flying(city: City) -> list[str]:
    return [each for each in judging.left_over(city) if each.startswith("in flight")]


def still_open(city: City, made: Sequence[Window]) -> list[str]:
    return [each.name for each in made if phase_of(city, each) != "closed"]


def left_over(city: City) -> list[str]:
    """As `judging.left_over`, but for windows that are still to come: each configuration has one tomorrow.

    The alarms of closed runs wait on their queue for up to an hour, and then find them closed.
    """
    passed_over = ("on the agenda", "messages on runs")
    found = [each for each in judging.left_over(city) if not any(word in each for word in passed_over)]
    found += ["a message of runs is parked"] if city.store.queues.length(f"{QUEUES[AdvanceRun]}{POISON_SUFFIX}") else []
    return found + nights.overdue(city.store.agenda.items(), datetime.now(UTC) + city.ahead)


def phase_of(city: City, window: Window) -> str:
    """Of its run; "" where there is none."""
    run = city.store.runs.run(window.run)
    return run.phase.value if run else ""


def judged(city: City, made: Sequence[Window], killed: Sequence[Killed]) -> list[str]:
    """Every law that was broken. Prints a line for each window."""
    arrived = windows.installations(city)
    calls, wrong = nights.by_window(made, arrived), nights.unasked(made, arrived)
    for number, window in enumerate(made):
        phase = phase_of(city, window)
        parts = tuple(city.app.pages(f"/fleet/runs/{window.run}", Part)) if phase else ()
        night = Night(window=window, arrived=tuple(calls[window.run]), phase=phase, parts=parts)
        own = [each.kill.phase for each in killed if each.kill.window == number]
        print(f"  {window.start:%H:%M:%S} {window.name}: killed in {', '.join(own) or 'nothing'}; {night.line()}")
        wrong += night.complaints()
    seen = operations(city.sandbox.get("/sandbox/journal?after=0", list[Entry]))
    return wrong + [f"{each}: two operations of ours at one time" for each in nights.at_once(seen)]


def test_twenty_windows_in_a_row_while_workers_die() -> None:
    random = Random(SEED)
    with City.start(OPTIONS) as city:
        groups = dealt(city)
        print(f"\n{WINDOWS} windows, {OPTIONS.machines} machines in {GROUPS} groups, NIGHTS_SEED={SEED}")
        first = datetime.now(UTC).replace(microsecond=0) + LEAD + timedelta(seconds=5)
        starts = [first + number * EVERY for number in range(WINDOWS)]
        killer = Killer(city, [kill for n, start in enumerate(starts) for kill in drawn(random, n, start)])
        made = live(city, groups, starts)
        assert killer.join(KILLS_SECONDS)
        open_still = settle(city, made)
        for each in killer.done:
            print(f"  {each.at:%H:%M:%S} SIGKILL of worker {each.pid} in the {each.kill.phase} of window "
                  f"{each.kill.window + 1}, in {each.request}")  # fmt: skip
        wrong = judged(city, made, killer.done)
        assert wrong == []
        assert killer.missed == []
        assert open_still == []
        print(f"  {len(killer.done)} workers died; no machine twice, none outside its window, none forgotten; "
              "every run closed, nothing in flight, agenda and queues empty")  # fmt: skip
