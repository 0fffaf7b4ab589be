"""A sandbox in this process with a clock that only tests move, and the official SDK clients on it."""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from azure.core.credentials import AccessToken
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.hybridcompute import HybridComputeManagementClient
from azure.mgmt.resourcegraph import ResourceGraphClient
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from infra.local.sandbox.catalogue import CatalogueEntry, load_catalogue
from infra.local.sandbox.cloud import Sandbox
from infra.local.sandbox.config import SandboxConfig
from infra.local.sandbox.guests import Guest
from infra.local.sandbox.http import Request, Response
from infra.local.sandbox.identity import new_key
from infra.local.sandbox.transport import SandboxTransport

START = datetime(2026, 11, 20, 9, tzinfo=UTC)
ORIGIN = "https://127.0.0.1"
VERSIONS = {"microsoft.compute": "2025-04-01", "microsoft.hybridcompute": "2025-01-13"}

WINDOWS = {"Critical", "Security", "UpdateRollUp", "FeaturePack", "ServicePack", "Definition", "Tools", "Updates"}
LINUX = {"Critical", "Security", "Other"}


class Clock:
    """Time that stands still until it is told to move."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Holder:
    """A credential that has its token already."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:  # noqa: ANN401 - azure-core's own signature
        return AccessToken(self._token, int(time.time()) + 3600)


@cache
def shared_key() -> RSAPrivateKey:
    """Of the sandboxes of one test process, where no test is about keys: making one takes most of a sandbox's time."""
    return new_key()


class World:
    """One sandbox, its clock, its owner and clients without sockets. `settings` are those of its SandboxConfig."""

    def __init__(
        self,
        *,
        catalogue: Sequence[CatalogueEntry] | None = None,
        guest: Guest | None = None,
        own_key: bool = False,
        **settings: Any,  # noqa: ANN401 - checked by SandboxConfig
    ) -> None:
        self.clock = Clock()
        config = SandboxConfig(**{"platform": False, **settings})
        key = None if own_key else shared_key()
        self.sandbox = Sandbox(config, clock=self.clock, catalogue=catalogue or load_catalogue(), guest=guest, key=key)
        self.token = self.sandbox.owner_token()
        self.fleet: list[dict[str, Any]] = self.get("/sandbox/fleet")

    def one(self, *, script: str = "healthy", os: str = "", vm: bool | None = None, pending: int = 1) -> dict[str, Any]:
        """The first machine that is so, with at least `pending` updates."""
        for machine in self.fleet:
            right = machine["script"] == script and machine["os"].startswith(os) and len(machine["pending"]) >= pending
            if right and vm in (None, machine["kind"] == "AzureVM"):
                return machine
        raise LookupError(f"no {script} {os} machine in this fleet")

    def send(
        self, method: str, path: str, body: object = None, *, token: str | None = None, content: bytes = b""
    ) -> Response:
        """A request as the owner, or with another token ("" for none). `path` may be a whole URL."""
        used = self.token if token is None else token
        headers = {"Authorization": f"Bearer {used}", "x-ms-client-request-id": f"{method} {path}"[:60]}
        if not used:
            del headers["Authorization"]
        sent = content if body is None else json.dumps(body).encode()
        url = path if path.startswith("http") else ORIGIN + path
        return self.sandbox.handle(Request(method=method, url=url, headers=headers, body=sent))

    def get(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        """The JSON of a GET that must succeed."""
        answer = self.send("GET", path)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def post(self, machine: dict[str, Any], verb: str, body: object = None) -> Response:
        return self.send("POST", f"{machine['id']}/{verb}?api-version={version_of(machine)}", body)

    def finish(self, accepted: Response) -> tuple[int, Any]:
        """Follows a 202 to its end by the Location, moving the clock; status and body of the end."""
        assert accepted.status == 202, accepted.body
        answer = self.send("GET", accepted.headers["Location"])
        for _ in range(200):
            if answer.status not in (202, 429):
                return answer.status, json.loads(answer.body)
            self.clock.advance(int(answer.headers["Retry-After"]))
            answer = self.send("GET", accepted.headers["Location"])
        raise AssertionError("the operation did not end")

    def journal(self, event: str = "") -> list[dict[str, Any]]:
        entries = self.get("/sandbox/journal")
        return [entry for entry in entries if event in ("", entry["event"])]

    def fault(self, kind: str, **more: object) -> None:
        """Asks for a fault, without a token as testers may."""
        answer = self.send("POST", "/sandbox/faults", {"kind": kind, **more}, token="")
        assert answer.status == 204, answer.body

    def struck(self) -> list[str]:
        """The kinds of the faults that have happened."""
        return [entry["kind"] for entry in self.journal("fault")]

    # The generated models type every member as optional; Any keeps the tests readable.
    def compute(self, subscription: str) -> Any:  # noqa: ANN401
        return ComputeManagementClient(Holder(self.token), subscription, ORIGIN, **self._options())

    def hybrid(self, subscription: str) -> Any:  # noqa: ANN401
        return HybridComputeManagementClient(Holder(self.token), subscription, ORIGIN, **self._options())

    def graph(self) -> Any:  # noqa: ANN401
        return ResourceGraphClient(Holder(self.token), ORIGIN, **self._options())

    def _options(self) -> dict[str, Any]:
        return {"transport": SandboxTransport(self.sandbox, sleep=self.clock.advance), "polling_interval": 1}


def group_and_name(machine: dict[str, Any]) -> tuple[str, str]:
    parts = machine["id"].split("/")
    return parts[4], parts[8]


def version_of(machine: dict[str, Any]) -> str:
    return VERSIONS[machine["id"].split("/")[6].lower()]


def install_body(machine: dict[str, Any], **more: object) -> dict[str, Any]:
    """What the demo sends: everything, within two hours, rebooting where the tag does not forbid it."""
    never = machine["script"] == "rebootLeft"
    block, classes = ("windowsParameters", WINDOWS) if machine["os"] == "Windows" else ("linuxParameters", LINUX)
    return {
        "maximumDuration": "PT2H",
        "rebootSetting": "Never" if never else "IfRequired",
        block: {"classificationsToInclude": sorted(classes), **more},
    }
