"""`prove large-window`: a thousand machines in one window of the local host: paced, none twice, none forgotten.

All in one subscription and region, so that they share one throttle, and in one dynamic scope without any limit of the
team's own: nothing but the app paces them. How fast they start is printed and not judged: the app, Azure and the
machines share the cores here.
"""

import os
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.launch import Options
from infra.local.stack import Stack
from infra.local.waves import Part
from infra.local.window import API
from tests.local.memory import LARGEST_WORKER, held, listed, peaks
from tests.local.waiting import until
from tests.scenarios import windows
from tests.scenarios.nights import Night, by_window, unasked
from tests.scenarios.timers import timer
from tests.scenarios.tokens import judged
from tests.scenarios.windows import Window

pytestmark = [
    pytest.mark.proof,
    pytest.mark.timeout(3000),
    pytest.mark.skipif(sys.platform != "linux", reason="reads memory in /proc"),
]

OPTIONS = Options(
    machines=int(os.environ.get("LARGE_WINDOW_MACHINES", "1000")),
    seed=5,
    speed=10,
    crowded=True,
    saves=False,
    settings={f"AzureWebJobs.{name}_timer.Disabled": "true" for name in ("assessment", "results")},
)
"""Ten times faster than real ones; the throttle is of real size, in real time. Nothing but the window uses it."""

LEAD = timedelta(seconds=110)
DURATION = timedelta(hours=2)
KNOWN_SECONDS, CLOSED_SECONDS, LOOK_SECONDS = 120.0, 2400.0, 10.0
"""Availability sets go on one update domain after the other: their last machines start a quarter of an hour late."""


def write(stack: Stack) -> Window:
    """A configuration with a scope of the whole subscription, two minutes before its window."""
    rows = windows.rows(stack)
    subscription = next(iter(rows.values())).subscription
    name, start = "everybody", datetime.now(UTC).replace(microsecond=0) + LEAD
    window = windows.write(stack.app.put, name, start, DURATION, (next(iter(rows.values())),))
    scopes = f"/subscriptions/{subscription}/providers/Microsoft.Maintenance/configurationAssignments"
    body = {"properties": {"maintenanceConfigurationId": window.configuration, "filter": {}}}
    stack.app.put(f"{scopes}/{name}?{API}", body)
    return Window(
        name=name,
        configuration=window.configuration,
        written=window.written,
        start=start,
        duration=DURATION,
        machines={row.key: row.os for row in rows.values()},
    )


def parts(stack: Stack, window: Window) -> tuple[Part, ...]:
    return tuple(stack.app.pages(f"/fleet/runs/{window.run}?$top=500", Part))


def lived(stack: Stack, window: Window) -> Night:
    """Waits until every machine has its end."""
    time.sleep(max(0.0, (window.start - datetime.now(UTC)).total_seconds()))
    assert until(lambda: _is_over(stack, window), CLOSED_SECONDS), Counter(p.step for p in parts(stack, window))
    arrived = windows.installations(stack)
    assert unasked([window], arrived) == []
    ended, calls = parts(stack, window), by_window([window], arrived)[window.run]
    return Night(window=window, arrived=tuple(calls), phase="closed", parts=ended)


def _is_over(stack: Stack, window: Window) -> bool:
    time.sleep(LOOK_SECONDS)
    found = parts(stack, window)
    return bool(found) and all(part.ended for part in found)


def report(night: Night) -> None:
    """How many starts came in each minute, and what became of the machines."""
    starts = [each.time for each in night.accepted]
    minutes = Counter(int((at - night.window.start).total_seconds() // 60) for at in starts)
    last = (max(first_calls(night)) - night.window.start).total_seconds()
    each = ", ".join(str(minutes[at]) for at in range(max(minutes) + 1))
    print(f"\n{len(night.parts)} machines in one window, one subscription and region")
    print(f"  {night.line()}")
    print(f"  accepted in each minute: {each}; the last was asked first after {last:.0f} s")
    ended = max(part.ended for part in night.parts if part.ended)
    print(f"  the last machine ended {(ended - night.window.start).total_seconds():.0f} s after the opening")
    print(f"  answers: {dict(sorted(Counter(each.status for each in night.arrived).items()))}")


def first_calls(night: Night) -> list[datetime]:
    """When each machine was asked first; one that is busy is asked again."""
    found: dict[str, datetime] = {}
    for each in night.arrived:
        found[each.machine] = min(each.time, found.get(each.machine, each.time))
    return list(found.values())


def test_all_machines_of_a_large_window_have_their_end() -> None:
    with Stack.start(OPTIONS) as stack:
        timer(stack, "inventory")
        assert until(lambda: len(windows.rows(stack)) == OPTIONS.machines, KNOWN_SECONDS), "machines are missing"
        night = lived(stack, write(stack))
        print(f"  memory of the workers, MiB: {listed(held(stack))}; at their peak {listed(peaks(stack))}")
        largest = max(peaks(stack))
    report(night)
    assert night.complaints() == []
    assert judged([each.time for each in night.arrived]).refused == 0
    assert largest <= LARGEST_WORKER
