"""Makes the machines: the same seed gives the same names, places, tags, updates and scripts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec

from infra.local.sandbox.casting import Part, cast
from infra.local.sandbox.catalogue import CatalogueEntry
from infra.local.sandbox.config import SandboxConfig, seeded_guid
from infra.local.sandbox.guests import Guest, PendingUpdate
from infra.local.sandbox.machine import Machine, PatchSettings, Place, Spec
from infra.local.sandbox.pending import missing, scripted_guest
from infra.local.sandbox.places import Estate
from infra.local.sandbox.scripts import Script
from infra.local.sandbox.systems import SYSTEMS

ASSESSING_SECONDS = (20, 120)
REBOOTING_SECONDS = (120, 300)

_ROLES = ("web", "app", "db", "file", "build", "queue", "cache", "print", "jump", "log", "mon", "auth")
_SIZES = ("Standard_B2s", "Standard_D2s_v5", "Standard_D4s_v5", "Standard_E4s_v5", "Standard_F4s_v2")
_PREFIXES = {
    "Arc": "srv",
    "AWS": "ec2",
    "GCP": "gce",
    "VMware": "esx",
    "AVS": "avs",
    "SCVMM": "hyv",
    "HCI": "azl",
    "AzureLocalNode": "azlnode",
}
_SITES = {"westeurope": "Frankfurt", "northeurope": "Dublin", "eastus": "Ashburn", "japaneast": "Osaka"}
_OWNERS = ("erp-team@contoso.example", "shop-team@contoso.example", "platform@contoso.example", "data@contoso.example")
_ODD_TAGS: tuple[dict[str, str], ...] = (
    {"Cost Center": "4711"},
    {"created_by": "terraform"},
    {"hidden-title": "do not touch"},
    {"Department": "Finance & Controlling"},
    {},
)

_VM_SETTINGS = (
    # Mode, assessment, bypass, weight: most machines are ready for schedules of our own.
    (PatchSettings(mode="AutomaticByPlatform", assessment="AutomaticByPlatform", bypass=True), 7),
    (PatchSettings(mode="AutomaticByPlatform"), 1),
)
_WINDOWS_SETTINGS = ((PatchSettings(mode="AutomaticByOS"), 1), (PatchSettings(mode="Manual"), 1))
_LINUX_SETTINGS = ((PatchSettings(mode="ImageDefault"), 2),)


def make_fleet(
    config: SandboxConfig, places: Estate, catalogue: Sequence[CatalogueEntry], guest: Guest | None = None
) -> list[Machine]:
    """`config.machines` machines; with a real guest the last of them is the one that has it inside."""
    random = Random(f"{config.seed}:fleet")
    scripted = config.machines - (guest is not None)
    machines = [
        _scripted(config, places, catalogue, position, part) for position, part in enumerate(cast(scripted, random))
    ]
    return machines if guest is None else [*machines, _real(config, places, guest)]


def _scripted(
    config: SandboxConfig, places: Estate, catalogue: Sequence[CatalogueEntry], position: int, part: Part
) -> Machine:
    random = Random(f"{config.seed}:machine:{position}")
    pending = missing(catalogue, part.system, part.script, random)
    spec = _spec(config, places, position, part, random)
    spec = msgspec.structs.replace(spec, oversized=_oversized(part.script, pending))
    return Machine(spec, scripted_guest(pending, part.system, part.script, random))


def _oversized(script: Script, pending: Sequence[PendingUpdate]) -> frozenset[str]:
    return frozenset({pending[-1].id}) if script is Script.WINDOW_EXCEEDED else frozenset()


def _spec(config: SandboxConfig, places: Estate, position: int, part: Part, random: Random) -> Spec:
    place = random.choice(_places(places, part))
    together = not part.is_arc and random.random() < 0.25
    return Spec(
        name=_name(part, place, position, random),
        kind=part.kind,
        place=place,
        system=part.system,
        script=part.script,
        vm_id=seeded_guid(config.seed, "vm", str(position)),
        tags=_tags(part, place, random),
        settings=_settings(config, part, random),
        created=_created(random),
        size="" if part.is_arc else random.choice(_SIZES),
        site=_SITES[place.location] if part.is_arc else "",
        zone=random.choice(("", "", "1", "2", "3")) if not part.is_arc and not together else "",
        availability_set=f"avset-{place.group[3:].lower()}" if together else "",
        assessing=timedelta(seconds=random.uniform(*ASSESSING_SECONDS)),
        rebooting=timedelta(seconds=random.uniform(*REBOOTING_SECONDS)),
    )


def _places(places: Estate, part: Part) -> tuple[Place, ...]:
    if not part.is_arc:
        return places.vm
    return places.clouds if part.kind in ("AWS", "GCP") else places.sites


def _name(part: Part, place: Place, position: int, random: Random) -> str:
    """Unlike names, as in a grown estate: an application's VMs, shouting Windows hosts, addresses as names on AWS."""
    role = "sql" if part.system.key.startswith("sql") else random.choice(_ROLES)
    number = f"{position + 1:02}"
    if part.kind == "AWS" and part.system.os == "Linux":
        return f"ip-10-42-{random.randrange(1, 250)}-{position + 1}"
    if part.system.key == "windows-10-iot":
        return f"KIOSK-{_SITES[place.location][:3].upper()}-{number}"
    if not part.is_arc:
        return f"{place.group.split('-')[1].lower()}-{role}-{number}"
    name = f"{_PREFIXES[part.kind]}-{_SITES[place.location][:3].lower()}-{role}{number}"
    return name.upper() if part.system.os == "Windows" else name


