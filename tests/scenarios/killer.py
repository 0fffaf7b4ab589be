"""Kills workers by SIGKILL at moments that a seed draws, each in the middle of a request that it makes."""

import os
import queue
import signal
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec

from tests.scenarios.city import City
from tests.scenarios.relay import Seen
from tests.scenarios.steps import Caught, Step

PHASES = {"opening": (-9.0, 2.0), "starting": (2.0, 6.0), "following": (6.0, 16.0), "closing": (14.0, 34.0)}
"""Seconds from a window's start between which a kill of that name comes. Nothing but the moment is aimed at."""

MOST_REQUESTS = 6
"""The worker dies in one of so many requests that follow upon the moment."""

IDLE_SECONDS = 90.0
"""At the latest the minute's timers make requests."""


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """A kill to come: its window's number, its moment, in which request after it, and what becomes of that request.

    `after`: the server has answered it; `passed_on`: what is held goes on although the sender is dead.
    """

    window: int
    phase: str
    at: datetime
    request: int
    after: bool
    passed_on: bool


class Killed(msgspec.Struct, frozen=True, kw_only=True):
    """What died: the kill, when it really came, and in which request."""

    kill: Kill
    at: datetime
    pid: int
    request: str


def drawn(random: Random, number: int, start: datetime) -> list[Kill]:
    """The kills around one window: in one to three of the phases."""
    chosen = random.sample(list(PHASES), random.randint(1, 3))
    return [_drawn(random, number, start, phase) for phase in chosen]


def _drawn(random: Random, number: int, start: datetime, phase: str) -> Kill:
    return Kill(
        window=number,
        phase=phase,
        at=start + timedelta(seconds=random.uniform(*PHASES[phase])),
        request=random.randint(1, MOST_REQUESTS),
        after=random.random() < 0.5,
        passed_on=random.random() < 0.5,
    )


class Killer:
    """Does its kills one after the other in a thread of its own; `join` waits for the last."""

    def __init__(self, city: City, kills: Sequence[Kill]) -> None:
        self.done: list[Killed] = []
        self.missed: list[Kill] = []
        """No request came in which a worker could have died."""
        self._city = city
        self._kills = sorted(kills, key=lambda each: each.at)
        self._thread = threading.Thread(target=self._work, name="killer", daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> bool:
        """Whether all is done in this time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        pause = threading.Event()
        for kill in self._kills:
            pause.wait(max(0.0, (kill.at - datetime.now(UTC)).total_seconds()))
            self._kill(kill)
        self._city.steps.disarm()

    def _kill(self, kill: Kill) -> None:
        """Waits for its request. One whose sender has died of another kill meanwhile goes on, and the next is taken."""
        self._city.steps.arm(Step(name=kill.phase, after=kill.after, fits=Nth(kill.request)))
        while True:
            try:
                caught = self._city.steps.caught.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                self.missed.append(kill)
                return
            if self._strike(kill, caught):
                return
            self._city.steps.arm(Step(name=kill.phase, after=kill.after, fits=Nth(1)))

    def _strike(self, kill: Kill, caught: Caught) -> bool:
        pid = self._city.worker_of(caught.seen.ports)
        if pid is None:
            caught.release(True)
            return False
        os.kill(pid, signal.SIGKILL)
        caught.release(kill.passed_on)
        what = f"{caught.seen.method} {caught.seen.path.partition('?')[0]}"
        self.done.append(Killed(kill=kill, at=datetime.now(UTC), pid=pid, request=what))
        return True


class Nth:
    """Whether a request is the n-th of the app's own since this was made; the host's at its queues do not count."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self, seen: Seen) -> bool:
        if seen.door == "Queue" and seen.method != "POST":
            return False
        self._left -= 1
        return self._left <= 0
