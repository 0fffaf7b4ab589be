"""An HTTPS server of a few lines that answers badly on purpose, and counts what reached it."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trustme
from azure.core.pipeline.transport import RequestsTransport

from infra.local.launch import free_port
from shared.cloud.azure import Azure
from shared.cloud.clock import Clock
from tests.cloud.world import AUDIENCE, World

PATIENCE_SECONDS = 0.5
"""Read time-out instead of the app's 30 s, so that a silent server costs a test no time."""

Manners = Callable[[ssl.SSLSocket, threading.Event], None]
"""What the server does once it has read a request; the event is set when the test is over."""


class Server:
    """Serves until closed; `requests` are the request lines that arrived."""

    def __init__(self, folder: Path, manners: Manners) -> None:
        authority = trustme.CA()
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(self._context)
        self._manners = manners
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[str] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError), self._context.wrap_socket(connection, server_side=True) as secure:
            head = b""
            while b"\r\n\r\n" not in head:
                part = secure.recv(65536)
                if not part:
                    return
                head += part
            self.requests.append(head.split(b"\r\n", 1)[0].decode())
            self._manners(secure, self._over)


@contextmanager
def serving(folder: Path, manners: Manners) -> Iterator[Server]:
    server = Server(folder, manners)
    try:
        yield server
    finally:
        server.close()


def hang_up(connection: ssl.SSLSocket, over: threading.Event) -> None:
    """The connection breaks after the request was read: a load balancer that lost its back end."""


def reset(connection: ssl.SSLSocket, over: threading.Event) -> None:
    """The same, rudely: the network drops the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def say_nothing(connection: ssl.SSLSocket, over: threading.Event) -> None:
    """The request is taken and never answered."""
    over.wait(10)


def answering(answer: bytes) -> Manners:
    """These bytes, then the connection ends."""

    def manners(connection: ssl.SSLSocket, over: threading.Event) -> None:
        connection.sendall(answer)

    return manners


@contextmanager
def azure_at(world: World, ca: Path, port: int | None = None) -> Iterator[Azure]:
    """The app's `Azure` over a real connection; without a port, one that nobody listens on."""
    wire = _Impatient(connection_verify=str(ca), use_env_settings=False)
    where = f"https://127.0.0.1:{port or free_port()}"
    with wire:
        yield Azure(where, AUDIENCE, lambda: world.credential, Clock(world.clock), world.deployment, wire)


class _Impatient(RequestsTransport):  # type: ignore[misc]  # the SDK exports it lazily, which hides its type
    """The SDK's own transport; only the app's read time-out is shortened."""

    def send(self, request: object, **options: object) -> object:
        return super().send(request, **{**options, "read_timeout": PATIENCE_SECONDS})