def _tags(part: Part, place: Place, random: Random) -> dict[str, str]:
    env = "prod" if "prod" in place.group or part.is_arc else "test"
    tags = {"env": env, "owner": random.choice(_OWNERS), **random.choice(_ODD_TAGS)}
    if part.pilot or (part.pilot is None and random.random() < 0.5):
        tags["ring"] = "pilot"
    if part.script is Script.REBOOT_LEFT:
        tags["reboot"] = "never"
        tags |= {"ring": "attended"} if "ring" in tags else {}  # a window has one reboot setting for all
    return tags


def _settings(config: SandboxConfig, part: Part, random: Random) -> PatchSettings:
    settings = _arc_settings(random) if part.is_arc else _vm_settings(part, random)
    if not config.platform:
        return msgspec.structs.replace(settings, assessment="ImageDefault")
    if part.script is Script.PLATFORM_SILENT:
        return msgspec.structs.replace(settings, assessment="AutomaticByPlatform")
    return settings


def _arc_settings(random: Random) -> PatchSettings:
    return PatchSettings(mode="ImageDefault", assessment=random.choice(("ImageDefault", "AutomaticByPlatform")))


def _vm_settings(part: Part, random: Random) -> PatchSettings:
    options = (*_VM_SETTINGS, *(_WINDOWS_SETTINGS if part.system.os == "Windows" else _LINUX_SETTINGS))
    (chosen,) = random.choices([settings for settings, _ in options], [weight for _, weight in options])
    hot = chosen.mode == "AutomaticByPlatform" and "azure-edition" in (
        part.system.image.sku if part.system.image else ""
    )
    return PatchSettings(mode=chosen.mode, assessment=chosen.assessment, bypass=chosen.bypass, hotpatching=hot)


def _created(random: Random) -> datetime:
    return datetime(2023, 1, 9, 8, tzinfo=UTC) + timedelta(minutes=random.randrange(0, 800 * 24 * 60))


def _real(config: SandboxConfig, places: Estate, guest: Guest) -> Machine:
    """An Arc machine with a real Debian inside, whatever its updates are today."""
    random = Random(f"{config.seed}:real")
    part = Part("Arc", SYSTEMS["debian-12"], Script.HEALTHY)
    spec = _spec(config, places, config.machines - 1, part, random)
    tags = {**spec.tags, "ring": "pilot"}  # it is there to be patched
    settings = msgspec.structs.replace(spec.settings, assessment="ImageDefault")  # it is there to be looked into
    return Machine(msgspec.structs.replace(spec, name="debian-real-01", tags=tags, settings=settings), guest)
