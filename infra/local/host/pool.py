"""The worker processes together: every invocation goes to the least busy one that is ready; a dead one is replaced.

The workers end when their connections close, so nothing stays behind whatever way the host ends.
"""

import asyncio
from typing import Final

from infra.local.host.door import Door
from infra.local.host.errors import Refused
from infra.local.host.log import Logger
from infra.local.host.slot import Slot, WorkerGone, WorkerOptions
from infra.local.host.wire import Completed, Indexed, Invoke

# Restarts slow down while a worker cannot start, e.g. because function_app.py was broken meanwhile.
RESTART_FIRST_SECONDS: Final = 0.25
RESTART_MOST_SECONDS: Final = 10.0
# A worker that lived this long was healthy: its restart is quick again.
HEALTHY_SECONDS: Final = 10.0


class TimedOut(Exception):
    """The invocation was over the function timeout; its worker was killed."""


class Pool:
    """N workers. `start` once, then `run` as often as needed, `stop` at the end."""

    def __init__(self, options: WorkerOptions, logger: Logger) -> None:
        self._options = options
        self._logger = logger
        self._door = Door()
        self._ready = asyncio.Condition()
        self._slots: list[Slot] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self, count: int) -> Indexed:
        """Starts the workers and returns what the first of them indexed. Raises Refused when one cannot start."""
        await self._door.open()
        self._slots = [Slot(number, self._options, self._logger) for number in range(1, count + 1)]
        launches = await asyncio.gather(*(slot.launch(self._door) for slot in self._slots), return_exceptions=True)
        indexed = [_or_raise(launch) for launch in launches]
        self._tasks = [asyncio.create_task(self._keep(slot)) for slot in self._slots]
        return indexed[0]

    async def watch(self) -> None:
        """Waits for ever; raises what ended the keeping of a worker."""
        for task in (await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED))[0]:
            task.result()

    async def stop(self) -> None:
        """Ends all workers and waits until their processes are gone. May be called again."""
        async with self._ready:
            self._stopping = True
            self._ready.notify_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._door.close()
        for slot in self._slots:
            await slot.end()

    async def run(self, invoke: Invoke, timeout: float | None) -> Completed:
        """Runs it in a worker, waiting for one when all are being restarted.

        `timeout` in seconds counts from the hand-over. Raises WorkerGone, or TimedOut after killing the worker, as
        Azure's host does.
        """
        slot = await self._choose()
        try:
            return await slot.run(invoke, timeout)
        except TimeoutError:
            self._logger.error("Function timeout: its worker is ended.", worker=slot.number, invocation=invoke.id)
            slot.kill()
            raise TimedOut from None

    async def _choose(self) -> Slot:
        async with self._ready:
            await self._ready.wait_for(lambda: self._stopping or any(slot.ready for slot in self._slots))
        if self._stopping:
            raise WorkerGone("The host is stopping.")
        return min((slot for slot in self._slots if slot.ready), key=lambda slot: slot.load)

    async def _keep(self, slot: Slot) -> None:
        """Watches one worker for ever: waits for its end, then starts it again."""
        delay = RESTART_FIRST_SECONDS
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            if slot.ready:
                await slot.serve()
            if clock() - began > HEALTHY_SECONDS:
                delay = RESTART_FIRST_SECONDS
            await asyncio.sleep(delay)
            delay = min(delay * 2, RESTART_MOST_SECONDS)
            await self._relaunch(slot)

    async def _relaunch(self, slot: Slot) -> None:
        try:
            await slot.launch(self._door)
        except Refused as refused:
            self._logger.error(str(refused), worker=slot.number)
            return
        async with self._ready:
            self._ready.notify_all()


def _or_raise(launch: Indexed | BaseException) -> Indexed:
    if isinstance(launch, BaseException):
        raise launch
    return launch
