"""Runs one program to its end, with a time limit, so that neither it nor anything it started outlives us."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec

TAIL_LINES = 6
"""Last lines of a program's output that go into an error message."""

KEPT_VARIABLES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")
"""All that a program inherits of our environment (either spelling): how to reach the mirror."""

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class GuestUnavailable(Exception):
    """The real guest cannot be made on this machine; the message is one line that says why."""


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """How a program ended: its exit code and everything it wrote, errors included."""

    code: int
    output: str

    @property
    def tail(self) -> str:
        """The last lines, blank ones left out."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return "\n".join(lines[-TAIL_LINES:])

    @property
    def complaint(self) -> str:
        """The line that says best what went wrong: the last error line, else the last line that is no mere pointer."""
        lines = [line for line in self.tail.splitlines() if not line.startswith("W: See ")]
        lines = lines or [f"exit code {self.code}, no output"]
        errors = [line for line in lines if line.startswith("E: ")]
        return (errors or lines)[-1]


class TookTooLong(Exception):
    """A program was still running at its time limit and was ended."""


def run(
    command: Sequence[str | Path], *, seconds: float, env: Mapping[str, str] | None = None, folder: Path | None = None
) -> Finished:
    """Runs `command` in a small, fixed environment (plus `env`). Raises TookTooLong; a failing exit code is a value."""
    with subprocess.Popen(
        [*_apart(), *map(str, command)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment() | dict(env or {}),
        cwd=folder,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as late:
            raise TookTooLong(f"{Path(command[0]).name} was not done after {seconds:.0f} s") from late
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    return Finished(code=process.returncode, output=output.decode(errors="replace"))


def environment() -> dict[str, str]:
    """What programs see: no questions asked, messages that can be parsed, the machine's proxies."""
    kept = {name: value for name, value in os.environ.items() if name.lower() in KEPT_VARIABLES}
    return {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", **kept}


@cache
def _apart() -> tuple[str, ...]:
    """What a program is started through, as far as this machine has it and lets us."""
    # The kernel kills it when we die, even outright; with processes and mounts of its own, all it started and mounted
    # (debootstrap mounts /proc in the root) ends with it. Who may not have those may not mount either.
    ends_with_us = ("setpriv", "--pdeathsig", "KILL")
    of_its_own = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
    return (*_usable(ends_with_us), *_usable(of_its_own))


def _usable(prefix: tuple[str, ...]) -> tuple[str, ...]:
    if shutil.which(prefix[0], path=SYSTEM_PATH) is None:
        return ()
    tried = subprocess.run([*prefix, "true"], capture_output=True, env=environment(), check=False)
    return prefix if tried.returncode == 0 else ()
