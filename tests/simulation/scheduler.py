"""Who goes on next, when, and what goes wrong there: one random generator decides everything."""

import heapq
from collections.abc import Callable, Iterable
from random import Random

from tests.simulation.clock import WorldClock
from tests.simulation.faults import Fault, Faults, crash_after, crash_before
from tests.simulation.plan import ASLEEP, FROZEN, LATE, MET, REFUSED, THROTTLED
from tests.simulation.queues import QueueAccount, Stored
from tests.simulation.steps import Act, Hub, Invocation, Step
from tests.simulation.story import Story

STEP_SECONDS = 0.02
"""A step takes half of this on average."""
AIM = 0.7
"""Chance that a point aimed at is hit when it is met; less than all of them, so that later meetings are hit too."""
MOST_AT_ONCE = 24
"""Invocations under way before no further message is received: the host's batch size on two instances, less."""


class Scheduler:
    """Runs invocations step by step, in an order that nobody can foresee but the seed."""

    def __init__(self, random: Random, clock: WorldClock, hub: Hub, queues: QueueAccount, faults: Faults) -> None:
        self._random = random
        self._clock = clock
        self._hub = hub
        self._queues = queues
        self._faults = faults
        self._aims = {
            "before": crash_before,
            "after": crash_after,
            LATE: faults.late_refusal,
            ASLEEP: faults.asleep,
            FROZEN: faults.frozen,
            THROTTLED: faults.throttled,
            REFUSED: faults.refused,
            MET: faults.met,
        }
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = 0
        self._forced: set[int] = set()
        self._targets: dict[tuple[str, str, str], set[str]] = {}
        """Where this seed wants something to go wrong: sides by function, place and verb."""
        self.ready: list[Invocation] = []
        self.alive: set[Invocation] = set()
        self.story = Story(clock.start)
        self.rate = 0.0
        self.down: set[str] = set()
        """Places that are down."""
        self.on_message: Callable[[Stored], None] = lambda _: None
        self.on_meeting: Callable[[Invocation], None] = lambda _: None
        self.on_crash: Callable[[str, str, str, str], None] = lambda *_: None

    @property
    def now(self) -> float:
        return self._clock.seconds

    def at(self, seconds: float, do: Callable[[], None]) -> None:
        """Do this at that time."""
        self._numbers += 1
        heapq.heappush(self._later, (seconds, self._numbers, do))

    def aim_at(self, targets: Iterable[str]) -> None:
        """`function place.verb side`, as plan.py draws them; nowhere else any more."""
        self._targets.clear()
        for target in targets:
            function, step, side = target.split(" ")
            place, _, verb = step.partition(".")
            self._targets.setdefault((function, place, verb), set()).add(side)

    def start(self, function: str, instance: str, work: Act, after: Callable[[Invocation], None]) -> Invocation:
        """A new invocation; `after` is called at its end."""
        self._numbers += 1
        invocation = Invocation(self._numbers, function, instance, work)
        invocation.after, invocation.began = after, self.now
        self.alive.add(invocation)
        self.ready.append(invocation)
        return invocation

    def kill(self, instance: str) -> None:
        """The instance is gone, and everything that ran on it."""
        for invocation in sorted(self.alive, key=lambda each: each.number):
            if invocation.instance == instance:
                self._note_crash(invocation, "before")
                self._hub.stop(invocation)
                self._ended(invocation)

    def run(self, finished: Callable[[], bool]) -> None:
        """Until `finished`, asked whenever nothing is under way."""
        while True:
            self._bring_up_to_date()
            waiting = self._queues.visible if len(self.alive) < MOST_AT_ONCE else []
            choices = len(self.ready) + len(waiting)
            if choices:
                chosen = int(self._random.random() * choices)
                self._go_on(chosen) if chosen < len(self.ready) else self._receive(waiting, chosen - len(self.ready))
            elif finished():
                return
            else:
                self._wait()

    def _bring_up_to_date(self) -> None:
        later, clock = self._later, self._clock
        while later and later[0][0] <= clock.seconds:
            heapq.heappop(later)[2]()
        if self._queues.next_at <= clock.seconds:
            self._queues.surface()

    def _wait(self) -> None:
        """Nothing is under way: on to the next thing that time brings."""
        upcoming = self._later[0][0] if self._later else float("inf")
        self._clock.seconds = max(self.now, min(upcoming, self._queues.next_at))

    def _receive(self, waiting: list[Stored], chosen: int) -> None:
        self.on_message(waiting[chosen])

    def _go_on(self, chosen: int) -> None:
        invocation = self.ready[chosen]
        self.ready[chosen] = self.ready[-1]
        self.ready.pop()
        self._clock.seconds += self._random.random() * STEP_SECONDS
        fault = self._fault_for(invocation)
        if fault is not None and fault.order is None:
            self._forced.add(invocation.number)
            self._sleep(invocation, fault.delay)
            return
        self._resume(invocation, fault)

    def _resume(self, invocation: Invocation, fault: Fault | None) -> None:
        name, order = (fault.name, fault.order) if fault else ("", None)
        self.story.tell(self._clock.seconds, invocation, name, invocation.step)
        self._hub.resume(invocation, order)
        if invocation.over:
            self._ended(invocation)
        elif (step := invocation.step) is not None and step.place == "time":
            self._sleep(invocation, float(str(step.about)))
        else:
            self.ready.append(invocation)

    def _sleep(self, invocation: Invocation, seconds: float) -> None:
        def wake() -> None:
            if invocation in self.alive:
                self.ready.append(invocation)

        self.at(self.now + seconds, wake)

    def _ended(self, invocation: Invocation) -> None:
        self.alive.discard(invocation)
        if invocation in self.ready:
            self.ready.remove(invocation)
        failure = f"{type(invocation.failure).__name__}: {invocation.failure}" if invocation.failure else ""
        self.story.tell(self.now, invocation, "died" if invocation.crashed else failure or "done")
        invocation.after(invocation)

    def _fault_for(self, invocation: Invocation) -> Fault | None:
        step = invocation.step
        if step is None or invocation.number in self._forced:
            self._forced.discard(invocation.number)
            return None
        fault = self._targeted(invocation, step) if self._targets else None
        if fault is None and step.place in self.down:
            fault = self._faults.outage(step)
        if fault is None and self.rate and self._random.random() < self.rate:
            fault = self._faults.draw(step)
        if fault is None:
            return None
        self.story.fault(fault.name)
        if fault.name.startswith("crash"):
            self._note_crash(invocation, fault.name.removeprefix("crash "))
        if fault.order is None:
            self.story.tell(self.now, invocation, fault.name, step)
        return fault

    def _targeted(self, invocation: Invocation, step: Step) -> Fault | None:
        sides = self._targets.get((invocation.function, step.place, step.verb))
        if not sides:
            return None
        for side, fault in self._aims.items():
            if side in sides and self._random.random() < AIM:
                sides.discard(side)
                if side == MET:
                    self.on_meeting(invocation)
                return fault()
        return None

    def _note_crash(self, invocation: Invocation, side: str) -> None:
        if invocation.step is not None:
            self.on_crash(invocation.function, invocation.step.place, invocation.step.verb, side)
