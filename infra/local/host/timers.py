"""Timer triggers: waits for each occurrence and runs the function; never twice at once by schedule.

The rules of the timer extension of Azure's host ("Timer trigger for Azure Functions"): an occurrence that passes
while the function still runs is skipped; one that passed while no host ran is made up once at start, past due.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from infra.local.host.cron import Schedule
from infra.local.host.invoker import Invoker
from infra.local.host.log import Clock
from infra.local.host.metadata import Function
from infra.local.host.payloads import NEVER, ScheduleStatus, timer_input
from infra.local.host.timer_status import StatusStore

# A sleeping laptop stops the clock that sleeps are measured by: look at the real time at least this often.
LONGEST_SLEEP: Final = timedelta(seconds=30)

Sleep = Callable[[float], Awaitable[None]]
"""Waits that many seconds."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Time, from outside."""

    now: Clock
    sleep: Sleep


class Timer:
    """One timer function; the store keeps its status over restarts, or only in memory when it is not monitored."""

    def __init__(
        self, function: Function, schedule: Schedule, invoker: Invoker, timing: Timing, store: StatusStore
    ) -> None:
        self._function = function
        self._schedule = schedule
        self._invoker = invoker
        self._timing = timing
        self._store = store
        self._invocation: asyncio.Task[None] | None = None

    async def run(self, run_on_startup: bool) -> None:
        """Runs until cancelled; an invocation that runs by then goes on, see `drain`."""
        now = self._timing.now()
        status = settled(await self._store.read(self._function.name), self._schedule, now)
        await self._store.write(self._function.name, status)
        if status.next < now or run_on_startup:
            status = await self._invoke(status.next < now, status)
        while True:
            await self._sleep_until(self._schedule.next_after(self._timing.now()))
            status = await self._invoke(False, status)

    async def drain(self) -> None:
        """Waits for the invocation that is running."""
        if self._invocation is not None:
            await asyncio.wait({self._invocation})

    async def _invoke(self, is_past_due: bool, status: ScheduleStatus) -> ScheduleStatus:
        self._invocation = asyncio.create_task(self._once(is_past_due, status))
        await asyncio.shield(self._invocation)
        now = self._timing.now()
        status = ScheduleStatus(last=now, next=self._schedule.next_after(now), last_updated=now)
        await self._store.write(self._function.name, status)
        return status

    async def _once(self, is_past_due: bool, status: ScheduleStatus) -> None:
        await self._invoker.invoke(self._function, timer_input(is_past_due, status), {})

    async def _sleep_until(self, due: datetime) -> None:
        while (left := due - self._timing.now()) > timedelta(0):
            await self._timing.sleep(min(left, LONGEST_SLEEP).total_seconds())


def settled(status: ScheduleStatus | None, schedule: Schedule, now: datetime) -> ScheduleStatus:
    """What a starting host goes on with; its `next` lies before `now` exactly when an occurrence was missed.

    A new timer starts from now, and so does one whose schedule was changed while no host ran.
    """
    if status is not None:
        since = status.last_updated if status.last == NEVER else status.last
        if status.next == schedule.next_after(since):
            return status
    return ScheduleStatus(last=NEVER, next=schedule.next_after(now), last_updated=now)
