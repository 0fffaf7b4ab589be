"""The host's end of one worker's connection: frames over asyncio streams, admitted by a one-time secret."""

import asyncio
from collections.abc import Callable
from typing import Final

from infra.local.host.wire import (
    HEADER_BYTES,
    BadFrame,
    FromHost,
    FromWorker,
    Hello,
    body_length,
    decode_from_worker,
    encode,
)

# Whoever connects must say the secret at once; the machine's other programs get no more than this.
HELLO_SECONDS: Final = 5.0


class Connection:
    """Frames to and from one worker."""

    def __init__(self, worker: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.worker = worker
        self._reader = reader
        self._writer = writer

    async def send(self, message: FromHost) -> None:
        """Raises OSError when the worker is gone."""
        self._writer.write(encode(message))
        await self._writer.drain()

    async def receive(self) -> FromWorker:
        """Raises EOFError or OSError when the worker is gone or speaks nonsense."""
        return await _receive(self._reader)

    def close(self) -> None:
        """The worker ends by itself when it sees this."""
        self._writer.close()


async def accept(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, admit: Callable[[Hello], bool]
) -> Connection | None:
    """The connection of a worker that said its secret; anybody else is cut off."""
    try:
        async with asyncio.timeout(HELLO_SECONDS):
            message = await _receive(reader)
    except (TimeoutError, EOFError, OSError):
        writer.close()
        return None
    if isinstance(message, Hello) and admit(message):
        return Connection(message.worker, reader, writer)
    writer.close()
    return None


async def _receive(reader: asyncio.StreamReader) -> FromWorker:
    try:
        length = body_length(await reader.readexactly(HEADER_BYTES))
        return decode_from_worker(await reader.readexactly(length))
    except BadFrame as error:
        raise EOFError(str(error)) from error
