"""Programs run with a time limit, in a small environment, and never outlive us."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local.guests.commands import Finished, TookTooLong, run

fcntl = pytest.importorskip("fcntl")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the real guest is for Linux")

DEADLINE_SECONDS = 20.0


def becomes(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def held(lock: Path) -> bool:
    """Whether some process still has the lock; its number would tell nothing, it counts its own processes."""
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def sleeper(folder: Path) -> str:
    """Shell words that start, in the background, a process that holds `folder`/lock and has said so in `folder`/up."""
    return f"flock {folder}/lock sh -c 'echo up > {folder}/up; sleep 600' & wait"


def test_a_failing_program_is_an_answer() -> None:
    finished = run(["sh", "-c", "echo one; echo two >&2; exit 3"], seconds=DEADLINE_SECONDS)
    assert finished == Finished(code=3, output="one\ntwo\n")


def test_the_complaint_is_apts_last_error_line() -> None:
    output = "Reading...\nE: Unable to locate package x\nE: No packages found\nDone.\n\n"
    assert Finished(code=100, output=output).complaint == "E: No packages found"
    assert Finished(code=1, output="a\nb\n").complaint == "b"
    assert Finished(code=1, output="W: Failure trying x\nW: See y for details\n").complaint == "W: Failure trying x"
    assert Finished(code=7, output="\n").complaint == "exit code 7, no output"


def test_of_our_environment_only_the_proxies_are_handed_on() -> None:
    names = {line.partition("=")[0] for line in run(["env"], seconds=DEADLINE_SECONDS).output.splitlines()}
    proxies = {name for name in os.environ if name.lower().endswith("_proxy")}
    assert names - {"PWD", "SHLVL", "_"} <= {"PATH", "LC_ALL", "DEBIAN_FRONTEND"} | proxies


def test_at_the_time_limit_everything_it_started_ends(tmp_path: Path) -> None:
    with pytest.raises(TookTooLong, match="sh was not done after 2 s"):
        run(["sh", "-c", sleeper(tmp_path)], seconds=2.0)
    assert (tmp_path / "up").exists()
    assert becomes(lambda: not held(tmp_path / "lock"))


def test_everything_it_started_ends_when_we_are_killed(tmp_path: Path) -> None:
    code = "import sys\nfrom infra.local.guests.commands import run\nrun(['sh', '-c', sys.argv[1]], seconds=600.0)\n"
    ours = subprocess.Popen([sys.executable, "-c", code, sleeper(tmp_path)])
    try:
        assert becomes((tmp_path / "up").exists)
        assert held(tmp_path / "lock")
    finally:
        ours.kill()
        ours.wait()
    assert becomes(lambda: not held(tmp_path / "lock"))
