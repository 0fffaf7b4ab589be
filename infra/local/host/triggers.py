"""What starts functions by itself: builds the pump of every queue trigger and the timer of every timer trigger."""

import asyncio
from collections.abc import Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from azure.core.exceptions import AzureError
from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueServiceClient

from infra.local.host.appsettings import Settings, connection_string, resolved
from infra.local.host.cron import BadSchedule, Schedule
from infra.local.host.errors import Refused
from infra.local.host.hostjson import QueueOptions
from infra.local.host.metadata import Function, QueueTrigger, TimerTrigger
from infra.local.host.pump import Pump, PumpOptions, Runs
from infra.local.host.queues import TriggerQueue
from infra.local.host.timer_status import TABLE, MemoryStatus, StatusStore, TableStatus
from infra.local.host.timers import Timer, Timing

STORAGE_SETTING: Final = "AzureWebJobsStorage"
# The queue SDK's own default waits 15 s and more before it tries again; a pump looks again by itself anyway.
RETRIES: Final[dict[str, Any]] = {"retry_total": 2, "initial_backoff": 1, "increment_base": 1, "random_jitter_range": 0}


def check(functions: Iterable[Function], settings: Settings) -> None:
    """Raises Refused for a schedule, queue name or connection that cannot work, naming the function."""
    for function in functions:
        if isinstance(function.trigger, TimerTrigger):
            _schedule(function, function.trigger, settings)
        elif isinstance(function.trigger, QueueTrigger):
            _queue_name(function, function.trigger, settings)
            connection_string(function.trigger.connection, settings, f"Function {function.name}")


class Triggers:
    """All pumps and timers. `add` each function, `start`, and at the end `stop`, `drain`, `close`."""

    def __init__(self, settings: Settings, app: str, runs: Runs) -> None:
        self._settings = settings
        self._app = app
        self._runs = runs
        self._services: dict[str, QueueServiceClient] = {}
        self._tables: TableServiceClient | None = None
        self._pumps: list[Pump] = []
        self._timers: list[tuple[Timer, bool]] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def add(self, function: Function, queues: QueueOptions, lease: timedelta) -> None:
        """Prepares a function's trigger; makes its queue. Raises Refused when the storage cannot be reached."""
        if isinstance(function.trigger, QueueTrigger):
            queue = self._queue(function, function.trigger)
            try:
                await queue.create()
            except AzureError as error:
                why = str(error).partition("\n")[0]
                raise Refused(f"Function {function.name}: queue {queue.name} cannot be made: {why}") from error
            options = PumpOptions(queues=queues, lease=lease, binary=function.trigger.binary)
            self._pumps.append(Pump(function, queue, options, self._runs))
        elif isinstance(function.trigger, TimerTrigger):
            self._timers.append((self._timer(function, function.trigger), function.trigger.run_on_startup))

    def start(self) -> None:
        """From now on functions are run."""
        running: list[Coroutine[None, None, None]] = [pump.poll() for pump in self._pumps]
        running += [timer.run(on_startup) for timer, on_startup in self._timers]
        self._tasks = [asyncio.create_task(each) for each in running]

    async def watch(self) -> None:
        """Waits for ever; raises what ended a pump or a timer, none of which ends by itself."""
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ended, _ = await asyncio.wait([never, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()

    def stop(self) -> None:
        """Starts nothing new; what runs goes on."""
        for pump in self._pumps:
            pump.stop()
        for task in self._tasks[len(self._pumps) :]:
            task.cancel()

    async def drain(self, seconds: float) -> None:
        """Waits for what runs, at most this long."""
        waits = [pump.drain() for pump in self._pumps] + [timer.drain() for timer, _ in self._timers]
        if waits or self._tasks:
            ends = [asyncio.ensure_future(wait) for wait in waits]
            await asyncio.wait([*ends, *self._tasks], timeout=seconds)

    async def close(self) -> None:
        """Gives the connections back."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for service in self._services.values():
            await service.close()
        if self._tables is not None:
            await self._tables.close()

    def _queue(self, function: Function, trigger: QueueTrigger) -> TriggerQueue:
        connection = connection_string(trigger.connection, self._settings, f"Function {function.name}")
        if connection not in self._services:
            self._services[connection] = QueueServiceClient.from_connection_string(connection, **RETRIES)
        return TriggerQueue(self._services[connection], _queue_name(function, trigger, self._settings))

    def _timer(self, function: Function, trigger: TimerTrigger) -> Timer:
        schedule = _schedule(function, trigger, self._settings)
        monitored = trigger.use_monitor and not schedule.shorter_than_a_minute(_now())
        store = self._table_status() if monitored else MemoryStatus()
        return Timer(function, schedule, self._runs.invoker, Timing(now=_now, sleep=asyncio.sleep), store)

    def _table_status(self) -> StatusStore:
        connection = self._settings.get(STORAGE_SETTING)
        if not connection:
            return MemoryStatus()
        if self._tables is None:
            self._tables = TableServiceClient.from_connection_string(connection, retry_total=RETRIES["retry_total"])
        return TableStatus(self._tables.get_table_client(TABLE), self._app, self._runs.logger)


def _now() -> datetime:
    return datetime.now(UTC)


def _schedule(function: Function, trigger: TimerTrigger, settings: Settings) -> Schedule:
    try:
        schedule = Schedule(resolved(trigger.schedule, settings, f"The schedule of function {function.name}"))
        schedule.next_after(_now())
        return schedule
    except BadSchedule as error:
        raise Refused(f"Function {function.name}: {error}.") from error


def _queue_name(function: Function, trigger: QueueTrigger, settings: Settings) -> str:
    return resolved(trigger.queue, settings, f"The queue name of function {function.name}")
