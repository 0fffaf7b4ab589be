"""Azurite as the local storage: free ports, the real SDKs, nothing acknowledged lost at a stop, no process left."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueClient

from infra.local.azurite import Azurite
from infra.local.places import PROJECT
from tests.local.waiting import gone, until

STARTER = """
import pathlib, sys, time
from infra.local.azurite import Azurite
print(Azurite.start(pathlib.Path(sys.argv[1])).process.pid, flush=True)
time.sleep(600)
"""


def test_storage_sdks_talk_to_it_and_a_stop_keeps_everything(tmp_path: Path) -> None:
    with Azurite.start(tmp_path) as first, TableServiceClient.from_connection_string(first.connection_string) as tables:
        tables.create_table("kept").create_entity({"PartitionKey": "p", "RowKey": "r", "value": 7})
        with QueueClient.from_connection_string(first.connection_string, "kept") as queue:
            queue.create_queue()
            queue.send_message("hello")
    with Azurite.start(tmp_path) as again, TableServiceClient.from_connection_string(again.connection_string) as tables:
        assert tables.get_table_client("kept").get_entity("p", "r")["value"] == 7
        with pytest.raises(ResourceExistsError):
            tables.create_table("kept")
        with QueueClient.from_connection_string(again.connection_string, "kept") as queue:
            assert [message.content for message in queue.receive_messages()] == ["hello"]


def test_two_run_side_by_side(tmp_path: Path) -> None:
    with Azurite.start(tmp_path / "one") as one, Azurite.start(tmp_path / "two") as two:
        assert set(one.endpoints) == {"Blob", "Queue", "Table"}
        assert not set(one.endpoints.values()) & set(two.endpoints.values())


def test_a_stop_leaves_no_process(tmp_path: Path) -> None:
    storage = Azurite.start(tmp_path)
    assert storage.stop()
    assert storage.process.process.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_it_ends_when_its_starter_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTER, str(tmp_path)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        starter.send_signal(signal.SIGKILL)
    assert until(lambda: gone(pid))
