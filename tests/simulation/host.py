"""The Functions host as the simulation needs it: timers, messages with visibility and poison, requests of clients."""

from collections.abc import Sequence
from random import Random

from shared.domain.errors import RequestError
from shared.domain.messages import POISON_SUFFIX
from shared.domain.operation import Operation
from tests.simulation.app import Instance, function_of
from tests.simulation.queues import QueueAccount, Stored
from tests.simulation.scheduler import Scheduler
from tests.simulation.steps import Act, Invocation
from tests.simulation.wishes import Wish

VISIBILITY = 30.0
"""host.json: a message that failed shows again after so many seconds."""
LEASE = 600.0
"""What a dead host leaves a message hidden for; a dead worker's host hides it for VISIBILITY."""
MOST_DELIVERIES = 5
"""host.json: maxDequeueCount."""
Timers = tuple[tuple[str, float, float], ...]
TIMERS: Timers = (("agenda_timer", 0.0, 60.0), ("assessment_timer", 30.0, 600.0), ("inventory_timer", 420.0, 3600.0))
"""Name, first firing and period in seconds from the clock's start."""
INVENTORY_ASKED = (1.0, *(80.0 * turn for turn in range(1, 6)))
"""When somebody asks for the inventory, seconds from the start: once deployed, and again while things go wrong."""
ASSESSMENTS_PLANNED = (130.0, 250.0, 370.0)
"""When the planner is started between its hours as well: what is planned while things go wrong matters most."""
CLIENT_RETRIES = 3
EXPECTED_FAILURES = ("StorageFault", "ServiceResponseError", "CloudError", "Conflict")
"""What a function may fail with: what was injected, and what the app makes of it."""


class Host:
    """Starts invocations on instances, and sees to what follows from their ends."""

    def __init__(
        self, random: Random, scheduler: Scheduler, queues: QueueAccount, instances: dict[str, Instance]
    ) -> None:
        self._random = random
        self._scheduler = scheduler
        self._queues = queues
        self._instances = instances
        self.duplicates = 0.0
        """The chance that a message is delivered a second time while it is being handled."""
        self.parked: list[Stored] = []
        """Every message that was moved to a poison queue."""
        self.surprises: list[str] = []
        """Failures that no fault explains."""
        self._under_way: dict[int, Stored] = {}
        """Messages that are being handled, by the number of their invocation."""
        scheduler.on_message = self.deliver
        scheduler.on_meeting = self._deliver_again

    def start_timers(
        self,
        timers: Timers = TIMERS,
        inventory: Sequence[float] = INVENTORY_ASKED,
        planned: Sequence[float] = ASSESSMENTS_PLANNED,
    ) -> None:
        for name, first, period in timers:
            self._scheduler.at(first, self._firing(name, period))
        for at in inventory:
            self._scheduler.at(at, lambda: self._fire("inventory_timer"))
        for at in planned:
            self._scheduler.at(at, lambda: self._fire("assessment_timer"))

    def start_wishes(self, wishes: list[Wish]) -> None:
        for wish in wishes:
            self._scheduler.at(wish.at, self._asking(wish))
            if self._random.random() < 0.25:  # the client's SDK sends twice
                self._scheduler.at(wish.at + self._random.choice((0.0, 0.1, 5.0)), self._asking(wish))

    def deliver(self, stored: Stored) -> None:
        """Give a message to some instance; to the poison queue when its workers died over it too often."""
        if stored.deliveries >= MOST_DELIVERIES and not stored.queue.endswith(POISON_SUFFIX):
            self._poison(stored)
            return
        twice = self._random.random() < self.duplicates
        self._queues.take(stored, self._random.uniform(0, 2) if twice else LEASE)
        if twice:
            self._scheduler.story.fault("delivered twice")
        instance = self._any()
        started = self._start(function_of(stored.queue), instance, lambda: instance.receive(stored.queue, stored.text),
                              lambda invocation: self._delivered(stored, invocation))  # fmt: skip
        self._under_way[started.number] = stored

    def replay(self, queue: str, message: str) -> None:
        """An operator puts a parked message back."""
        instance = self._any()
        self._start("poison_replay", instance, lambda: instance.poison_replay(queue, message))

    def _any(self) -> Instance:
        return self._random.choice(list(self._instances.values()))

    def _deliver_again(self, invocation: Invocation) -> None:
        """The message shows again while it is being handled, as queues allow."""
        stored = self._under_way.get(invocation.number)
        if stored is not None and not stored.gone:
            self._queues.hide(stored, 0.0)

    def _start(self, function: str, instance: Instance, work: Act, after: object = None) -> Invocation:
        def ended(invocation: Invocation) -> None:
            if invocation.failure and not _is_expected(invocation.failure):
                self.surprises.append(f"{function} #{invocation.number}: {invocation.failure!r}")
            if callable(after):
                after(invocation)

        return self._scheduler.start(function, instance.name, work, ended)

    def _delivered(self, stored: Stored, invocation: Invocation) -> None:
        del self._under_way[invocation.number]
        if not invocation.crashed and invocation.failure is None:
            self._queues.delete(stored)
        elif stored.gone or stored.visible_at <= self._scheduler.now:
            return  # another delivery has it
        elif invocation.failure and stored.deliveries >= MOST_DELIVERIES and not stored.queue.endswith(POISON_SUFFIX):
            self._poison(stored)
        else:
            host_died = invocation.crashed and self._random.random() < 0.2
            self._queues.hide(stored, LEASE if host_died else VISIBILITY)

    def _poison(self, stored: Stored) -> None:
        self._queues.put(f"{stored.queue}{POISON_SUFFIX}", stored.text, 0)
        self._queues.delete(stored)
        self.parked.append(stored)

    def _firing(self, name: str, period: float) -> Act:
        def fire() -> None:
            self._scheduler.at(self._scheduler.now + period, fire)
            self._fire(name)
            if self._random.random() < self.duplicates:
                self._scheduler.story.fault("timer fired twice")
                self._fire(name)

        return fire

    def _fire(self, name: str) -> None:
        instance = self._any()
        self._start(name, instance, getattr(instance, name))

    def _asking(self, wish: Wish) -> Act:
        def ask() -> None:
            instance = self._any()
            wish.asked.append(self._scheduler.now)
            if wish.verb == "assessPatches":
                function, work = "assessment_request", self._assess(instance, wish)
            else:
                function, work = "installation_request", self._install(instance, wish)
            self._start(function, instance, work, lambda invocation: self._answered(wish, invocation))

        return ask

    def _assess(self, instance: Instance, wish: Wish) -> Act:
        return lambda: instance.assessment_request(wish.machine.id, wish.request_id)

    def _install(self, instance: Instance, wish: Wish) -> Act:
        return lambda: instance.installation_request(wish.machine.id, wish.request_id, wish.body)

    def _answered(self, wish: Wish, invocation: Invocation) -> None:
        """A client without a clear answer asks again, under the same request id."""
        if isinstance(invocation.answer, Operation):
            wish.accepted.append(invocation.answer.attempt)
        elif not isinstance(invocation.failure, RequestError) and wish.tries < CLIENT_RETRIES:
            wish.tries += 1
            self._scheduler.at(self._scheduler.now + self._random.choice((0.8, 1.6, 30.0, 300.0)), self._asking(wish))


def _is_expected(failure: Exception) -> bool:
    names = [kind.__name__ for kind in type(failure).__mro__]
    return isinstance(failure, RequestError) or any(name in EXPECTED_FAILURES for name in names)
