"""Runs one invocation in a worker and writes its one line: function, invocation id, outcome, milliseconds."""

import asyncio
import time
import uuid
from datetime import timedelta
from typing import Final, Protocol

import msgspec

from infra.local.host.log import Logger
from infra.local.host.metadata import Function
from infra.local.host.pool import Pool, TimedOut
from infra.local.host.slot import WorkerGone
from infra.local.host.wire import Completed, HttpResponse, Input, Invoke, Metadata

SUCCEEDED: Final = "Succeeded"
FAILED: Final = "Failed"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an invocation ended; the response is that of an HTTP function."""

    succeeded: bool
    response: HttpResponse | None = None


class Invoker(Protocol):
    """Whatever runs functions: the workers, or in a test something that only remembers."""

    async def invoke(self, function: Function, value: Input, metadata: dict[str, Metadata]) -> Outcome:
        """Runs the function once. Never raises for the function's own failure."""
        ...


class PoolInvoker:
    """Invokes in the worker pool, under the function timeout (None = unlimited)."""

    def __init__(self, pool: Pool, timeout: timedelta | None, logger: Logger) -> None:
        self._pool = pool
        self._timeout = None if timeout is None else timeout.total_seconds()
        self._logger = logger
        self._running: set[str] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def invoke(self, function: Function, value: Input, metadata: dict[str, Metadata]) -> Outcome:
        """One invocation, one log line."""
        invoke = Invoke(
            id=str(uuid.uuid4()),
            function_id=function.id,
            parameter=function.parameter,
            input=value,
            metadata=metadata,
        )
        began = time.monotonic()
        self._running.add(invoke.id)
        self._idle.clear()
        try:
            completed = await self._run(invoke)
        finally:
            self._running.discard(invoke.id)
            if not self._running:
                self._idle.set()
        self._write(function.name, completed, round((time.monotonic() - began) * 1000))
        return Outcome(succeeded=not completed.error, response=completed.response)

    async def idle(self, seconds: float) -> bool:
        """Waits until nothing runs, at most this long; says whether that came true."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _run(self, invoke: Invoke) -> Completed:
        try:
            return await self._pool.run(invoke, self._timeout)
        except TimedOut:
            return Completed(id=invoke.id, error=f"The function timeout of {self._timeout} s was exceeded.")
        except WorkerGone as gone:
            return Completed(id=invoke.id, error=str(gone))

    def _write(self, function: str, completed: Completed, milliseconds: int) -> None:
        fields: dict[str, str | int] = {"function": function, "invocation": completed.id}
        if completed.error:
            stack = {"stack": completed.stack} if completed.stack else {}
            line = {**fields, "outcome": FAILED, "ms": milliseconds, "error": completed.error, **stack}
            self._logger.error("Invocation.", **line)
        else:
            self._logger.info("Invocation.", **fields, outcome=SUCCEEDED, ms=milliseconds)
