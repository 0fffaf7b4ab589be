"""Which pending updates an installation asks for, and which of them fit into its window. Pure."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

import msgspec

from infra.local.sandbox.guests import PendingUpdate
from infra.local.sandbox.installs import InstallRequest

# Azure's window arithmetic, in minutes (pages: scheduled patching, workflow of Update Manager; Linux patch extension).
WINDOWS_NEEDED = 15.0
WINDOWS_SERVICE_PACK_NEEDED = 20.0
WINDOWS_INSTALL = 10.0
WINDOWS_SERVICE_PACK_INSTALL = 15.0
WINDOWS_REBOOT_RESERVE = 10.0
LINUX_FIRST_PACKAGES = 3
LINUX_FIRST_INSTALL = 5.0
LINUX_LATER_INSTALL = 2.0
LINUX_REBOOT_RESERVE = 15.0

OVERSIZED_MINUTES = 180.0
"""What a machine that outlasts its window says one update takes; longer than the two hours the demo gives."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Pending updates by what the request makes of them; exclusion wins over inclusion."""

    selected: tuple[PendingUpdate, ...]
    excluded: tuple[PendingUpdate, ...]
    not_selected: tuple[PendingUpdate, ...]


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """The selected updates that are started before the window closes, and how long they take."""

    started: tuple[PendingUpdate, ...]
    left: tuple[PendingUpdate, ...]
    duration: timedelta


def select(pending: Sequence[PendingUpdate], request: InstallRequest) -> Selection:
    """Sorts the pending updates: on the caller's block list, asked for, or not matching."""
    excluded = tuple(update for update in pending if _excluded(update, request))
    rest = [update for update in pending if update not in excluded]
    selected = tuple(update for update in rest if _included(update, request))
    not_selected = tuple(update for update in rest if update not in selected)
    return Selection(selected=selected, excluded=excluded, not_selected=not_selected)


def _excluded(update: PendingUpdate, request: InstallRequest) -> bool:
    if request.never_reboots_only and update.reboot != "NeverReboots":
        return True
    if update.kb and update.kb in request.kbs_excluded:
        return True
    return any(_matches(update, mask, request.os, versions=False) for mask in request.masks_excluded)


def _included(update: PendingUpdate, request: InstallRequest) -> bool:
    if not _old_enough(update.published, request.published_until):
        return False
    if update.classification in _widened(request) or update.kb in request.kbs_included - {""}:
        return True
    return any(_matches(update, mask, request.os, versions=True) for mask in request.masks_included)


def _widened(request: InstallRequest) -> frozenset[str]:
    """On Linux Critical and Security act as one unit (Linux patch extension)."""
    pair = frozenset(("Critical", "Security"))
    return request.classes | pair if request.os == "Linux" and request.classes & pair else request.classes


def _old_enough(published: datetime | None, until: datetime | None) -> bool:
    return until is None or (published is not None and published <= until)


def _matches(update: PendingUpdate, mask: str, os: str, *, versions: bool) -> bool:
    """`name` or `name=version` with wildcards; an exclusion ignores the version part (Linux patch extension)."""
    if os == "Windows":
        return fnmatchcase(update.name.lower(), mask.lower())
    name, _, version = mask.partition("=")
    if not fnmatchcase(update.name, name):
        return False
    return not versions or not version or fnmatchcase(update.version, version)


def fit(
    selected: Sequence[PendingUpdate], request: InstallRequest, *, arc: bool, oversized: Collection[str] = ()
) -> Fit:
    """Runs through the updates one after another; one that no longer fits is left, like all after it.

    An installation that has begun is never cut off. `oversized` are ids for which the machine itself expects
    OVERSIZED_MINUTES, so that they are not even begun in a shorter window.
    """
    limit = request.maximum.total_seconds() / 60 if request.maximum else float("inf")
    reserve = _reserve(request.os, arc=arc) if request.reboot_allowed else 0.0
    used = 0.0
    for position, update in enumerate(selected):
        takes, needs = _minutes(position, update, request.os)
        if update.id in oversized:
            takes = needs = OVERSIZED_MINUTES
        if used + needs + reserve > limit:
            return Fit(
                started=tuple(selected[:position]), left=tuple(selected[position:]), duration=_minutes_long(used)
            )
        used += takes
    return Fit(started=tuple(selected), left=(), duration=_minutes_long(used))


def _reserve(os: str, *, arc: bool) -> float:
    """Minutes kept for the reboot; the Linux figure is documented for Azure VMs only."""
    if os == "Windows":
        return WINDOWS_REBOOT_RESERVE
    return 0.0 if arc else LINUX_REBOOT_RESERVE


def _minutes(position: int, update: PendingUpdate, os: str) -> tuple[float, float]:
    """How long an update takes, and how much must be left to begin it."""
    if os == "Windows" and update.classification == "ServicePack":
        return WINDOWS_SERVICE_PACK_INSTALL, WINDOWS_SERVICE_PACK_NEEDED
    if os == "Windows":
        return WINDOWS_INSTALL, WINDOWS_NEEDED
    takes = LINUX_FIRST_INSTALL if position < LINUX_FIRST_PACKAGES else LINUX_LATER_INSTALL
    return takes, takes


def _minutes_long(minutes: float) -> timedelta:
    return timedelta(minutes=minutes)
