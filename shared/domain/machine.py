"""A machine as Azure describes it, and what is remembered about it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from shared.domain.reason import Reason, reason
from shared.domain.resource_id import MachineId, parse_machine_id

# Characters that a machine's tags may take as they are kept (ours): three quarters of what one property of storage
# holds, the rest is for the machine's other facts. Azure allows 50 tags of 512 + 256 characters, more than the whole.
LARGEST_TAGS = 24 * 1024


class OperatingSystem(StrEnum):
    WINDOWS = "Windows"
    LINUX = "Linux"
    UNKNOWN = "Unknown"


class Kind(StrEnum):
    """What a machine is; Arc's own `kind` words where Arc has one."""

    AZURE_VM = "AzureVM"
    ARC = "Arc"
    AVS = "AVS"
    AWS = "AWS"
    EPS = "EPS"
    GCP = "GCP"
    SCVMM = "SCVMM"
    VMWARE = "VMware"
    AZURE_LOCAL_VM = "HCI"
    AZURE_LOCAL_NODE = "AzureLocalNode"


class PatchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`osProfile.*Configuration.patchSettings`, empty where Azure says nothing."""

    patch_mode: str = ""
    assessment_mode: str = ""
    bypass_platform_safety_checks: bool = False
    hotpatching: bool = False


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """One VM or Arc machine as the last inventory saw it. `connection` is Azure's word: power state or Arc status.

    `tags_left_out`: how many tags it has beside `tags`, because all together are too large to be kept.
    """

    id: str
    vm_id: str
    name: str
    kind: Kind
    os: OperatingSystem
    os_name: str = ""
    publisher: str = ""  # of its image, where Azure says one
    location: str
    tags: dict[str, str] = {}
    tags_left_out: int = 0
    connection: str = ""
    sql: bool = False
    iot: bool = False
    zone: str = ""
    availability_set: str = ""  # its resource id
    settings: PatchSettings = PatchSettings()

    @property
    def address(self) -> MachineId:
        return parse_machine_id(self.id)


class Outcome(StrEnum):
    """How an operation ended; Azure's words, plus NotStarted for one that never ran and Unknown for no evidence."""

    SUCCEEDED = "Succeeded"
    WARNINGS = "CompletedWithWarnings"
    FAILED = "Failed"
    NOT_STARTED = "NotStarted"
    UNKNOWN = "Unknown"


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """The last look at what a machine misses. Counts are per classification, in Azure's words."""

    id: str
    outcome: Outcome
    started: datetime
    ended: datetime
    counts: dict[str, int] = {}
    reboot_pending: bool = False
    source: str = ""
    reason: Reason | None = None
    requested_by: str = ""
    started_by: str = "User"  # Azure's word: `Platform` for its own assessments

    @property
    def pending(self) -> int:
        return sum(self.counts.values())


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to install. Counters have Azure's names: installed, failed, pending, excluded, notSelected."""

    id: str
    run: str
    outcome: Outcome
    started: datetime
    ended: datetime
    counts: dict[str, int] = {}
    reboot_status: str = "Unknown"
    window_exceeded: bool = False
    reason: Reason | None = None
    requested_by: str = ""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """An assessment that never started or whose start stayed unconfirmed, and why."""

    at: datetime
    reason: Reason


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """A machine that Azure assesses by itself: since when its first result is waited for, when results stopped."""

    since: datetime
    silent: datetime | None = None


class Identity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a machine's vmId tells beside its address (domain/identity.py decides). Addresses are resource ids."""

    moved_from: str = ""  # where the machine was before
    moved_to: str = ""  # of one that is gone from here: where it is now
    clones: tuple[str, ...] = ()  # other machines that exist with the same vmId, the first MOST_CLONES of them
    recreated: datetime | None = None  # when another machine than before was found at this address
    predecessor: str = ""  # that other machine's vmId


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """All that is remembered of one machine: what it is, and how its last assessment and installation ended."""

    machine: Machine
    assessment: Assessment | None = None
    installation: Installation | None = None
    refusal: Refusal | None = None  # the last assessment that never started, if it is newer than `assessment`
    planned: datetime | None = None  # the slot of the planned assessment that has not ended yet
    watch: Watch | None = None
    deleted: datetime | None = None
    identity: Identity = Identity()


def kept_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """As many whole tags as LARGEST_TAGS allows, in order of their names; the same ones however Azure orders them."""
    if _characters(tags) + len(tags) <= LARGEST_TAGS:  # no less than they take one by one
        return dict(sorted(tags.items()))
    kept, room = {}, LARGEST_TAGS
    for name, value in sorted(tags.items()):
        room -= _characters({name: value})
        if room < 0:
            break
        kept[name] = value
    return kept


def _characters(tags: Mapping[str, str]) -> int:
    """As storage counts, in UTF-16; of the JSON, in which a quotation mark is two and a control character six."""
    return len(msgspec.json.encode(tags).decode().encode("utf-16-le")) // 2


def is_platform_assessed(machine: Machine) -> bool:
    """Whether Azure says that it assesses this machine by itself. Any case: Resource Graph is not consistent."""
    return machine.settings.assessment_mode.lower() == "automaticbyplatform"


def unreachable(machine: Machine) -> Reason | None:
    """Why nothing can be asked of this machine now, or None. Judged by the last inventory."""
    if machine.kind is Kind.AZURE_LOCAL_NODE:
        return reason("UpdatedThroughCluster")
    if machine.address.is_vm:
        return (
            None if machine.connection in ("running", "") else reason("PoweredOff", f"PowerState/{machine.connection}")
        )
    return None if machine.connection in ("Connected", "") else reason("Disconnected", machine.connection)


def unreachable_now(machine: Machine, connection: str) -> Reason | None:
    """The same, judged by Azure's word of this moment."""
    return unreachable(msgspec.structs.replace(machine, connection=connection))
