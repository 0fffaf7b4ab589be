"""What the host's tests share: an app folder, a host process around it, HTTP calls, and waiting for a condition."""

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec

from infra.local.places import PROJECT

READY_SECONDS = 60
STOP_SECONDS = 10
"""Far more than the host needs, so that a busy machine does not fail a test; the host's own promise has its test."""
WAIT_SECONDS = 30
POLL_SECONDS = 0.02

HOST_JSON: dict[str, Any] = {"version": "2.0", "extensions": {"http": {"routePrefix": ""}}}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP answer; header names in lower case, Set-Cookie values apart."""

    status: int
    headers: dict[str, str]
    cookies: tuple[str, ...]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever the test's app answers
        return json.loads(self.body)


def wait_until(condition: Callable[[], bool], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Fails the test, naming `what`, when the condition does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(POLL_SECONDS)


def write_app(folder: Path, code: str, host_json: Mapping[str, Any] = HOST_JSON) -> Path:
    """An app folder: function_app.py and host.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "function_app.py").write_text(code, encoding="utf-8")
    (folder / "host.json").write_text(json.dumps(host_json), encoding="utf-8")
    return folder


class RunningHost:
    """A host process; its log lines are kept as they come."""

    def __init__(self, app: Path, *arguments: str, **settings: str) -> None:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AzureWebJobs", "WEBSITE_", "PYTHON"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "infra.local.host", "--app", str(app), *arguments],
            cwd=PROJECT,
            env={**inherited, **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.raw: list[str] = []
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self.ready: dict[str, Any] = {}

    def wait_ready(self) -> Self:
        """Waits for the line on standard output."""
        assert self.process.stdout is not None
        timer = threading.Timer(READY_SECONDS, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        assert line, "the host ended before it was ready:\n" + "".join(self.raw[-20:])
        self.ready = json.loads(line)
        return self

    def wait_end(self) -> int:
        """The exit code."""
        code = self.process.wait(READY_SECONDS)
        self._reader.join(STOP_SECONDS)
        return code

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.raw.append(line.decode(errors="replace"))

    def log(self, message: str = "", **fields: object) -> list[dict[str, Any]]:
        """The log lines so far whose message contains this and whose fields are these."""
        lines = [json.loads(line) for line in list(self.raw) if line.startswith("{")]
        wanted = fields.items()
        return [line for line in lines if message in line["message"] and wanted <= line.items()]

    def outcomes(self, function: str) -> list[str]:
        """How this function's invocations ended so far."""
        return [line["outcome"] for line in self.log("Invocation.", function=function)]

    def workers(self) -> list[int]:
        """Process ids of all workers that were ever ready."""
        return [line["pid"] for line in self.log("Worker ready.")]

    def first_workers(self, count: int = 1) -> list[int]:
        """Process ids of the workers it started with; their log lines may arrive after the ready line."""
        wait_until(lambda: len(self.workers()) >= count, f"{count} workers are ready")
        return self.workers()

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> Answer:
        """One request, on the TLS front when there is a context."""
        url = urlsplit(self.ready["app_tls"] if tls else self.ready["app"])
        assert url.hostname is not None
        connection = (
            http.client.HTTPSConnection(url.hostname, url.port, timeout=WAIT_SECONDS, context=tls)
            if tls
            else http.client.HTTPConnection(url.hostname, url.port, timeout=WAIT_SECONDS)
        )
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            response = connection.getresponse()
            return Answer(
                status=response.status,
                headers={name.lower(): value for name, value in response.getheaders()},
                cookies=tuple(response.headers.get_all("set-cookie", [])),
                body=response.read(),
            )
        finally:
            connection.close()

    def admin(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """One request below /admin, with the master key."""
        return self.call(method, f"/admin/{path}", body, {"x-functions-key": self.ready["master_key"]})

    def stop(self) -> int:
        """SIGTERM, then the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join(STOP_SECONDS)
        return self.process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def started(app: Path, *arguments: str, **settings: str) -> RunningHost:
    """A host that is ready."""
    host = RunningHost(app, *arguments, **settings)
    try:
        return host.wait_ready()
    except BaseException:
        host.process.kill()
        host.process.wait()
        raise


def refusal(app: Path, *arguments: str, **settings: str) -> str:
    """The sentence with which the host refuses the app; it must end with code 1 and never be ready."""
    with RunningHost(app, *arguments, **settings) as host:
        assert host.wait_end() == 1
        assert host.process.stdout is not None
        assert host.process.stdout.read() == b""
        sentences = [line["message"] for line in host.log(level="error") if "logger" not in line]
        assert len(sentences) == 1, "".join(host.raw)
        return str(sentences[0])


def alive(pid: int) -> bool:
    """Whether a process exists (a zombie of ours does not count: its parent has not looked yet)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")
