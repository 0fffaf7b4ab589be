"""The app's timers run when a proof wants them, as a person does in Azure's portal, not every few minutes."""

import time
from collections.abc import Callable
from datetime import timedelta

from infra.local.stack import Stack
from tests.scenarios.city import City

NUDGE_SECONDS = 10.0
"""Between two runs of the timers that Azure's host runs every minute and every ten."""


def timer(stack: Stack, capability: str) -> None:
    """Runs it now; comes back at once."""
    stack.platform.post(f"/admin/functions/{capability}_timer")


def nudged(stack: Stack, done: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in time; agenda and planner run often meanwhile."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        for capability in ("agenda", "assessment"):
            timer(stack, capability)
        time.sleep(NUDGE_SECONDS)
    return True


def forward(city: City, span: timedelta) -> None:
    """Azure's clock, which is the app's, goes forward; every worker learns it from the next answer of ARM."""
    city.ahead += span
    print(f"  Azure's clock is {city.ahead} ahead from here on")
    for _ in city.workers:
        timer(city, "inventory")
