"""What carries the SDKs' requests: enough connections stay open, and nothing is sent twice."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline.transport import HttpRequest

from shared.store.connections import CONNECT_TIMEOUT, CONNECTIONS_KEPT, READ_TIMEOUT, transport
from shared.store.queue import open_queues
from shared.store.table import Table, open_tables

PATIENCE_SECONDS = 10


class _Server(ThreadingHTTPServer):
    """Answers when so many requests have come, by connections that stay open. `silent`: it hangs up instead."""

    daemon_threads = True
    request_queue_size = 2 * CONNECTIONS_KEPT

    def __init__(self, together: int, silent: bool) -> None:
        self.together, self.silent = threading.Barrier(together), silent
        self.connections, self.requests = 0, 0
        self._count = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def count(self, connections: int, requests: int) -> None:
        with self._count:
            self.connections += connections
            self.requests += requests


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.count(connections=1, requests=0)

    def do_POST(self) -> None:
        self.server.count(connections=0, requests=1)
        self.server.together.wait(PATIENCE_SECONDS)
        if self.server.silent:
            self.close_connection = True
            return
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's own word
        pass


@contextmanager
def listening(together: int, silent: bool = False) -> Iterator[_Server]:
    with _Server(together, silent) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_as_many_connections_stay_open_as_a_worker_uses_at_once() -> None:
    with listening(CONNECTIONS_KEPT) as server, transport() as wire, ThreadPoolExecutor(CONNECTIONS_KEPT) as callers:
        url = f"http://127.0.0.1:{server.server_port}/"
        for _ in range(2):
            for answer in callers.map(lambda _: wire.send(HttpRequest("POST", url)), range(CONNECTIONS_KEPT)):
                assert answer.status_code == 204
                answer.body()
        assert (server.connections, server.requests) == (CONNECTIONS_KEPT, 2 * CONNECTIONS_KEPT)


def test_a_request_whose_answer_is_lost_is_sent_once() -> None:
    with listening(1, silent=True) as server, transport() as wire:
        with pytest.raises(ServiceResponseError):
            wire.send(HttpRequest("POST", f"http://127.0.0.1:{server.server_port}/"))
        assert server.requests == 1


def test_clients_of_storage_wait_no_longer_than_ours() -> None:
    """A client that is given a transport leaves the time-outs to it."""
    nobody = (
        "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;TableEndpoint=http://x/a;QueueEndpoint=http://x/a"
    )
    tables, queues = open_tables(nobody), open_queues(nobody)
    clients: list[Any] = [Table(tables, "any")._client, queues._client("any")]
    for client in clients:
        settings = client._client._client._pipeline._transport._transport.connection_config
        assert (settings.timeout, settings.read_timeout) == (CONNECT_TIMEOUT, READ_TIMEOUT)
