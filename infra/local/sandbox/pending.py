"""Which updates of the catalogue a scripted machine misses, and how its system behaves when they are installed."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from random import Random

from infra.local.sandbox.catalogue import CatalogueEntry
from infra.local.sandbox.guests import GuestScript, PendingUpdate, ScriptedGuest
from infra.local.sandbox.scripts import Script
from infra.local.sandbox.systems import System

MOST_WINDOWS_UPDATES = 3
MOST_LINUX_PACKAGES = 10
"""Bounds of what is missing: at speed 120 the longest healthy installation stays under twenty seconds."""

MOST_SLOW_UPDATES = 1
UP_TO_DATE_SHARE = 0.1
"""Of the healthy machines, how many miss nothing."""

_NAMESPACE = uuid.UUID("5b7d5d2e-0d0f-4f5b-9a51-6f1c3f1f8a10")
"""Makes the patch ids of Windows updates, which Azure writes as guids, from the catalogue's ids."""

_REBOOTING_PACKAGES = ("kernel", "linux", "glibc", "systemd", "dbus")
"""Packages after which distributions ask for a reboot."""

_ASSESSMENT_FAILURES = {
    "Windows": ("WindowsUpdateError", "Windows Update agent failed with 0x8024402C: the update server was not found."),
    "Linux": ("PACKAGE_MANAGER_FAILURE", "The package manager could not refresh its lists: no repository answered."),
}
_INSTALLATION_ERRORS = {
    "Windows": "1 update failed to install: 0x80070643 fatal error during installation.",
    "Linux": "1 package failed to install: the package manager ended with exit code 100.",
}


def missing(catalogue: Sequence[CatalogueEntry], system: System, script: Script, random: Random) -> list[PendingUpdate]:
    """The pending updates of a new machine: at most the newest of each line, some of them at random."""
    newest = _newest(entry for entry in catalogue if entry.family in system.families)
    least = 2 if script is Script.WINDOW_EXCEEDED else 1
    if script is Script.HEALTHY and random.random() < UP_TO_DATE_SHARE:
        return []
    most = MOST_WINDOWS_UPDATES if system.os == "Windows" else MOST_LINUX_PACKAGES
    most = MOST_SLOW_UPDATES if script is Script.SLOW else min(most, len(newest))
    chosen = random.sample(newest, k=random.randint(min(least, most), most))
    return [_pending(entry, system) for entry in sorted(chosen, key=lambda entry: entry.published)]


def scripted_guest(pending: Sequence[PendingUpdate], system: System, script: Script, random: Random) -> ScriptedGuest:
    """The system inside, behaving as its script says."""
    rebooting = {update.id for update in pending if _wants_reboot(update, system, random)}
    if script is Script.REBOOT_LEFT:
        rebooting |= {pending[0].id}
    failing = {pending[-1].id} if script is Script.INSTALLATION_FAILS else set()
    behaviour = GuestScript(
        source=system.source,
        failing=frozenset(failing),
        rebooting=frozenset(rebooting),
        assessment_failure=_ASSESSMENT_FAILURES[system.os] if script is Script.ASSESSMENT_FAILS else None,
        installation_error=_INSTALLATION_ERRORS[system.os],
    )
    return ScriptedGuest(pending, behaviour)


def _newest(entries: Iterable[CatalogueEntry]) -> list[CatalogueEntry]:
    """Entries of one family and line replace each other."""
    lines: dict[tuple[str, str], CatalogueEntry] = {}
    for entry in entries:
        known = lines.get((entry.family, entry.line))
        if known is None or entry.published >= known.published:
            lines[entry.family, entry.line] = entry
    return list(lines.values())


def _pending(entry: CatalogueEntry, system: System) -> PendingUpdate:
    """Patch ids as Azure makes them: a guid on Windows, name_version_system on Linux."""
    linux = entry.os == "Linux"
    linux_id = f"{entry.package}_{entry.version}_{system.name}_{system.version}"
    return PendingUpdate(
        id=linux_id if linux else str(uuid.uuid5(_NAMESPACE, entry.id)),
        name=entry.package if linux else entry.title,
        version=entry.version if linux else "",
        kb=entry.kb,
        classification=entry.classification,
        published=_midnight(entry.published),
        reboot=entry.reboot,
        cves=entry.cves,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def _wants_reboot(update: PendingUpdate, system: System, random: Random) -> bool:
    """What really happens after the installation; `CanRequestReboot` and `Unknown` leave it open."""
    if update.reboot in ("AlwaysRequiresReboot", "NeverReboots"):
        return update.reboot == "AlwaysRequiresReboot"
    if system.os == "Linux":
        return update.name.startswith(_REBOOTING_PACKAGES)
    return update.reboot == "CanRequestReboot" or random.random() < 0.25
