"""One machine of the fleet: what it is, which never changes, and what has happened to it so far."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from threading import Lock

import msgspec

from infra.local.sandbox.guests import Guest
from infra.local.sandbox.reports import AssessmentReport, InstallationReport
from infra.local.sandbox.scripts import SLOW_FACTOR, Script
from infra.local.sandbox.systems import System

UPDATE_DOMAINS = 5
"""Of an availability set when nobody says how many. Source: "Availability sets overview", virtual machines."""
VM_TYPE = "Microsoft.Compute/virtualMachines"
ARC_TYPE = "Microsoft.HybridCompute/machines"


class PatchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """osProfile.*Configuration.patchSettings."""

    mode: str
    assessment: str = "ImageDefault"
    bypass: bool = False
    hotpatching: bool = False


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a resource lives."""

    subscription: str
    group: str
    location: str

    @property
    def group_id(self) -> str:
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"


class Spec(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What a machine is. `kind` is Arc's own word, `AzureVM`, `Arc` for a plain server, `AzureLocalNode` for a node."""

    name: str
    kind: str
    place: Place
    system: System
    script: Script
    vm_id: str
    tags: Mapping[str, str]
    settings: PatchSettings
    created: datetime
    size: str = ""
    zone: str = ""
    availability_set: str = ""
    site: str = ""
    assessing: timedelta
    """How long one look inside takes, before the script's factor and the speed."""
    rebooting: timedelta
    oversized: frozenset[str] = frozenset()

    @cached_property
    def is_arc(self) -> bool:
        return self.kind != "AzureVM"

    @cached_property
    def type(self) -> str:
        return ARC_TYPE if self.is_arc else VM_TYPE

    @cached_property
    def id(self) -> str:
        return f"{self.place.group_id}/providers/{self.type}/{self.name}"

    @cached_property
    def folder(self) -> str:
        """The id as rows of Resource Graph are searched by it: in lower case."""
        return self.id.lower()

    @property
    def update_domain(self) -> int:
        """Of a VM in an availability set."""
        return int(self.vm_id[:8], 16) % UPDATE_DOMAINS

    @property
    def factor(self) -> float:
        return SLOW_FACTOR if self.script is Script.SLOW else 1.0


class Machine:
    """A machine and its state: the system inside, its power, the last results."""

    def __init__(self, spec: Spec, guest: Guest) -> None:
        self.spec = spec
        self.guest = guest
        self.inside = Lock()
        """Held while a real system is at work: its package manager serves one caller at a time."""
        self.foreign_seen = False
        self.agent_answers = True
        self.takes_extensions = True
        self.tells_system = True
        """An Arc machine's agent: it names the system when it has connected for the first time."""
        self.runs_server = True
        """A VM; else it was made from an image of a Windows client."""
        self.assessment: AssessmentReport | None = None
        self.installation: InstallationReport | None = None

    @property
    def power(self) -> str:
        """The VM's PowerState code, without its prefix."""
        states = {Script.POWERED_OFF: "stopped", Script.DEALLOCATED: "deallocated"}
        return states.get(self.spec.script, "running")

    @property
    def connection(self) -> str:
        """The Arc agent's status."""
        return "Disconnected" if self.spec.script is Script.DISCONNECTED else "Connected"
