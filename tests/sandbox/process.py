"""The sandbox as a process of its own, as the local cloud starts it."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from ssl import create_default_context
from typing import Any

STOP_SECONDS = 10


class Running:
    """A started sandbox: what it said when it was ready, and its process."""

    def __init__(self, process: "subprocess.Popen[str]", ready: dict[str, str]) -> None:
        self.process = process
        self.ready = ready

    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - any JSON
        """A request to the sandbox's own pages; the JSON answered, None without one."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.ready["arm"] + path, data=data, method=method)  # noqa: S310 - loopback
        context = create_default_context(cafile=self.ready["ca"])
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:  # noqa: S310 - loopback
            content = answer.read()
        return json.loads(content) if content else None

    def stop(self, signal_: signal.Signals) -> int:
        """Asks it to end and returns its exit code."""
        self.process.send_signal(signal_)
        return self.process.wait(STOP_SECONDS)


@contextmanager
def running(folder: Path, arguments: Sequence[str]) -> Iterator[Running]:
    """A sandbox on free ports, gone afterwards."""
    command = [sys.executable, "-m", "infra.local.sandbox", "--run-dir", str(folder), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, f"the sandbox ended with {process.wait(STOP_SECONDS)} before it was ready"
            yield Running(process, json.loads(line))
        finally:
            if process.poll() is None:
                process.kill()
