"""Timer functions on a clock of the test's own: when they run, what they are told, what a restart makes up for."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from azure.data.tables.aio import TableServiceClient

from infra.local.azurite import Azurite
from infra.local.host.cron import Schedule
from infra.local.host.invoker import Outcome
from infra.local.host.log import Logger
from infra.local.host.metadata import Function, TimerTrigger
from infra.local.host.payloads import NEVER, ScheduleStatus
from infra.local.host.timer_status import MemoryStatus, TableStatus
from infra.local.host.timers import Timer, Timing, settled
from infra.local.host.wire import Input, Json, Metadata

START = datetime(2026, 1, 1, 10, 2, tzinfo=UTC)
FIVE_MINUTES = Schedule("0 */5 * * * *")


class Run(msgspec.Struct, frozen=True):
    """One invocation: when, and what it was told."""

    at: datetime
    document: dict[str, Any]

    @property
    def past_due(self) -> bool:
        return bool(self.document["IsPastDue"])


class World:
    """A clock that sleeping moves on, and a function that takes a stated time of it."""

    def __init__(self, now: datetime, takes: timedelta = timedelta(0)) -> None:
        self.time = now
        self.takes = takes
        self.runs: list[Run] = []
        self.longest_sleep = 0.0

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.longest_sleep = max(self.longest_sleep, seconds)
        self.time += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    async def invoke(self, function: Function, value: Input, metadata: dict[str, Metadata]) -> Outcome:
        assert isinstance(value, Json)
        self.runs.append(Run(self.time, json.loads(value.value)))
        self.time += self.takes
        await asyncio.sleep(0)
        return Outcome(succeeded=True)


def tick() -> Function:
    trigger = TimerTrigger(schedule="0 */5 * * * *")
    return Function(id="1", name="tick", parameter="t", trigger=trigger, bindings=())


def play(world: World, store: MemoryStatus, count: int, run_on_startup: bool = False) -> list[str]:
    """Runs the timer until it was invoked so often; the times of day of the invocations."""

    async def run() -> None:
        timer = Timer(tick(), FIVE_MINUTES, world, Timing(now=world.now, sleep=world.sleep), store)
        task = asyncio.create_task(timer.run(run_on_startup))
        while len(world.runs) < count:
            await asyncio.sleep(0)
        await timer.drain()
        for _ in range(3):  # lets the status of the last one be written
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(run())
    return [run.at.strftime("%H:%M:%S") for run in world.runs[:count]]


def test_every_occurrence_runs_once() -> None:
    world = World(START)
    assert play(world, MemoryStatus(), 3) == ["10:05:00", "10:10:00", "10:15:00"]
    assert not any(run.past_due for run in world.runs)


def test_the_clock_is_looked_at_again_while_waiting() -> None:
    world = World(START)
    play(world, MemoryStatus(), 1)
    assert world.longest_sleep <= 30


def test_an_occurrence_during_a_run_is_skipped() -> None:
    world = World(START, takes=timedelta(minutes=7))
    assert play(world, MemoryStatus(), 3) == ["10:05:00", "10:15:00", "10:25:00"]


def test_run_on_startup_runs_at_once_and_then_by_schedule() -> None:
    world = World(START)
    assert play(world, MemoryStatus(), 2, run_on_startup=True) == ["10:02:00", "10:05:00"]
    assert not world.runs[0].past_due


def test_a_function_is_told_when_it_ran_and_runs_next() -> None:
    world = World(START)
    play(world, MemoryStatus(), 2)
    assert world.runs[0].document["ScheduleStatus"] == {
        "Last": "0001-01-01T00:00:00Z",
        "Next": "2026-01-01T10:05:00Z",
        "LastUpdated": "2026-01-01T10:02:00Z",
    }
    assert world.runs[1].document["ScheduleStatus"] == {
        "Last": "2026-01-01T10:05:00Z",
        "Next": "2026-01-01T10:10:00Z",
        "LastUpdated": "2026-01-01T10:05:00Z",
    }


def test_an_occurrence_missed_while_no_host_ran_is_made_up_once_past_due() -> None:
    store = MemoryStatus()
    play(World(START), store, 1)
    later = World(datetime(2026, 1, 1, 12, 1, tzinfo=UTC))
    assert play(later, store, 2) == ["12:01:00", "12:05:00"]
    assert [run.past_due for run in later.runs] == [True, False]


def test_a_restart_between_two_occurrences_makes_up_for_nothing() -> None:
    store = MemoryStatus()
    play(World(START), store, 1)
    later = World(datetime(2026, 1, 1, 10, 9, tzinfo=UTC))
    assert play(later, store, 1) == ["10:10:00"]
    assert not later.runs[0].past_due


def test_a_timer_that_never_ran_is_past_due_too() -> None:
    new = settled(None, FIVE_MINUTES, START)
    assert new == ScheduleStatus(last=NEVER, next=START.replace(minute=5), last_updated=START)
    assert settled(new, FIVE_MINUTES, START + timedelta(hours=1)).next < START + timedelta(hours=1)


def test_a_changed_schedule_starts_anew() -> None:
    old = settled(None, FIVE_MINUTES, START)
    now = START + timedelta(hours=1)
    assert settled(old, Schedule("0 0 * * * *"), now).next == datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def test_the_status_outlives_the_host_in_the_storage_account(azurite: Azurite, tmp_path: Path) -> None:
    status = ScheduleStatus(last=START, next=START + timedelta(minutes=5), last_updated=START + timedelta(seconds=0.5))

    async def write_and_read() -> list[ScheduleStatus | None]:
        logger = Logger(lambda: START)
        async with TableServiceClient.from_connection_string(azurite.connection_string) as service:
            table = service.get_table_client("timerstatustest")
            one = TableStatus(table, str(tmp_path), logger)
            before = await one.read("tick")
            await asyncio.gather(one.write("tick", status), one.write("tock", status))
            again = TableStatus(table, str(tmp_path), logger)
            other = TableStatus(table, "another app", logger)
            return [before, await again.read("tick"), await again.read("tock"), await other.read("tick")]

    assert asyncio.run(write_and_read()) == [None, status, status, None]


def test_without_storage_a_timer_only_loses_its_memory(capfd: pytest.CaptureFixture[str]) -> None:
    nowhere = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;TableEndpoint=http://127.0.0.1:1/a;"

    async def read_and_write() -> ScheduleStatus | None:
        async with TableServiceClient.from_connection_string(nowhere, retry_total=0) as service:
            store = TableStatus(service.get_table_client("t"), "app", Logger(lambda: START))
            await store.write("tick", ScheduleStatus(last=START, next=START, last_updated=START))
            return await store.read("tick")

    assert asyncio.run(read_and_write()) is None
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["level"] for line in lines] == ["error", "error"]
    assert {line["function"] for line in lines} == {"tick"}
