"""The whole local cloud as processes: it starts, says where it is, and leaves nothing behind however it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from infra.local.child import ChildFailed
from infra.local.client import Client, Refused
from infra.local.launch import Options
from infra.local.places import PROJECT
from infra.local.stack import Stack
from tests.local.waiting import descendants, gone, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc to find processes")

UP = (sys.executable, str(PROJECT / "dev.py"), "up", "--machines", "11", "--port", "0")


def explained(up: subprocess.Popen[str]) -> str:
    """Fails with what it said instead of its addresses."""
    assert up.stderr is not None
    pytest.fail(up.stderr.read())


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_up_says_where_everything_is_and_leaves_nothing_behind(sign: signal.Signals, code: int) -> None:
    with subprocess.Popen(UP, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        said = json.loads(up.stdout.readline() or explained(up))
        processes = descendants(up.pid)
        up.send_signal(sign)
        assert up.stdout.read() == ""
        assert up.wait(60) == code
    assert set(said) == {"app", "app_tls", "arm", "ca", "token", "storage"}
    assert [urlsplit(said[name]).scheme for name in ("app", "app_tls", "arm")] == ["http", "https", "https"]
    assert len(processes) >= 4  # storage, sandbox, host and at least one worker
    assert until(lambda: all(gone(pid) for pid in processes), 40)


def test_a_start_that_fails_half_way_stops_what_had_started(tmp_path: Path) -> None:
    before = descendants(os.getpid())
    with pytest.raises(ChildFailed, match="the host ended with code 1"):
        Stack.start(Options(machines=11, app=tmp_path / "no app here"))
    assert until(lambda: descendants(os.getpid()) <= before)


def test_one_token_serves_the_app_and_azure_over_both_addresses(stack: Stack) -> None:
    owner = {"Authorization": f"Bearer {stack.cloud.token}"}
    secure = Client(stack.host.app_tls, owner, Path(stack.cloud.ca))
    assert set(secure.get("/fleet/health", dict)) == set(stack.app.get("/fleet/health", dict))
    assert stack.sandbox.get("/subscriptions?api-version=2022-12-01", dict)["value"]


def test_without_a_token_nobody_answers(stack: Stack) -> None:
    for base, path in ((stack.host.app, "/fleet/health"), (stack.cloud.arm, "/subscriptions?api-version=2022-12-01")):
        with pytest.raises(Refused) as refusal:
            Client(base, {}, Path(stack.cloud.ca)).get(path, dict)
        assert refusal.value.status == 401


def test_a_process_that_dies_is_named(tmp_path: Path) -> None:
    with Stack.start(Options(machines=11)) as stack:
        assert stack.broken() is None
        stack.children[1].process.kill()
        assert until(lambda: stack.broken() is not None)
        assert "the sandbox ended with code" in str(stack.broken())
