"""One process of the local cloud: started apart from the terminal, watched through its log, stopped politely."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from infra.local.places import PROJECT, shown

POLL_SECONDS = 0.02
"""How often a log or a process is looked at while waiting for it."""

TAIL_LINES = 25
"""Lines of a log shown when its process failed."""

T = TypeVar("T")


class ChildFailed(RuntimeError):
    """A process did not start or died; the message ends with what it last said."""


class Child:
    """A started process. Its standard input is a pipe of ours: when we die, whatever way, that closes and ends it."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self) -> str:
        """Everything on its standard output until now."""
        return _read(_output_of(self.log))

    def tail(self) -> str:
        """The log's name and last lines."""
        return "\n".join([f"--- {shown(self.log)}", *_read(self.log).splitlines()[-TAIL_LINES:]])

    def wait_for(self, found: Callable[[], T | None], seconds: float) -> T:
        """The first answer of `found` that is not None; ChildFailed when the process ends or `seconds` pass before."""
        deadline = time.monotonic() + seconds
        while True:
            code = self.process.poll()
            if (value := found()) is not None:
                return value
            if code is not None:
                raise ChildFailed(f"{self.name} ended with code {code} before it was ready.\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ChildFailed(f"{self.name} was not ready after {seconds:.0f} s.\n{self.tail()}")
            time.sleep(POLL_SECONDS)

    def stop(self, seconds: float) -> bool:
        """Asks it to end and waits; True when it ended, False when it had to be killed after `seconds`."""
        self._ask()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False
        finally:
            self._close_pipe()
        return True

    def _ask(self) -> None:
        if sys.platform == "win32":
            self._close_pipe()  # no signal there lets a process clean up; the closed pipe does
        elif self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def _close_pipe(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()


def start(name: str, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> Child:
    """Starts `command` in the project's folder, errors into `log`, standard output beside it, out of Ctrl-C's reach."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as errors, _output_of(log).open("wb") as output:
        process = _popen(command, output.fileno(), errors.fileno(), env)
    return Child(name, process, log)


def _popen(command: Sequence[str], output: int, errors: int, env: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    # Ordered stopping is ours: the terminal's Ctrl-C would reach all of them at once.
    if sys.platform == "win32":
        flags, session = subprocess.CREATE_NEW_PROCESS_GROUP, False
    else:
        flags, session = 0, True
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=errors,
        env=env,
        cwd=PROJECT,
        creationflags=flags,
        start_new_session=session,
    )


def _output_of(log: Path) -> Path:
    return log.with_suffix(".out")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
