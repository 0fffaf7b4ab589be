"""The local cloud with a relay before storage and ARM, whose workers, host and storage may die and come back."""

import os
import signal
import ssl
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from infra.local import child
from infra.local.azurite import ACCOUNT, ACCOUNT_KEY, Azurite
from infra.local.launch import Host
from infra.local.stack import STOP_SECONDS, Stack, ready
from shared.store.store import Store
from shared.wiring import open_store
from tests.local.waiting import descendants, gone, until
from tests.scenarios.relay import Door, Relay
from tests.scenarios.steps import Steps

LEASE_SECONDS = 20
"""How long a message of a dead host stays hidden here. Azure's host hides it for ten minutes."""

STORAGE, HOST = 0, 2
"""Places among the stack's processes."""

READY = "Worker ready."
"""What the host logs for each worker that has indexed the app."""

BACK_SECONDS = 60.0


class City(Stack):
    """A stack whose app reaches storage and ARM through relays only; `steps` sees every request of it.

    `arm`: ARM's address by way of its relay. `ahead`: how much ARM's `Date` header is put forward, which is where the
    app takes its time from.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.steps = Steps()
        self.relay = Relay(self.steps)
        self.ahead = timedelta()
        self.arm = ""
        self._host: tuple[list[str], Mapping[str, str]] = ([], {})
        self._hosts = 0

    @property
    def store(self) -> Store:
        """The app's own tables and queues, reached past the relay."""
        return open_store(self.azurite.connection_string)

    @property
    def workers(self) -> set[int]:
        """The host's processes."""
        return {pid for pid in descendants(self.children[HOST].pid) if not gone(pid)}

    def stop(self) -> None:
        super().stop()
        self.relay.close()

    def worker_of(self, ports: tuple[int, int]) -> int | None:
        """The worker whose socket goes from the first port to the second; None when it is gone."""
        inode = _inode(ports)
        return next((pid for pid in self.workers if inode and _holds(pid, inode)), None)

    def kill_worker(self, pid: int) -> None:
        """SIGKILL, and until the host has another one in its place."""
        before = self._ready_workers()
        os.kill(pid, signal.SIGKILL)
        assert until(lambda: gone(pid)), pid
        assert until(lambda: self._ready_workers() > before, BACK_SECONDS), "no new worker"

    def kill_host(self) -> None:
        """SIGKILL of the host; its workers are gone with it. Then a new one."""
        host, workers = self.children[HOST], self.workers
        host.process.kill()
        assert until(lambda: host.process.poll() is not None and all(map(gone, workers))), "a worker outlives its host"
        host.stop(STOP_SECONDS)
        self._hosts += 1
        host.log.rename(host.log.with_name(f"host-{self._hosts}.log"))
        arguments, settings = self._host
        started = super()._start("host", arguments, settings)
        self._replace(HOST, started)
        self.host = ready(started, Host)

    def restart_storage(self) -> None:
        """SIGTERM, so that it saves (never SIGKILL: it would lose five seconds); then a new one on the same data."""
        assert self.azurite.stop(), "the storage had to be killed"
        self.azurite = Azurite.start(self.folder / "azurite", self.folder / "azurite.log")
        self.children[STORAGE] = self.azurite.process
        self._stops[STORAGE] = self.azurite.stop

    def _replace(self, place: int, started: child.Child) -> None:
        """The last of the lists takes the place of the one that died."""
        self.children[place] = self.children.pop()
        self._stops[place] = self._stops.pop()

    def _ready_workers(self) -> int:
        return self.children[HOST].log.read_text(encoding="utf-8", errors="replace").count(READY)

    def _start(self, part: str, arguments: list[str], settings: Mapping[str, str]) -> child.Child:
        if part == "host":
            arguments = [*arguments, "--lease", str(LEASE_SECONDS)]
            settings = {**settings, "AzureWebJobsStorage": self._storage(), "OUM_ARM_ENDPOINT": self._arm()}
            self._host = arguments, settings
        return super()._start(part, arguments, settings)

    def _storage(self) -> str:
        parts = {"DefaultEndpointsProtocol": "http", "AccountName": ACCOUNT, "AccountKey": ACCOUNT_KEY}
        for service in self.azurite.endpoints:
            url = self.relay.open(Door(name=service, target=lambda service=service: self.azurite.endpoints[service]))  # type: ignore[misc]
            parts[f"{service}Endpoint"] = f"{url}/{ACCOUNT}"
        return ";".join(f"{name}={value}" for name, value in parts.items()) + ";"

    def _arm(self) -> str:
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.load_cert_chain(self.cloud.cert, self.cloud.key)
        client = ssl.create_default_context(cafile=self.cloud.ca)
        target = self.cloud.arm
        door = Door(name="ARM", target=lambda: target, ahead=lambda: self.ahead, server=server, client=client)
        self.arm = self.relay.open(door)
        return self.arm


def _inode(ports: tuple[int, int]) -> str | None:
    """Of the socket on loopback between these two ports, on the side of the first."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if tuple(int(end.rpartition(":")[2], 16) for end in fields[1:3]) == ports:
            return fields[9]
    return None


def _holds(pid: int, inode: str) -> bool:
    try:
        return any(os.readlink(link) == f"socket:[{inode}]" for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # it ended while we looked
        return False
