"""The app's own `Azure` on a sandbox in this process: its real pipeline, a clock that only tests move, no sockets."""

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from azure.core.credentials import AccessToken

from infra.local.sandbox.catalogue import load_catalogue
from infra.local.sandbox.cloud import Sandbox
from infra.local.sandbox.config import SandboxConfig
from infra.local.sandbox.guests import Guest
from infra.local.sandbox.http import Request, Response
from infra.local.sandbox.transport import SandboxTransport
from shared.cloud import patches
from shared.cloud.azure import Azure
from shared.cloud.clock import Clock
from shared.domain.installation import read_installation
from shared.domain.machine import OperatingSystem
from shared.domain.operation import Accepted, Answer, Operation, OperationKind, State, claim_assessment
from shared.domain.resource_id import MachineId, parse_machine_id
from tests.sandbox.world import ORIGIN, shared_key
from tests.sandbox.world import Clock as Hands

AUDIENCE = "https://management.azure.com"
REQUEST = "11111111-aaaa-bbbb-cccc-000000000001"

Json = dict[str, Any]


class Watched(Sandbox):
    """The sandbox, which also keeps every request with its body, and can make Resource Graph's pages small."""

    def __init__(self, config: SandboxConfig, *, clock: Callable[[], datetime], guest: Guest | None = None) -> None:
        super().__init__(config, clock=clock, catalogue=load_catalogue(), guest=guest, key=shared_key())
        self.seen: list[Request] = []
        self.most_rows = 0
        """Rows that Resource Graph gives at once, however many were asked for; 0: as asked."""
        self.hidden: tuple[str, ...] = ()
        """Resource Graph leaves out what has an id that begins so: it lags, or may not be read."""
        self.afterwards: dict[str, Callable[[], None]] = {}
        """What happens once a request is answered whose address contains this, in lower case; once each."""

        self.beforehand: dict[str, Callable[[], None]] = {}
        """The same, right before a request is answered."""

    def handle(self, request: Request) -> Response:
        self.seen.append(request)
        for path in [each for each in self.beforehand if each in request.url.lower()]:
            self.beforehand.pop(path)()
        if self.most_rows and "resourcegraph" in request.url.lower():
            body = json.loads(request.body)
            body["options"]["$top"] = self.most_rows
            request = msgspec.structs.replace(request, body=json.dumps(body).encode())
        answer = super().handle(request)
        for path in [each for each in self.afterwards if each in request.url.lower()]:
            self.afterwards.pop(path)()
        return self._without_hidden(answer) if "resourcegraph" in request.url.lower() else answer

    def _without_hidden(self, answer: Response) -> Response:
        body = json.loads(answer.body)
        if answer.status == 200 and self.hidden:
            hidden = tuple(each.lower() for each in self.hidden)
            body["data"] = [row for row in body["data"] if not row["id"].lower().startswith(hidden)]
        return msgspec.structs.replace(answer, body=json.dumps(body).encode())


