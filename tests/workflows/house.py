"""The app without its triggers: takes messages from the queues when they are due, and calls the workflow they name."""

import base64
import heapq
import math
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Self

import msgspec

from shared.cloud import machines as listing
from shared.domain.health import Check
from shared.domain.machine import Record
from shared.domain.messages import (
    QUEUES,
    AdvanceRun,
    CountFleet,
    FollowOperation,
    FollowPlanned,
    ListSubscription,
    Message,
    OpenRun,
    SendEvents,
    StartAssessment,
    StartInstallation,
    StartPlanned,
    SweepMachines,
    SweepResults,
)
from shared.domain.operation import Operation
from shared.domain.owner import Mark
from shared.workflows.agenda import tend_agenda
from shared.workflows.assessment import request_assessment, start_assessment
from shared.workflows.events import send_events
from shared.workflows.health import read_health
from shared.workflows.index import count_fleet
from shared.workflows.installation import request_installation, start_installation
from shared.workflows.inventory import plan_inventory, sweep_inventory
from shared.workflows.listing import take_inventory
from shared.workflows.openings import open_run
from shared.workflows.operations import follow
from shared.workflows.planned import follow_planned, start_planned
from shared.workflows.planner import plan_assessments
from shared.workflows.results import plan_results, sweep_results
from shared.workflows.runs import advance_run
from tests.cloud.world import Json, World, address_of, everything
from tests.sandbox.world import ORIGIN
from tests.workflows.storage import Post, Storage

OLDEST = timedelta(hours=24)
LONGEST = timedelta(minutes=235)
WHO = "somebody"
KINDS: dict[str, type[Message]] = {queue: kind for kind, queue in QUEUES.items()}
MINUTE = timedelta(minutes=1)
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
MOST_STEPS = 3000
"""Messages in one test; more is a loop that does not end."""


class Letter(msgspec.Struct, frozen=True, order=True):
    """A message as taken from its queue."""

    due: datetime
    number: int
    queue: str
    text: str

    @property
    def message(self) -> Message:
        return msgspec.json.decode(self.text, type=KINDS[self.queue])


