"""The whole local cloud: Azurite, the sandbox and the Functions host, started in this order and stopped in reverse."""

import shutil
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from infra.local import child
from infra.local.azurite import Azurite
from infra.local.client import Client
from infra.local.launch import (
    Cloud,
    Host,
    Options,
    app_settings,
    environment,
    free_port,
    host_arguments,
    module_command,
    sandbox_arguments,
)
from infra.local.places import shown
from infra.local.runs import new_run

START_SECONDS = 60.0
"""Sandbox and host need 1 to 4 s; a busy two-core machine far longer."""

STOP_SECONDS = 20.0
"""A host first finishes what is running; its functions are short."""

GUEST = "guest"
"""Folder in a run's: the real guest's root."""

T = TypeVar("T")


class Stack:
    """A running local cloud; `folder` holds its logs and data, `children` its processes in order of their start."""

    azurite: Azurite
    cloud: Cloud
    host: Host

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.children: list[child.Child] = []
        self._stops: list[Callable[[], bool]] = []

    @classmethod
    def start(cls, options: Options, guest: Callable[[Path], Path | None] = lambda _: None) -> Self:
        """Boots everything and waits until it is ready; `guest` makes the real guest's root in a new folder meanwhile.

        Raises ChildFailed (with the log's tail) or AzuriteMissing; what had been started is then stopped.
        """
        stack = cls(new_run())
        try:
            with ThreadPoolExecutor(1, "guest") as beside:
                stack._boot(options, beside.submit(guest, stack.guest))
        except BaseException:
            stack.stop()
            raise
        return stack

    @property
    def guest(self) -> Path:
        """Where the real guest's root is, if there is one."""
        return self.folder / GUEST

    @property
    def storage(self) -> str:
        """The connection string of the storage."""
        return self.azurite.connection_string

    @property
    def app(self) -> Client:
        """The app, called by the sandbox's owner."""
        return Client(self.host.app, {"Authorization": f"Bearer {self.cloud.token}"}, Path(self.cloud.ca))

    @property
    def platform(self) -> Client:
        """The Functions host's own routes (`/admin/...`), called with its master key."""
        return Client(self.host.app, {"x-functions-key": self.host.master_key}, Path(self.cloud.ca))

    @property
    def sandbox(self) -> Client:
        """The stand-in for Azure, called by its owner; `/sandbox/...` tells what it holds and saw."""
        return Client(self.cloud.arm, {"Authorization": f"Bearer {self.cloud.token}"}, Path(self.cloud.ca))

    def broken(self) -> str | None:
        """Which process has died, with the end of its log; None while all are well."""
        for each in self.children:
            if (code := each.process.poll()) is not None:
                return f"{each.name} ended with code {code}.\n{each.tail()}"
        return None

    def stop(self) -> None:
        """Ends host, sandbox, Azurite, in this order, and waits for each; says so when one had to be killed."""
        while self._stops:
            stopped = self._stops.pop()()
            name = self.children[len(self._stops)].name
            if not stopped:
                print(f"{name} did not end when asked and was killed; see {shown(self.folder)}", file=sys.stderr)
        shutil.rmtree(self.guest, ignore_errors=True)  # 200 MB that nobody needs once the run is over

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _boot(self, options: Options, guest: Future[Path | None]) -> None:
        self.azurite = Azurite.start(self.folder / "azurite", self.folder / "azurite.log", saves=options.saves)
        self._add(self.azurite.process, self.azurite.stop)
        sandbox = self._start("sandbox", sandbox_arguments(options, self.folder, guest.result()), {})
        self.cloud = ready(sandbox, Cloud)
        port = free_port()
        settings = app_settings(options, self.storage, self.cloud, f"https://127.0.0.1:{port}")
        self.host = ready(self._start("host", host_arguments(options, self.cloud, port), settings), Host)

    def _start(self, part: str, arguments: list[str], settings: Mapping[str, str]) -> child.Child:
        command, log = module_command(f"infra.local.{part}", arguments), self.folder / f"{part}.log"
        started = child.start(f"the {part}", command, log=log, env=environment(settings))
        self._add(started, lambda: started.stop(STOP_SECONDS))
        return started

    def _add(self, started: child.Child, stop: Callable[[], bool]) -> None:
        self.children.append(started)
        self._stops.append(stop)


def ready(started: child.Child, kind: type[T]) -> T:
    """What the process says of itself in its first line, once it listens."""
    return started.wait_for(lambda: _first_line(started.said(), kind), START_SECONDS)


def _first_line(said: str, kind: type[T]) -> T | None:
    line, end, _ = said.partition("\n")
    return msgspec.json.decode(line, type=kind) if end else None
