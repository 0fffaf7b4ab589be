"""Three hundred subscriptions, three of them forbidden and one throttled: read, isolated, and cheap to read again."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar, cast

import msgspec
import pytest

from shared.cloud.clock import Clock
from shared.domain.machine import Record
from shared.domain.messages import QUEUES, CountFleet, ListSubscription, Message, SweepMachines
from shared.store.store import Store
from shared.wiring import build_store
from shared.workflows.inventory import plan_inventory, sweep_inventory
from shared.workflows.listing import take_inventory
from tests.sandbox.world import Clock as Hands
from tests.simulation.cloud import LightAzure
from tests.simulation.queues import QueueAccount, TwinQueues
from tests.simulation.steps import Hub, Step
from tests.simulation.tables import TableAccount, TwinTable
from tests.simulation.wire import Wire
from tests.workflows.estate import LARGEST, MACHINES, Estate

SUBSCRIPTIONS, MOST_SECONDS = 300, 20.0
KINDS: dict[str, type[Message]] = {queue: kind for kind, queue in QUEUES.items()}

_T = TypeVar("_T")


class Counting(Hub):
    """Does every step at once and counts it."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: Counter[str] = Counter()

    def io(self, step: Step, act: Callable[[], _T]) -> _T:
        self.steps[f"{step.place}.{step.verb}"] += 1
        return act()


class Large:
    """The app's inventory over the estate, in storage twins; messages come when they are due."""

    def __init__(self) -> None:
        self.hands = Hands()
        self.estate = Estate(SUBSCRIPTIONS, self.hands)
        self.hub = Counting()
        wire = cast("Wire", self.estate)  # LightAzure asks nothing of it but `handle`
        self.azure = LightAzure(wire, "token", Clock(self.hands), self.hub)
        tables, start = TableAccount(), self.hands.now
        self.queue = QueueAccount(lambda: (self.hands.now - start).total_seconds())

        def table(name: str) -> TwinTable:
            made = TwinTable(tables, name, self.hub)
            made.ensure()
            return made

        self.store: Store = build_store(table, TwinQueues(self.queue, self.hub))

    def inventory(self, minutes: float = 55) -> None:
        plan_inventory(self.azure, self.store, ())
        end = self.hands.now + timedelta(minutes=minutes)
        while self.queue.length:
            ready = self.queue.surface()
            if not ready:
                wait = self.queue.next_at - (self.hands.now - self._start).total_seconds()
                if self.hands.now + timedelta(seconds=wait) > end:
                    return
                self.hands.advance(wait)
                continue
            stored = min(ready, key=lambda each: each.number)
            self.queue.delete(stored)
            self._deliver(msgspec.json.decode(stored.text, type=KINDS[stored.queue]))

    @property
    def _start(self) -> datetime:
        return Hands().now

    def _deliver(self, message: Message) -> None:
        match message:
            case ListSubscription():
                take_inventory(self.azure, self.store, message)
            case SweepMachines():
                sweep_inventory(self.azure, self.store, message)
            case CountFleet():
                pass

    def alive(self) -> list[Record]:
        found = (record for scope in self.store.fleet.scopes() for record in self.store.machines.in_scope(scope))
        return [record for record in found if record.deleted is None]

    def troubles(self) -> dict[str, str]:
        return {each.id: each.reason.code for each in self.store.fleet.subscriptions() if each.reason}

    def spent(self) -> tuple[int, int, int]:
        """Queries, other reads of Azure, and storage transactions since the last look."""
        estate, steps = self.estate, sum(self.hub.steps.values())
        told = estate.queries, estate.reads, steps
        estate.queries = estate.reads = 0
        self.hub.steps.clear()
        return told


def test_three_hundred_subscriptions_three_forbidden_one_throttled() -> None:
    began, large = time.monotonic(), Large()
    estate = large.estate
    whole = LARGEST + (SUBSCRIPTIONS - 1) * MACHINES
    estate.forbidden = set(estate.subscriptions[10:13])
    estate.throttled = {estate.subscriptions[20]}
    large.inventory()
    forbidden, throttled = dict.fromkeys(estate.forbidden, "InventoryFailed"), estate.subscriptions[20]
    assert large.troubles() == {**forbidden, throttled: "InventoryThrottled"}
    assert len(large.alive()) == whole - 4 * MACHINES

    estate.throttled.clear()
    large.hands.advance(600)
    large.inventory()
    assert large.troubles() == forbidden
    assert len(large.alive()) == whole - 3 * MACHINES
    large.spent()

    large.inventory()
    queries, reads, storage = large.spent()
    assert queries == 4, "two batches and the largest, whose machines are two pages"
    assert reads == 1 + 3 * 1, "the subscriptions, and one look at each that is forbidden"
    assert (queries + reads) / whole < 0.01
    assert storage / whole < 2
    assert large.hub.steps == Counter()

    estate.forbidden.clear()
    large.inventory()
    assert large.troubles() == {}
    assert len(large.alive()) == whole

    estate.forbidden = {estate.subscriptions[30]}
    gone = estate.machines[estate.subscriptions[40]].pop()
    large.inventory()
    assert large.troubles() == {estate.subscriptions[30]: "InventoryFailed"}
    assert len(large.alive()) == whole - 1, "the forbidden one's machines are as last seen"
    assert gone["id"] not in {record.machine.id for record in large.alive()}
    assert time.monotonic() - began < MOST_SECONDS


def test_sweeps_stay_within_their_budget() -> None:
    """At most 0.01 calls of Azure and 2 storage transactions a swept machine; a week has 168 sweeps and one listing."""
    large = Large()
    large.inventory()
    listed = large.spent()
    large.hands.advance(3600)
    large.inventory()
    swept = large.spent()
    machines, week = LARGEST + (SUBSCRIPTIONS - 1) * MACHINES, 168
    calls, storage = (sum(listed[:2]) + week * sum(swept[:2])), listed[2] + week * swept[2]
    assert 0 < calls / (week * machines) <= 0.01
    assert 0 < storage / (week * machines) <= 2


def test_a_machine_that_storage_cannot_take_stops_no_other_subscription() -> None:
    large = Large()
    large.inventory()
    large.hands.advance(3600)
    *others, broken = large.estate.subscriptions[9:4:-1]
    for each in (*others, broken):
        large.estate.machines[each][1]["properties"]["status"] = "Disconnected"
    large.estate.machines[broken][1]["properties"]["status"] = "x" * 40_000
    with pytest.raises(ValueError, match=f"{broken}.*too long"):
        large.inventory()
    changed = [each.machine.address.subscription for each in large.alive() if each.machine.connection == "Disconnected"]
    assert sorted(changed) == sorted(others)
    late = {each.id for each in large.store.fleet.subscriptions() if each.at < large.hands.now}
    assert broken in late
    assert late.isdisjoint(others)
    asked = [stored.text for stored in large.queue.surface() if stored.queue == QUEUES[ListSubscription]]
    assert [msgspec.json.decode(text, type=ListSubscription).subscription for text in asked] == [broken]
