"""One seed's world: storage twins, the sandbox, two instances of the app, and a day on which everything goes wrong."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from random import Random
from typing import NamedTuple

from infra.local.sandbox.config import guid
from shared.cloud.azure import Azure
from shared.cloud.clock import Clock
from shared.domain.bucket import GUEST_PATCH_RESERVE
from shared.domain.operation import INSTALLATION_GRACE
from shared.domain.resource_id import parse_machine_id
from shared.store.store import Store
from shared.wiring import build_store
from tests.simulation.app import Instance
from tests.simulation.clock import WorldClock
from tests.simulation.cloud import LightAzure
from tests.simulation.faults import Faults
from tests.simulation.host import Host
from tests.simulation.plan import INSTANCES, Plan, draw_plan
from tests.simulation.queues import QueueAccount, TwinQueues
from tests.simulation.scheduler import Scheduler
from tests.simulation.sdk import real_azure
from tests.simulation.steps import Hub
from tests.simulation.tables import TableAccount, TwinTable
from tests.simulation.template import Template
from tests.simulation.watch import Watch
from tests.simulation.wire import Sent, Wire

LEAST_FAULTS = 10
HEALED_WITHIN = timedelta(hours=2, minutes=45)
"""After the last fault: a refused assessment pauses for an hour, a plan that led to nothing is made again after 40
minutes, the planner comes every 10, an operation with no trace is given up after 10."""
TIGHT_AT, TIGHT_BACKLOG, TIGHT_SPARE = 25.0, 3000, 4
"""In a tight seed other work has leased so many slots of every bucket at this second: 600 at once, then one by one."""

_TELLING = ("operations", "agenda", "run", "machines", "configurations")
"""Tables whose rows tell what is still open."""

MakeAzure = Callable[[Wire, str, Clock, Hub], Azure]


class Parts(NamedTuple):
    """What a mutation may replace."""

    store: Callable[[Store, Callable[[str], TwinTable]], Store] = lambda store, table: store
    light: MakeAzure = LightAzure
    real: MakeAzure = real_azure
    always_sdk: bool = False
    app: type[Instance] = Instance


class World:
    """Built from a seed and a template; `run` lets it live until everything is quiet."""

    def __init__(self, seed: int, template: Template, parts: Parts = Parts()) -> None:  # noqa: B008 - immutable
        self.random = Random(seed)
        self.fleet = template.fleet
        self.plan: Plan = draw_plan(seed, self.random, template.fleet)
        self.clock: WorldClock = template.clock
        self.sandbox = template.sandbox
        self.hub = Hub()
        self.watch = self._watch()
        self.tables = TableAccount(self.watch)
        if template.tables is not None:
            self.tables.fill(template.tables)
        self.queues = QueueAccount(lambda: self.clock.seconds)
        self.wire = self._wire()
        self.wire.on_arrival = self._arrived
        faults = Faults(self.random, self.hub, self.tables)
        self.scheduler = Scheduler(self.random, self.clock, self.hub, self.queues, faults)
        self.crashes: Counter[str] = Counter()
        self.scheduler.on_crash = self._crashed
        self.phantoms: dict[tuple[str, str], list[float]] = {}
        """Starts of other work, per subscription and region."""
        self.quiet_at: float | None = None
        self.healed = False
        self._looked_at: tuple[int, ...] = ()
        self._was_open = True
        self._token = template.token
        self._parts = parts
        self._replayed: set[int] = set()
        self.store = build_store(self._table, TwinQueues(self.queues, self.hub))
        """For looking in from outside, whatever a mutation does to the instances."""
        self.instances = {name: self._instance(name) for name in INSTANCES}
        self.host = Host(self.random, self.scheduler, self.queues, self.instances)

    def run(self) -> None:
        plan, scheduler = self.plan, self.scheduler
        self._start_timers()
        self.host.start_wishes(plan.wishes)
        scheduler.rate, self.host.duplicates = plan.rate, 0.03
        scheduler.aim_at(plan.targets)
        for at, name in plan.restarts:
            scheduler.at(at, self._restarting(name))
        for start, end, place in plan.outages:
            scheduler.at(start, partial(scheduler.down.add, place))
            scheduler.at(end, partial(scheduler.down.discard, place))
        if plan.tight:
            scheduler.at(TIGHT_AT, self._use_up_buckets)
        scheduler.at(plan.faulty_for, self._heal)
        scheduler.run(self._finished)

    def deadline(self) -> float:
        """Everything must be settled by then: the last window's end, its grace, and time to heal."""
        ends = [self.clock.since(run.end + INSTALLATION_GRACE) for _, run in self.watch.runs.values()]
        return max([self.quiet_at or self.plan.faulty_for, *ends]) + HEALED_WITHIN.total_seconds()

    def open_ends(self) -> Iterator[str]:
        """What is not settled yet, what is looked up fastest first."""
        yield from (f"in flight: {row.partition}" for row in self.tables.rows("operations", "inflight"))
        yield from (f"agenda: {row.key}" for row in self.tables.rows("agenda"))
        yield from (f"open run: {run}" for run in self.watch.runs if not self._is_closed(run))
        yield from (
            f"never assessed: {each.id}" for each in self.fleet if each.reachable and not self._assessed(each.id)
        )

    def _watch(self) -> Watch:
        return Watch(self.clock)

    def _wire(self) -> Wire:
        return Wire(self.hub, self.sandbox, self.clock)

    def _start_timers(self) -> None:
        self.host.start_timers()

    def _instance(self, name: str) -> Instance:
        clock = Clock(self.clock.skewed(self.plan.skew[name]))
        make = self._parts.real if self.plan.sdk or self._parts.always_sdk else self._parts.light
        azure = make(self.wire, self._token, clock, self.hub)
        store = build_store(self._table, TwinQueues(self.queues, self.hub))
        return self._parts.app(name, azure, self._parts.store(store, self._table), self._new_id)

    def _table(self, name: str) -> TwinTable:
        table = TwinTable(self.tables, name, self.hub)
        table.ensure()
        return table

    def _new_id(self) -> str:
        return guid(self.random.getrandbits(128))

    def _restarting(self, name: str) -> Callable[[], None]:
        def restart() -> None:
            self.scheduler.kill(name)
            self.scheduler.story.fault("instance restarted")
            self.instances[name] = self._instance(name)

        return restart

    def _heal(self) -> None:
        """The bad hours are over, once enough went wrong in them."""
        if self.scheduler.story.faults.total() < LEAST_FAULTS:
            self.scheduler.rate = 0.1
            self.scheduler.at(self.clock.seconds + 60, self._heal)
            return
        self.quiet_at = self.clock.seconds
        self.scheduler.rate = self.host.duplicates = 0.0
        self.scheduler.down.clear()
        self.scheduler.aim_at(())
        if self.plan.replays:
            self.scheduler.at(self.clock.seconds + 300, self._replay)

    def _replay(self) -> None:
        """An operator puts everything back that was given up."""
        for row in self.tables.rows("poison"):
            if row.values.get("parked") and not row.values.get("replayed"):
                self.host.replay(row.partition, row.key)

    def _use_up_buckets(self) -> None:
        """Other work of the app takes its slots as every work does."""
        for subscription, region in sorted({(each.subscription, each.region) for each in self.fleet}):
            # In one write: sixty of them leave the same row, and cost a tenth of a seed.
            slots = self.store.buckets._lease_block(subscription, region, TIGHT_BACKLOG, self.clock(), None)
            reserve = [self.clock.seconds] * (GUEST_PATCH_RESERVE - TIGHT_SPARE)  # others of the tenant, unpaced
            self.phantoms[subscription, region] = [*(self.clock.since(slot) for slot in slots), *reserve]

    def _arrived(self, sent: Sent) -> None:
        rows = [
            row for row in self.tables.rows("operations", "inflight") if sent.attempt in str(row.values["operation"])
        ]
        sent.was_held = any(row.values["state"] in ("sending", "unconfirmed") for row in rows)

    def _finished(self) -> bool:
        if self.quiet_at is None:
            return False
        if self.clock.seconds > self.deadline():
            return True
        self.healed = not self.scheduler.alive and self.queues.length == 0 and not self._is_open()
        return self.healed

    def _is_open(self) -> bool:
        """Whether anything is not settled yet: looked up again when what it is told by has changed."""
        stand = self._stand()
        if stand != self._looked_at:
            self._looked_at, self._was_open = stand, any(self.open_ends())
        return self._was_open

    def _stand(self) -> tuple[int, ...]:
        """What `open_ends` depends on."""
        return tuple(self.tables.changes[table] for table in _TELLING)

    def _is_closed(self, run: str) -> bool:
        loaded = self.store.runs.load(run)
        return loaded is not None and loaded.run.closed is not None

    def _assessed(self, machine: str) -> bool:
        record = self.store.machines.get(parse_machine_id(machine))
        return record is not None and record.assessment is not None

    def _crashed(self, function: str, place: str, verb: str, side: str) -> None:
        self.crashes[f"{function} {place}.{verb} {side}"] += 1
