"""Where worker processes come in: a loopback port that admits each started worker once, by its secret."""

import asyncio
import secrets

from infra.local.host.connection import Connection, accept
from infra.local.host.wire import Hello


class Door:
    """`open` it, `expect` a worker before its process is started, `close` it at the end."""

    def __init__(self) -> None:
        self._secrets: dict[int, str] = {}
        self._arrivals: dict[int, asyncio.Future[Connection]] = {}
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self) -> None:
        """Listens on a free loopback port."""
        self._server = await asyncio.start_server(self._come_in, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Nobody comes in any more; whoever is in stays."""
        if self._server is not None:
            self._server.close()

    def expect(self, worker: int) -> tuple[str, asyncio.Future[Connection]]:
        """The secret the worker of this number must say, and its connection once it has said it."""
        self._secrets[worker] = secrets.token_hex()
        self._arrivals[worker] = asyncio.get_running_loop().create_future()
        return self._secrets[worker], self._arrivals[worker]

    async def _come_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = await accept(reader, writer, self._admit)
        if connection is None:
            return
        arrival = self._arrivals.pop(connection.worker)
        if arrival.done():  # nobody waits any more: the host is stopping, or the worker took too long
            connection.close()
        else:
            arrival.set_result(connection)

    def _admit(self, hello: Hello) -> bool:
        """A secret works once."""
        if not secrets.compare_digest(self._secrets.get(hello.worker, "").encode(), hello.secret.encode()):
            return False
        return self._secrets.pop(hello.worker, "") != ""
