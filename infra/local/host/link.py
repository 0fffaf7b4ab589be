"""A worker's end of the connection to its host: blocking frames over one loopback socket, usable from any thread."""

import socket
import threading

from infra.local.host.wire import HEADER_BYTES, FromHost, FromWorker, body_length, decode_from_host, encode

CONNECT_SECONDS = 10.0


class Link:
    """Sends whole frames, one at a time; receives in one thread only."""

    def __init__(self, port: int) -> None:
        """Connects to the host at this loopback port. Raises OSError when the host is gone."""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=CONNECT_SECONDS)
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sending = threading.Lock()

    def send(self, message: FromWorker) -> None:
        """Raises OSError when the host is gone."""
        frame = encode(message)
        with self._sending:
            self._socket.sendall(frame)

    def receive(self) -> FromHost:
        """The next frame. Raises EOFError or OSError when the host is gone, BadFrame when it speaks nonsense."""
        return decode_from_host(self._read(body_length(self._read(HEADER_BYTES))))

    def _read(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self._socket.recv(min(count - len(parts), 1 << 20))
            if not part:
                raise EOFError("The host closed the connection.")
            parts += part
        return bytes(parts)
