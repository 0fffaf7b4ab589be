"""Child processes: failures show the log, a stop waits, the leash ends what its starter left behind."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local import child
from infra.local.launch import module_command
from infra.local.places import PROJECT
from tests.local.waiting import gone, until

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
)
GRANDPARENT = """
import pathlib, sys, time
from infra.local import child
from infra.local.launch import module_command
started = child.start("it", module_command("http.server", ["0"]), log=pathlib.Path(sys.argv[1]))
print(started.pid, flush=True)
time.sleep(600)
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def ready(started: child.Child) -> bool | None:
    return True if "ready" in started.said() else None


def test_a_process_that_ends_too_early_shows_its_last_words(tmp_path: Path) -> None:
    code = "import sys; print('\\n'.join(f'line {n}' for n in range(90)), file=sys.stderr); sys.exit(3)"
    started = child.start("the thing", python(code), log=tmp_path / "thing.log")
    with pytest.raises(child.ChildFailed, match=r"the thing ended with code 3(.|\n)*line 89$") as failure:
        started.wait_for(lambda: ready(started), 20)
    assert "line 1\n" not in str(failure.value)
    started.stop(5)


def test_a_process_that_is_never_ready_is_named(tmp_path: Path) -> None:
    started = child.start("the thing", python("input()"), log=tmp_path / "thing.log")
    with pytest.raises(child.ChildFailed, match="the thing was not ready after 0 s"):
        started.wait_for(lambda: ready(started), 0.1)
    assert started.stop(20)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGTERM")
def test_only_a_process_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    started = child.start("the thing", python(STUBBORN), log=tmp_path / "thing.log")
    started.wait_for(lambda: ready(started), 20)
    assert not started.stop(0.2)
    assert started.process.returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_on_the_leash_a_process_ends_when_its_starter_is_killed(tmp_path: Path) -> None:
    starter = subprocess.Popen([*python(GRANDPARENT), str(tmp_path / "x.log")], cwd=PROJECT, stdout=subprocess.PIPE)
    with starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert until(lambda: "Serving" in (tmp_path / "x.out").read_text() or (tmp_path / "x.log").stat().st_size > 0)
        starter.kill()
    assert until(lambda: gone(pid))


def test_the_leash_hands_over_arguments_and_the_exit_code(tmp_path: Path) -> None:
    command = module_command("json.tool", ["--no-such-flag"])
    started = child.start("json", command, log=tmp_path / "json.log")
    assert started.process.wait(20) == 2
    assert "--no-such-flag" in started.tail()
    started.stop(1)
