"""`prove pace`: Azure's throttle is used up and never exceeded, by real starts and in simulated time."""

import uuid
from collections import Counter, defaultdict
from datetime import datetime, timedelta

import msgspec
import pytest

from infra.local.fleet import Row
from infra.local.launch import Options
from infra.local.stack import Stack
from shared.cloud.clock import Clock
from shared.domain.bucket import SLOT_LIFE
from shared.domain.machine import Assessment, Kind, Machine, OperatingSystem, Outcome
from shared.domain.messages import QUEUES, Planned, StartPlanned
from shared.domain.operation import Operation, claim_assessment
from shared.domain.resource_id import parse_machine_id
from shared.store.store import Store
from shared.wiring import build_store
from shared.workflows.planner import plan_assessments
from shared.workflows.sending import when_due
from tests.local.waiting import until
from tests.scenarios.judging import Arrival
from tests.scenarios.timers import nudged, timer
from tests.scenarios.tokens import BURST, PER_MINUTE, WRITES_BURST, WRITES_PER_MINUTE, Tokens, judged
from tests.simulation.clock import START
from tests.simulation.queues import QueueAccount, TwinQueues
from tests.simulation.steps import Hub
from tests.simulation.tables import TableAccount, TwinTable

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1200)]


class Fleet:
    """Machines of several regions in simulated time: the app's planner and buckets over twins of tables and queues."""

    def __init__(self, regions: int, machines: int) -> None:
        """`machines` in each region, in resource groups of five hundred."""
        self.seconds, hub, account = 0.0, Hub(), TableAccount()
        self.queue = QueueAccount(lambda: self.seconds)

        def table(name: str) -> TwinTable:
            made = TwinTable(account, name, hub)
            made.ensure()
            return made

        self.store: Store = build_store(table, TwinQueues(self.queue, hub))
        self.regions = [f"region{number}" for number in range(regions)]
        for region in self.regions:
            for first in range(0, machines, 500):
                group = [_machine(region, first, each) for each in range(first, min(first + 500, machines))]
                self.store.fleet.add_scopes([group[0].address.scope])
                self.store.machines.save(group[0].address.scope, group)

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def plan(self) -> list[tuple[datetime, Planned]]:
        """One run of the planner: the machines of its messages and when each is seen."""
        plan_assessments(self.store, timedelta(hours=24), Clock(lambda: self.now), lambda: str(uuid.uuid4()))
        now, self.seconds = self.seconds, self.seconds + 3600
        sent = [stored for stored in list(self.queue.surface()) if stored.queue == QUEUES[StartPlanned]]
        for stored in list(self.queue.visible):
            self.queue.delete(stored)
        self.seconds = now
        seen = [
            (START + timedelta(seconds=stored.visible_at), planned)
            for stored in sent
            for planned in msgspec.json.decode(stored.text, type=StartPlanned).machines
        ]
        return sorted(seen, key=lambda pair: pair[0])

    def run(self) -> dict[str, list[datetime]]:
        """Plans every ten minutes, as the timer does, until nothing is due; the starts of each region."""
        starts = defaultdict(list)
        while seen := self.plan():
            for at, message in seen:
                address = parse_machine_id(message.machine)
                starts[address.group.partition("-")[0]].append(at)
                done = Assessment(id=message.attempt, outcome=Outcome.SUCCEEDED, started=at, ended=at)
                self.store.machines.set_assessment(address, done)
            self.seconds += 600
        return starts

    def late(self, outage: timedelta) -> list[datetime]:
        """Everything is planned, then nothing runs for so long, then all messages are there at once: the starts."""
        waiting = []
        for _, message in self.plan():
            operation = claim_assessment(message.machine, message.attempt, "", self.now, message.slot)
            assert self.store.operations.claim(operation)
            waiting.append((max(message.slot, START + outage), message.attempt, operation))
        starts = []
        while waiting:
            waiting.sort(key=lambda each: each[:2], reverse=True)
            at, attempt, operation = waiting.pop()
            seconds = self._wait(operation, at)
            if seconds:
                waiting.append((at + timedelta(seconds=seconds), attempt, operation))
            else:
                starts.append(at)
        return starts

    def _wait(self, operation: Operation, now: datetime) -> int:
        address = parse_machine_id(operation.machine)
        record, held = self.store.machines.get(address), self.store.operations.in_flight(address)
        assert record is not None
        assert held is not None
        return when_due(self.store, record, held, now)[1]