class Fresh:
    """A credential that makes a new token for each request: the tests' clock is not the one tokens are cached by."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:  # noqa: ANN401 - azure-core's own signature
        return AccessToken(self._sandbox.owner_token(), int(time.time()) + 1)


class World:
    """One sandbox, the app's `Azure` on it, and what the sandbox saw. `azures_clock` may differ from ours.

    `platform`: Azure assesses some of the machines by itself. `owner`: whose the subscriptions are.
    """

    deployment = "ours"
    topic = ""

    def __init__(
        self, *, machines: int = 14, speed: float = 120.0, skew: float = 0.0, platform: bool = False, owner: str = ""
    ) -> None:  # fmt: skip
        self.clock, self.platform, self.owner = Hands(), platform, owner
        self.machines, self.speed, self.skew = machines, speed, skew
        self.open_cloud(machines)

    def open_cloud(self, machines: int, guest: Guest | None = None) -> None:
        """Another fleet from now on, of the same seed; with a guest its last machine is `debian-real-01`."""
        config = SandboxConfig(machines=machines, speed=self.speed, platform=self.platform, owner=self.owner)
        self.sandbox = Watched(config, clock=self.azures_clock, guest=guest)
        transport = SandboxTransport(self.sandbox, sleep=self.clock.advance)
        self.credential = Fresh(self.sandbox)
        self.azure = Azure(ORIGIN, AUDIENCE, lambda: self.credential, Clock(self.clock), self.deployment, transport)
        self.azure.topic = self.topic
        self.fleet: list[Json] = self.ask("/sandbox/fleet")

    def azures_clock(self) -> datetime:
        return self.clock.now + timedelta(seconds=self.skew)

    def ask(self, path: str, method: str = "GET", body: Json | None = None) -> Any:  # noqa: ANN401 - any JSON
        """One of the sandbox's own pages, unseen by `seen`."""
        content = json.dumps(body).encode() if body is not None else b""
        answer = Sandbox.handle(self.sandbox, Request(method=method, url=ORIGIN + path, body=content))
        assert answer.status in (200, 204), answer.body
        return json.loads(answer.body) if answer.body else None

    def fault(self, status: int, path: str = "", method: str = "POST", **more: object) -> None:
        """The next fitting request is answered so; `effect=True`: and is carried out all the same."""
        fault = {"method": method, "path_contains": path, "status": status, **more}
        self.ask("/sandbox/faults", "POST", fault)

    def change(self, verb: str, machine: Json, **more: str) -> Json:
        """Delete, move (`group`: its id), rename (`name`), recreate or clone (`name`) it; what is there afterwards."""
        made = self.ask("/sandbox/machines", "POST", {"verb": verb, "machine": machine["id"], **more})
        self.fleet = self.ask("/sandbox/fleet")
        return next((each for each in self.fleet if each["id"] == made["id"]), machine)

    def one(self, script: str = "healthy", *, os: str = "", vm: bool | None = None, pending: int = 1) -> Json:
        """The first machine that is so, with at least so many pending updates."""
        for machine in self.fleet:
            right = machine["script"] == script and machine["os"].startswith(os) and len(machine["pending"]) >= pending
            if right and vm in (None, machine["kind"] == "AzureVM"):
                return machine
        raise LookupError(f"no {script} {os} machine in this fleet")

    def journal(self, event: str) -> list[Json]:
        return [entry for entry in self.ask("/sandbox/journal") if entry["event"] == event]

    def posts(self, machine: str, verb: str = "Patches") -> list[Json]:
        """Every start of an operation on a machine that reached Azure."""
        sent = [entry for entry in self.journal("request") if entry["method"] == "POST" and verb in entry["url"]]
        return [entry for entry in sent if entry["machine"].lower() == machine.lower()]

    def sent_bodies(self, machine: str, verb: str = "installPatches") -> list[Json]:
        wanted = f"{ORIGIN}{machine}/{verb}?".lower()
        return [json.loads(request.body) for request in self.sandbox.seen if request.url.lower().startswith(wanted)]

    def start(self, machine: Json, verb: str, seconds: float = 60.0) -> Answer:
        """Assess or install through the app's own call, with `seconds` left in which it may leave."""
        address, not_after = parse_machine_id(machine["id"]), self.azure.clock.now() + timedelta(seconds=seconds)
        if verb == "assess":
            return patches.assess(self.azure, address, REQUEST, not_after)
        return patches.install(self.azure, address, self.body(machine), REQUEST, not_after)

    def started(self, machine: Json, verb: str) -> Accepted:
        answer = self.start(machine, verb)
        assert isinstance(answer, Accepted), answer
        return answer

    def body(self, machine: Json) -> Json:
        """An install body for everything, an hour long, made by the app."""
        given = everything(machine)
        request = read_installation(json.dumps(given).encode(), OperatingSystem(machine["os"]), is_vm=is_vm(machine))
        return patches.installation_body(request, 60)


def is_vm(machine: Json) -> bool:
    return bool(machine["kind"] == "AzureVM")


def address_of(machine: Json) -> MachineId:
    return parse_machine_id(machine["id"])


def accepted(machine: Json, now: datetime, url: str = "", result_url: str = "", kind: str = "assessment") -> Operation:
    """An operation that Azure took, claimed at `now`."""
    taken = {"state": State.ACCEPTED, "sent": now, "url": url, "result_url": result_url, "kind": OperationKind(kind)}
    return msgspec.structs.replace(claim_assessment(machine["id"], REQUEST, "test", now, now), **taken)


def everything(machine: Json, **more: object) -> Json:
    """An install request for every class, as a caller writes it."""
    block, classes = "linuxParameters", ["Critical", "Security", "Other"]
    if machine["os"] == "Windows":
        block = "windowsParameters"
        classes = [
            "Critical",
            "Security",
            "UpdateRollUp",
            "FeaturePack",
            "ServicePack",
            "Definition",
            "Tools",
            "Updates",
        ]
    return {
        "maximumDuration": "PT2H",
        "rebootSetting": "Never" if machine["script"] == "rebootLeft" else "IfRequired",
        block: {"classificationsToInclude": classes},
        **more,
    }
