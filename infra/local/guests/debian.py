"""The real guest itself: apt in a Debian root folder, asked and told what to do through chroot."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from infra.local.guests.apt import Upgrade, read_plan, read_versions, self_contained
from infra.local.guests.base import clone_root, make_root
from infra.local.guests.commands import Finished, GuestUnavailable, TookTooLong, run
from infra.local.sandbox.guests import Assessment, GuestFailure, Installation, PendingUpdate

__all__ = ["DebianGuest", "GuestUnavailable", "clone_root", "make_root", "open_guest"]

SOURCE = "APT"
"""Azure's patchServiceUsed."""

FAILURE = "PACKAGE_MANAGER_FAILURE"
"""Error code of Azure's Linux extension when apt fails."""

LOOK_SECONDS = 120.0
INSTALL_SECONDS = 1800.0

APT_GET = ("apt-get", "-q", "-o", "DPkg::Lock::Timeout=60", "-o", "Dpkg::Use-Pty=0")
KEEP_CONFIGURATION = ("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")
ONLY_THESE = ("install", "--only-upgrade", "--no-install-recommends")


def open_guest(root: Path) -> "DebianGuest":
    """The guest in a root folder made by clone_root. Needs root rights; nothing is mounted."""
    return DebianGuest(root)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What of a selection will be installed, and why the rest will not: id -> sentence."""

    install: tuple[Upgrade, ...]
    refused: dict[str, str]


class DebianGuest:
    """One Debian root folder. Not for two calls at once: apt itself refuses that."""

    blocking = True

    def __init__(self, root: Path) -> None:
        self.root = root

    def assess(self) -> Assessment:
        """Fetches the package lists and reports every upgrade apt would make. Raises GuestFailure."""
        self._apt(["update", "-o", "APT::Update::Error-Mode=any"])
        pending = tuple(_pending(upgrade) for upgrade in self._upgradable())
        return Assessment(pending=pending, reboot_pending=self._reboot_pending(), source=SOURCE)

    def install(self, ids: Sequence[str]) -> Installation:
        """Upgrades exactly the packages of `ids` (from the last assessment), judged by what dpkg then says.

        An update that apt could only install together with a change outside the selection is left alone: `Failed`,
        with the reason in `error`. Raises GuestFailure with apt's last lines when apt itself fails.
        """
        choice = self._choose(ids)
        if choice.install:
            self._apt(["-y", "--no-remove", *KEEP_CONFIGURATION, *ONLY_THESE, *map(_pinned, choice.install)])
        versions = self._versions([_package(id_) for id_ in ids])
        states = {id_: "Installed" if versions.get(_package(id_)) == _version(id_) else "Failed" for id_ in ids}
        reasons = [choice.refused.get(id_, f"{id_} is not installed.") for id_ in ids if states[id_] == "Failed"]
        return Installation(states=states, reboot_required=self._reboot_pending(), error=" ".join(reasons))

    def _choose(self, ids: Sequence[str]) -> Choice:
        offered = {upgrade.id: upgrade for upgrade in self._upgradable()}
        selected = {offered[id_].name: offered[id_] for id_ in ids if id_ in offered}
        refused = {id_: f"{id_} is not offered by apt." for id_ in ids if id_ not in offered}
        if not selected or self._changed_by(selected.values()) == frozenset(selected):
            return Choice(install=tuple(selected.values()), refused=refused)
        needs = {name: self._changed_by([upgrade]) for name, upgrade in selected.items()}
        chosen = self_contained(needs)
        for name in selected.keys() - chosen:
            others = ", ".join(sorted(needs[name] - {name}))
            refused[selected[name].id] = f"{selected[name].id} was left alone: apt would change {others} with it."
        return Choice(install=self._confirmed([selected[name] for name in selected if name in chosen]), refused=refused)

    def _confirmed(self, upgrades: Sequence[Upgrade]) -> tuple[Upgrade, ...]:
        names = frozenset(upgrade.name for upgrade in upgrades)
        if upgrades and (changed := self._changed_by(upgrades)) != names:
            raise GuestFailure(FAILURE, f"apt would change {', '.join(sorted(changed))}, not only what was selected.")
        return tuple(upgrades)

    def _upgradable(self) -> tuple[Upgrade, ...]:
        return read_plan(self._apt(["--simulate", "dist-upgrade"]).output).upgrades

    def _changed_by(self, upgrades: Iterable[Upgrade]) -> frozenset[str]:
        """Every package that would change with these upgrades, themselves included."""
        return read_plan(self._apt(["--simulate", *ONLY_THESE, *map(_pinned, upgrades)]).output).touched

    def _versions(self, packages: Sequence[str]) -> dict[str, str]:
        # Its exit code says that some package is unknown; then that one has no version, which is the answer.
        show = "${Package} ${Version} ${db:Status-Abbrev}\n"
        return read_versions(self._inside(["dpkg-query", "-W", "-f", show, *packages], LOOK_SECONDS).output)

    def _reboot_pending(self) -> bool:
        # Not var/run: in a Debian root that is an absolute link, which here would lead to this machine's own /run.
        return (self.root / "run/reboot-required").exists()

    def _apt(self, arguments: Sequence[str]) -> Finished:
        limit = INSTALL_SECONDS if "-y" in arguments else LOOK_SECONDS
        finished = self._inside([*APT_GET, *arguments], limit)
        if finished.code != 0:
            raise GuestFailure(FAILURE, finished.tail or f"apt-get ended with code {finished.code}")
        return finished

    def _inside(self, command: Sequence[str], seconds: float) -> Finished:
        try:
            return run(["chroot", self.root, *command], seconds=seconds)
        except (OSError, TookTooLong) as error:
            raise GuestFailure(FAILURE, str(error)) from error


def _pending(upgrade: Upgrade) -> PendingUpdate:
    classification = "Security" if upgrade.security else "Other"
    return PendingUpdate(id=upgrade.id, name=upgrade.name, version=upgrade.version, classification=classification)


def _pinned(upgrade: Upgrade) -> str:
    return f"{upgrade.name}={upgrade.version}"


def _package(id_: str) -> str:
    return id_.partition("_")[0]


def _version(id_: str) -> str:
    return id_.partition("_")[2]