def _machine(region: str, group: int, number: int) -> Machine:
    scope = f"/subscriptions/s/resourceGroups/{region}-{group}/providers/Microsoft.Compute/virtualMachines"
    return Machine(
        id=f"{scope}/m{number}", vm_id=f"{region}{number}", name=f"m{number}", kind=Kind.AZURE_VM,
        os=OperatingSystem.LINUX, location=region,
    )  # fmt: skip


@pytest.mark.parametrize(("regions", "machines"), [(1, 3_000), (5, 2_000), (1, 6_000)])
def test_simulated_fleets_use_all_of_the_throttle_and_no_more(regions: int, machines: int) -> None:
    fleet = Fleet(regions, machines)
    print(f"\n{regions * machines:,} machines in {regions} subscription-region{'s' * (regions > 1)}, simulated time")
    for region, starts in fleet.run().items():
        tokens, last = judged(starts), (max(starts) - START).total_seconds() / 60
        bound = 1.05 * max(0, machines - BURST) / PER_MINUTE
        print(
            f"  {region}: {len(starts)} starts, last after {last:.2f} min (bound {bound:.2f}), {tokens.refused} refused"
        )
        assert len(starts) == machines
        assert tokens.refused == 0
        assert last <= bound


@pytest.mark.parametrize("outage", [timedelta(minutes=10), timedelta(minutes=3), SLOT_LIFE])
def test_after_an_outage_old_slots_are_leased_anew(outage: timedelta) -> None:
    """Slots younger than SLOT_LIFE are still used: at most what flows into a bucket in that time is then too much."""
    starts = Fleet(1, 2_500).late(outage)
    tokens, last = judged(starts), (max(starts) - START).total_seconds() / 60
    print(f"\n2,500 planned, an outage of {outage}: last after {last:.1f} min, {tokens.refused} above the bucket")
    assert len(starts) == 2_500
    assert tokens.refused <= (0 if outage > SLOT_LIFE else SLOT_LIFE.total_seconds() * PER_MINUTE / 60)


REAL = Options(
    machines=680,
    seed=3,
    speed=10,
    crowded=True,
    settings={"OUM_ASSESSMENT_AGE": "PT10S"},
)
"""All in one subscription and region. Everything in machines is ten times faster; the throttle is of real size, in real
time. Assessments are due again after ten seconds, so that demand goes on when the burst of 600 is used up."""

BEYOND = 600
"""Starts that are driven beyond the burst: three minutes' worth of what flows in."""

TOO_MANY = 429


def arrivals(stack: Stack) -> list[Arrival]:
    """Every start that reached Azure, whatever it answered: each costs a token."""
    return [each for each in stack.sandbox.get("/sandbox/journal?after=0", list[Arrival]) if each.is_start]


def test_real_starts_never_exceed_the_bucket() -> None:
    with Stack.start(REAL) as stack:
        timer(stack, "inventory")
        assert until(lambda: len(shown(stack)) == REAL.machines, 120)
        assert nudged(stack, lambda: len(arrivals(stack)) >= BURST + BEYOND, 600), len(arrivals(stack))
        calls, rows = arrivals(stack), shown(stack)
    times = [datetime.fromisoformat(call.time) for call in calls]
    patches, writes = judged(times), judged(times, WRITES_BURST, WRITES_PER_MINUTE)
    report(calls, patches, writes)
    assert (patches.refused, writes.refused) == (0, 0)
    assert [call for call in calls if call.status == TOO_MANY] == []
    assert [row.name for row in rows if row.reason is not None and row.reason.code == "Throttled"] == []


def shown(stack: Stack) -> list[Row]:
    return list(stack.app.pages("/fleet/machines?$top=500", Row))


def report(calls: list[Arrival], patches: Tokens, writes: Tokens) -> None:
    """How many starts came in each minute, and how the buckets stood."""
    first = datetime.fromisoformat(calls[0].time)
    minutes = Counter(int((datetime.fromisoformat(call.time) - first).total_seconds() // 60) for call in calls)
    print(f"\n{REAL.machines} machines in one subscription and region, {REAL.speed:.0f} times faster than real ones")
    print(f"  {len(calls)} real starts; in each minute: {', '.join(str(minutes[at]) for at in sorted(minutes))}")
    print(f"  answers: {dict(sorted(Counter(call.status for call in calls).items()))}")
    for name, tokens, burst in (("guest patches", patches, BURST), ("ARM writes", writes, WRITES_BURST)):
        print(f"  {name}: lowest the bucket stood {tokens.lowest:.0f} of {burst}; starts above it: {tokens.refused}")