class House(World):
    """A cloud, an empty store, and the messages between them. `copies`: how often each message is delivered."""

    def __init__(
        self,
        storage: Storage,
        *,
        machines: int = 14,
        speed: float = 600,
        platform: bool = False,
        owner: str = World.deployment,
    ) -> None:
        super().__init__(machines=machines, speed=speed, platform=platform, owner=owner)
        self._post = Post(lambda: self.clock.now)
        self.store = storage(self._post)
        self._waiting: list[Letter] = []
        self._count = 0
        self.handled: list[Letter] = []
        self.copies = 1
        if owner == self.deployment:
            self._know_owner()

    def with_topic(self) -> Self:
        """The app has a topic for its events."""
        self.topic = self.azure.topic = f"{ORIGIN}/topics/maintenance/api/events"
        return self

    @property
    def now(self) -> datetime:
        return self.azure.clock.now()

    def _know_owner(self) -> None:
        """As after a start a moment ago."""
        for subscription in {machine["subscription"] for machine in self.fleet}:
            self.store.fleet.save_mark(Mark(subscription=subscription, owner=self.deployment, read=self.now))

    # What timers and callers do.
    def inventory(self) -> None:
        """Every machine of every subscription becomes known."""
        plan_inventory(self.azure, self.store, ())
        self.run()

    def inventory_now(self, times: int = 1) -> None:
        """The inventory, and nothing else that waits on a queue; each of its messages comes so often."""
        kept = self.lose()
        plan_inventory(self.azure, self.store, ())
        for _ in range(MOST_STEPS):
            own = [each for each in self.lose() if isinstance(each.message, ListSubscription | SweepMachines)]
            if not own:
                break
            for letter in own * times:
                self.deliver(letter.message)
        for letter in kept:
            heapq.heappush(self._waiting, letter)

    def know(self, *machines: Json, connection: str | None = None) -> Json:
        """Only these become known, as the inventory would see them, or with another state than Azure's; the first."""
        for machine in machines:
            every = listing.machines(self.azure, machine["subscription"])
            seen = next(each for each in every if each.id == machine["id"])
            told = seen if connection is None else msgspec.structs.replace(seen, connection=connection)
            self.store.fleet.add_scopes([told.address.scope])
            self.store.machines.save(told.address.scope, [told])
        return machines[0]

    def plan(self) -> int:
        return plan_assessments(self.store, OLDEST, self.azure.clock, lambda: str(uuid.uuid4()))

    def sweep(self) -> int:
        """What the timer of results asks for."""
        return plan_results(self.store, self.now)

    def assess(self, machine: Json, request: str = "r-1") -> Operation:
        return request_assessment(self.store, address_of(machine), WHO, request, self.now)

    def install(self, machine: Json, request: str = "r-1", **more: object) -> Operation:
        body = msgspec.json.encode(everything(machine, **more))
        return request_installation(self.store, address_of(machine), body, WHO, request, self.now)

    def tend(self) -> int:
        return tend_agenda(self.store, self.azure.clock)

    def problems(self) -> list[str]:
        """What health says is wrong; timers are not run here, but called."""
        told = read_health(self.store, self.now).problems
        return [problem.message for problem in told if problem.check is not Check.TIMERS]

    # What is remembered.
    def record(self, machine: Json) -> Record:
        found = self.store.machines.get(address_of(machine))
        assert found is not None, machine["id"]
        return found

    def attempt(self, machine: Json, attempt: str) -> Operation:
        found = self.store.operations.attempt(address_of(machine), attempt)
        assert found is not None, attempt
        return found

    def in_flight(self, machine: Json) -> Operation | None:
        held = self.store.operations.in_flight(address_of(machine))
        return held.operation if held else None

    def pending(self, machine: Json) -> set[str]:
        return {update.id for update in self.store.updates.of(address_of(machine))}

    # The queues.
    def waiting(self) -> list[Letter]:
        """Everything that was sent and not delivered yet, in order of its time."""
        for sent in self._post.take():
            self._count += 1
            text = base64.b64decode(sent.content).decode()
            heapq.heappush(self._waiting, Letter(sent.due, self._count, sent.queue, text))
        return sorted(self._waiting)

    def lose(self) -> list[Letter]:
        """All messages are gone."""
        lost = self.waiting()
        self._waiting.clear()
        return lost

    def step(self) -> Letter:
        """Delivers the message that is due first; the clock moves to its time."""
        self.waiting()
        letter = heapq.heappop(self._waiting)
        self.clock.now = max(self.clock.now, letter.due)
        self.handled.append(letter)
        for _ in range(self.copies):
            self.deliver(letter.message)
        return letter

    def run(self, minutes: float = 240, until: Callable[[], bool] = lambda: False) -> None:
        """Delivers messages up to a time or a condition; ends earlier when there are none left."""
        end = self.clock.now + timedelta(minutes=minutes)
        for _ in range(MOST_STEPS):
            letters = self.waiting()
            if not letters or letters[0].due > end or until():
                return
            self.step()
        raise AssertionError(f"still messages after {MOST_STEPS} steps: {self.waiting()[:3]}")

    def live(self, minutes: float, until: Callable[[], bool] = lambda: False) -> None:
        """Lets time pass with the agenda's timer, every minute in which it has something to do."""
        end = self.clock.now + timedelta(minutes=minutes)
        while self.clock.now < end and not until():
            tick = self.clock.now + MINUTE
            self.run(1, until)
            self.clock.now = max(self.clock.now, min(self._next_tick(tick), end))
            self.tend()
        self.run(0)

    def _next_tick(self, tick: datetime) -> datetime:
        """The first minute from `tick` on in which a message or, by the app's clock, a line of the agenda is due."""
        due, oldest = [letter.due - MINUTE for letter in self.waiting()[:1]], None  # a tick delivers its whole minute
        if not due or due[0] > tick:
            oldest = self.store.agenda.oldest()
        due += [oldest - (self.now - self.clock.now)] if oldest else []
        return tick + max(timedelta(), math.ceil((min(due, default=FOREVER) - tick) / MINUTE) * MINUTE)

    def deliver(self, message: Message) -> None:
        """What the trigger of its queue does with a message."""
        match message:
            case ListSubscription() | SweepMachines() | SweepResults():
                self._read(message)
            case StartAssessment() | StartPlanned() | FollowPlanned():
                self._assess(message)
            case StartInstallation() | OpenRun() | SendEvents() | AdvanceRun():
                self._patch(message)
            case FollowOperation():
                follow(self.azure, self.store, message)
            case CountFleet():
                count_fleet(self.store, message, self.azure.clock, lambda: str(uuid.uuid4()))

    def _assess(self, message: StartAssessment | StartPlanned | FollowPlanned) -> None:
        match message:
            case StartAssessment():
                start_assessment(self.azure, self.store, message)
            case StartPlanned():
                start_planned(self.azure, self.store, message, OLDEST)
            case FollowPlanned():
                follow_planned(self.azure, self.store, message)

    def _patch(self, message: StartInstallation | OpenRun | SendEvents | AdvanceRun) -> None:
        match message:
            case StartInstallation():
                start_installation(self.azure, self.store, message, LONGEST)
            case OpenRun():
                open_run(self.azure, self.store, message)
            case SendEvents():
                send_events(self.azure, self.store, message)
            case AdvanceRun():
                advance_run(self.store, message, self.azure.clock)

    def _read(self, message: ListSubscription | SweepMachines | SweepResults) -> None:
        match message:
            case ListSubscription():
                take_inventory(self.azure, self.store, message)
            case SweepMachines():
                sweep_inventory(self.azure, self.store, message)
            case SweepResults():
                sweep_results(self.azure, self.store, message)
