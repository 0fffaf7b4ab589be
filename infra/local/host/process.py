"""Starts the process of one worker, with nothing of the host's standard output in its hands."""

import asyncio
import sys
from pathlib import Path
from typing import Final

SECRET_VARIABLE: Final = "OUM_HOST_WORKER_SECRET"  # noqa: S105 - the variable's name, not a secret
_PROJECT: Final = Path(__file__).resolve().parents[3]


async def start_process(port: int, number: int, secret: str, environment: dict[str, str]) -> asyncio.subprocess.Process:
    """A worker that connects to this port. What the app prints goes to standard error, beside the logs."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-X",
        "utf8",
        "-X",
        "faulthandler",  # a crash in native code says where, on standard error beside the logs
        "-m",
        "infra.local.host.worker",
        str(port),
        str(number),
        cwd=_PROJECT,  # where `infra` is found; the worker moves to the app's folder itself
        env={**environment, SECRET_VARIABLE: secret},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=sys.stderr,
        stderr=sys.stderr,
    )
