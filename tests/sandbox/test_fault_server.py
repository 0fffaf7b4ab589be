"""Faults over sockets: what the official clients make of connections that end early, late or in the middle."""

import http.client
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.core.exceptions import HttpResponseError, ServiceResponseError, ServiceResponseTimeoutError
from azure.mgmt.compute import ComputeManagementClient

from tests.sandbox.process import Running, running
from tests.sandbox.world import Holder, group_and_name


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("sandbox"), ["--machines", "12", "--speed", "3000"]) as started:
        yield started


@pytest.fixture
def machine(server: Running) -> Iterator[dict[str, Any]]:
    """A healthy VM, and no faults left afterwards."""
    fleet = server.ask("GET", "/sandbox/fleet")
    yield next(each for each in fleet if each["kind"] == "AzureVM" and each["script"] == "healthy")
    server.ask("DELETE", "/sandbox/faults")


def get(server: Running, machine: dict[str, Any], **options: Any) -> Any:  # noqa: ANN401 - generated classes
    """One GET of the machine, sent once."""
    client = ComputeManagementClient(
        Holder(server.ready["token"]),
        machine["subscription"],
        base_url=server.ready["arm"],
        connection_verify=server.ready["ca"],
        retry_total=0,
    )
    with client:
        return client.virtual_machines.get(*group_and_name(machine), **options)


def last(server: Running) -> tuple[Any, ...]:
    entry = [each for each in server.ask("GET", "/sandbox/journal") if each["event"] == "request"][-1]
    return entry["status"], entry["azureStatus"], entry["faults"]


@pytest.mark.parametrize("effect", [False, True])
def test_a_dropped_connection(server: Running, machine: dict[str, Any], effect: bool) -> None:
    server.ask("POST", "/sandbox/faults", {"kind": "drop", "effect": effect})
    with pytest.raises(ServiceResponseError):
        get(server, machine)
    assert last(server) == (0, 200 if effect else 0, ["drop"])
    assert get(server, machine).id == machine["id"]


def test_a_hang_outlasts_the_clients_patience(server: Running, machine: dict[str, Any]) -> None:
    server.ask("POST", "/sandbox/faults", {"kind": "hang", "seconds": 5})
    with pytest.raises(ServiceResponseTimeoutError):
        get(server, machine, read_timeout=0.2)
    assert last(server) == (0, 0, ["hang"])


def test_a_hang_ends_in_a_closed_connection(server: Running, machine: dict[str, Any]) -> None:
    server.ask("POST", "/sandbox/faults", {"kind": "hang", "seconds": 0.1})
    with pytest.raises(ServiceResponseError) as raised:
        get(server, machine)
    assert not isinstance(raised.value, ServiceResponseTimeoutError)


def test_a_late_answer(server: Running, machine: dict[str, Any]) -> None:
    server.ask("POST", "/sandbox/faults", {"kind": "latency", "seconds": 0.5, "times": 2})
    with pytest.raises(ServiceResponseTimeoutError):
        get(server, machine, read_timeout=0.1)
    assert get(server, machine, read_timeout=20).id == machine["id"]
    assert last(server) == (200, 200, ["latency"])


def test_a_truncated_body(server: Running, machine: dict[str, Any]) -> None:
    server.ask("POST", "/sandbox/faults", {"kind": "truncate"})
    with pytest.raises((HttpResponseError, ServiceResponseError), match="IncompleteRead"):
        get(server, machine)
    assert last(server) == (200, 200, ["truncate"])


def test_a_late_answer_holds_up_nobody_else(server: Running, machine: dict[str, Any]) -> None:
    """While one request hangs, another on a connection of its own is answered."""
    server.ask("POST", "/sandbox/faults", {"kind": "hang", "seconds": 30})
    address = urlsplit(server.ready["arm"])
    context = ssl.create_default_context(cafile=server.ready["ca"])
    waiting = http.client.HTTPSConnection(address.hostname or "", address.port, context=context, timeout=10)
    waiting.request("GET", f"{machine['id']}?api-version=2025-04-01")
    seen: list[Any] = []
    while not seen:
        seen = [each for each in server.ask("GET", "/sandbox/journal") if "hang" in each.get("faults", ())]
        seen = [each for each in seen if each["clientRequestId"] == ""]
    assert get(server, machine).id == machine["id"]
    waiting.close()


def test_faults_by_seed_are_a_matter_of_the_command_line(tmp_path_factory: pytest.TempPathFactory) -> None:
    arguments = ["--machines", "3", "--fault-rate", "0.4", "--fault-seed", "8", "--fault-kinds", "status,busy"]
    arguments += ["--forbidden", "1", "--throttled", "1", "--clock-offset", "60"]
    with running(tmp_path_factory.mktemp("stormy"), arguments) as started:
        standing = started.ask("GET", "/sandbox/faults")
        assert sorted(fault["kind"] for fault in standing) == ["clock", "forbidden", "throttled"]
        assert len(started.ask("GET", "/sandbox/journal")) == 3
