"""One worker of the pool: the process it has at the moment, its connection, and the invocations it holds."""

import asyncio
from typing import Final

import msgspec

from infra.local.host.connection import Connection
from infra.local.host.door import Door
from infra.local.host.errors import Refused
from infra.local.host.log import Logger
from infra.local.host.process import start_process
from infra.local.host.wire import Completed, Indexed, Invoke, Log, Start

# A cold import of an app with all SDKs and no bytecode takes some 3 s on a small machine; twenty times that is stuck.
START_SECONDS: Final = 60.0
# A worker without a connection ends at once unless something in it hangs.
EXIT_SECONDS: Final = 1.0


class WorkerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What every worker is started with; `environment` is the whole environment, the app's settings in it."""

    app: str
    log_level: int
    environment: dict[str, str]


class WorkerGone(Exception):
    """The worker ended before it answered."""


class Slot:
    """A numbered place for a worker. `launch` a process, `serve` it until it is gone, `launch` the next one."""

    def __init__(self, number: int, options: WorkerOptions, logger: Logger) -> None:
        self.number = number
        self.ready = False
        self._options = options
        self._logger = logger
        self._pending: dict[str, asyncio.Future[Completed]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._connection: Connection | None = None

    @property
    def load(self) -> int:
        """How many invocations it holds."""
        return len(self._pending)

    async def launch(self, door: Door) -> Indexed:
        """Starts a process; what it indexed. Raises Refused when it ends, is silent, or cannot index the app."""
        secret, arrival = door.expect(self.number)
        process = await start_process(door.port, self.number, secret, self._options.environment)
        self._process = process
        try:
            async with asyncio.timeout(START_SECONDS):
                self._connection = await _arrived(arrival, process)
                indexed = await self._begin(self._connection)
        except (TimeoutError, OSError, EOFError) as error:
            self.kill()
            raise Refused(f"Worker {self.number} did not start ({type(error).__name__}: {error}).") from error
        if indexed.error:
            self.kill()
            self._logger.info("The app's traceback.", worker=self.number, stack=indexed.stack)
            raise Refused(f"The worker could not index the app: {indexed.error}")
        self._logger.info("Worker ready.", worker=self.number, pid=process.pid)
        self.ready = True
        return indexed

    async def run(self, invoke: Invoke, timeout: float | None) -> Completed:
        """Raises WorkerGone, or TimeoutError after so many seconds."""
        future: asyncio.Future[Completed] = asyncio.get_running_loop().create_future()
        self._pending[invoke.id] = future
        try:
            await self._hand_over(invoke)
            return await asyncio.wait_for(future, timeout)
        finally:
            self._pending.pop(invoke.id, None)

    async def serve(self) -> None:
        """Reads the worker's answers until it is gone, then fails what it held."""
        assert self._connection is not None
        try:
            while True:
                self._take(await self._connection.receive())
        except (EOFError, OSError):
            code = await self._exit_code()
            self._logger.error("Worker ended.", worker=self.number, exit_code=code)
            self._fail_pending(f"Worker {self.number} ended with code {code} while it ran the function.")

    def kill(self) -> None:
        """Ends the process at once; the slot is no longer chosen from now on."""
        self._release()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def end(self) -> None:
        """Kills the process, fails what it held and waits until it is gone."""
        self.kill()
        self._fail_pending("The host is stopping.")
        if self._process is not None:
            await self._process.wait()

    async def _begin(self, connection: Connection) -> Indexed:
        await connection.send(Start(app=self._options.app, log_level=self._options.log_level))
        while True:
            message = await connection.receive()
            if isinstance(message, Indexed):
                return message
            self._take(message)

    async def _hand_over(self, invoke: Invoke) -> None:
        gone = WorkerGone(f"Worker {self.number} ended before the invocation began.")
        if self._connection is None:
            raise gone
        try:
            await self._connection.send(invoke)
        except OSError as error:
            raise gone from error

    def _take(self, message: object) -> None:
        if isinstance(message, Completed):
            future = self._pending.pop(message.id, None)
            if future is not None and not future.done():
                future.set_result(message)
        elif isinstance(message, Log):
            fields = {"invocation": message.invocation} if message.invocation else {}
            self._logger.write(message.level, message.message, logger=message.logger, **fields)

    def _release(self) -> None:
        """The worker ends by itself when its connection is closed."""
        self.ready = False
        if self._connection is not None:
            self._connection.close()

    async def _exit_code(self) -> int:
        """A process that is dead already must not be killed, or asyncio may lose its exit code; one that hangs must."""
        assert self._process is not None
        self._release()
        try:
            return await asyncio.wait_for(self._process.wait(), EXIT_SECONDS)
        except TimeoutError:
            self.kill()
            return await self._process.wait()

    def _fail_pending(self, reason: str) -> None:
        for future in self._pending.values():
            if not future.done():
                future.set_exception(WorkerGone(reason))
        self._pending.clear()


async def _arrived(arrival: asyncio.Future[Connection], process: asyncio.subprocess.Process) -> Connection:
    """The worker's connection. Raises EOFError when its process ends before it connects."""
    ended = asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait((arrival, ended), return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended.cancel()
    if not arrival.done():
        raise EOFError(f"its process ended with code {process.returncode}")
    return arrival.result()
