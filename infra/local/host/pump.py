"""The pump of one queue trigger: receives, runs the function, deletes; a failure comes back, too many end as poison.

The same rules as the queue extension of Azure's host ("Azure Queue storage trigger": concurrency, poison messages,
host.json settings): at most batchSize + newBatchThreshold at once; while a message runs it stays hidden; after a
failure it is visible again after visibilityTimeout; at maxDequeueCount it moves to `<queue>-poison`.
"""

import asyncio
import base64
import binascii
import random
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from azure.core.exceptions import AzureError
from azure.storage.queue import QueueMessage

from infra.local.host.hostjson import QueueOptions
from infra.local.host.invoker import Invoker
from infra.local.host.log import Logger
from infra.local.host.metadata import Function
from infra.local.host.payloads import QueueItem, queue_input, queue_metadata
from infra.local.host.polling import next_wait
from infra.local.host.queues import TriggerQueue

# Azure's host hides a message for 10 minutes while it runs and renews that at half. When the host itself dies, the
# message comes back after what is left of it.
DEFAULT_LEASE: Final = timedelta(minutes=10)


class PumpOptions(msgspec.Struct, frozen=True, kw_only=True):
    """host.json's part; how long a running message stays hidden without a renewal; whether the body is bytes."""

    queues: QueueOptions
    lease: timedelta = DEFAULT_LEASE
    binary: bool = False


class NotBase64(Exception):
    """A message is not encoded as host.json says."""


class Pump:
    """Runs one function for the messages of one queue."""

    def __init__(self, function: Function, queue: TriggerQueue, options: PumpOptions, runs: "Runs") -> None:
        self._function = function
        self._queue = queue
        self._options = options
        self._runs = runs
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def poll(self) -> None:
        """Looks for messages until `stop`; what runs by then goes on, see `drain`."""
        queues = self._options.queues
        empty_looks = 0
        while not self._stopping.is_set():
            found = await self._look()
            empty_looks = 0 if found else empty_looks + 1
            while len(self._running) > queues.new_batch_threshold:
                await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            await self._pause(next_wait(empty_looks, queues.max_polling_interval, self._runs.rng))

    def stop(self) -> None:
        """Receives no more. A message that is just being received is given back."""
        self._stopping.set()

    async def drain(self) -> None:
        """Waits for the messages that are running."""
        if self._running:
            await asyncio.wait(self._running)

    async def _look(self) -> bool:
        """Receives one batch and starts it; says whether there was anything. A storage error counts as nothing."""
        try:
            messages = await self._queue.receive(self._options.queues.batch_size, self._options.lease)
        except AzureError as error:
            self._log_error("read the queue", error)
            return False
        if self._stopping.is_set():
            for message in messages:
                await self._attempt("give the message back", self._queue.hide(message, timedelta(0)))
            return False
        for message in messages:
            task = asyncio.create_task(self._process(message))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return bool(messages)

    async def _pause(self, wait: timedelta) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), wait.total_seconds())
        except TimeoutError:
            return

    async def _process(self, message: QueueMessage) -> None:
        most = self._options.queues.max_dequeue_count
        count = message.dequeue_count or 1
        if self._queue.poison_name and count > most:  # its last run never came to an end, e.g. the host was killed
            await self._to_poison(message)
            return
        try:
            item = queue_item(message, self._options.queues.base64)
        except NotBase64 as error:
            self._runs.logger.error(str(error), function=self._function.name, queue=self._queue.name)
            await self._to_poison(message)
            return
        if await self._run(message, item):
            await self._attempt("delete the message", self._queue.delete(message))
        elif self._queue.poison_name and count >= most:
            await self._to_poison(message)
        else:
            visible_after = self._options.queues.visibility_timeout
            await self._attempt("release the message", self._queue.hide(message, visible_after))

    async def _run(self, message: QueueMessage, item: QueueItem) -> bool:
        done = asyncio.Event()
        renewal = asyncio.create_task(self._keep_hidden(message, done))
        try:
            value = queue_input(item, self._options.binary)
            outcome = await self._runs.invoker.invoke(self._function, value, queue_metadata(item))
        finally:
            done.set()
            await renewal  # a renewal on the wire changes the pop receipt: wait for it
        return outcome.succeeded

    async def _keep_hidden(self, message: QueueMessage, done: asyncio.Event) -> None:
        lease = self._options.lease
        while True:
            try:
                await asyncio.wait_for(done.wait(), lease.total_seconds() / 2)
            except TimeoutError:
                await self._attempt("keep the message hidden", self._queue.hide(message, lease))
            else:
                return

    async def _to_poison(self, message: QueueMessage) -> None:
        where = f"goes to {self._queue.poison_name}" if self._queue.poison_name else "stays, there is no poison queue"
        self._runs.logger.error(
            f"A message {where}.", function=self._function.name, queue=self._queue.name, message_id=message.id
        )
        await self._attempt("move the message to the poison queue", self._queue.move_to_poison(message))

    async def _attempt(self, what: str, action: Awaitable[None]) -> None:
        """A storage error is logged; the message then comes back when its hiding ends."""
        try:
            await action
        except AzureError as error:
            self._log_error(what, error)

    def _log_error(self, what: str, error: AzureError) -> None:
        first_line = str(error).partition("\n")[0]
        self._runs.logger.error(
            f"Could not {what}: {type(error).__name__}: {first_line}",
            function=self._function.name,
            queue=self._queue.name,
        )


class Runs(msgspec.Struct, frozen=True, kw_only=True):
    """What a pump or a timer runs functions with, from outside."""

    invoker: Invoker
    logger: Logger
    rng: random.Random


def queue_item(message: QueueMessage, is_base64: bool) -> QueueItem:
    """The message as a function sees it. Raises NotBase64."""
    now = datetime.now(UTC)
    return QueueItem(
        id=message.id,
        body=_decoded(message.content) if is_base64 else str(message.content).encode(),
        dequeue_count=message.dequeue_count or 1,
        inserted=message.inserted_on or now,
        expires=message.expires_on or now,
        next_visible=message.next_visible_on or now,
        pop_receipt=message.pop_receipt or "",
    )


def _decoded(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotBase64(f"A message is not base64 ({error}); host.json says messageEncoding base64.") from error
