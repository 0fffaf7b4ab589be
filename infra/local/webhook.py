"""A webhook on loopback: what a team's handler of pre and post events would listen with."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self


class Webhook:
    """Takes events while it is entered; refuses the first `refusals` deliveries."""

    def __init__(self, refusals: int = 0) -> None:
        self.events: list[dict[str, Any]] = []
        self._refusals = refusals
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, body: bytes) -> int:
        if self._refusals > 0:
            self._refusals -= 1
            return 503
        self.events.append(json.loads(body))
        return 200

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            """Event Grid delivers with POST."""

            def do_POST(self) -> None:
                self.send_response(take(self.rfile.read(int(self.headers.get("Content-Length", 0)))))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's own name
                """Nothing: the sandbox's journal tells of each delivery."""

        return Handler
