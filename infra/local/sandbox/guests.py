"""What the sandbox asks of the system inside a machine, and the scripted system that answers at once."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec


class PendingUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """One update a machine misses: `version` on Linux, `kb` (no prefix) on Windows.

    `classification` is a word of Azure's install requests, `reboot` a value of Azure's rebootBehavior.
    """

    id: str
    name: str
    version: str = ""
    kb: str = ""
    classification: str
    published: datetime | None = None
    reboot: str = "Unknown"
    cves: tuple[str, ...] = ()


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """What a look inside found; `source` is Azure's patchServiceUsed (APT, YUM, Zypper, WU, WU_WSUS)."""

    pending: tuple[PendingUpdate, ...]
    reboot_pending: bool
    source: str


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each update asked for: Installed, Failed or Pending."""

    states: Mapping[str, str]
    reboot_required: bool
    error: str = ""


class GuestFailure(Exception):
    """The system inside could not do it at all; `code` and `message` reach Azure's error body unchanged."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Guest(Protocol):
    """The system inside a machine. `blocking`: its calls take real time and are made in a thread of their own."""

    blocking: bool

    def assess(self) -> Assessment:
        """Looks for pending updates. Raises GuestFailure."""
        ...

    def install(self, ids: Sequence[str]) -> Installation:
        """Installs exactly these, in this order. Raises GuestFailure."""
        ...


class GuestScript(msgspec.Struct, frozen=True, kw_only=True):
    """How a scripted system behaves; ids are those of its pending updates."""

    source: str
    failing: frozenset[str] = frozenset()
    """Updates whose installation fails, every time."""
    rebooting: frozenset[str] = frozenset()
    """Updates after which the system wants a reboot."""
    assessment_failure: tuple[str, str] | None = None
    """Code and message with which every assessment fails."""
    installation_error: str = ""
    """What the system says when one of `failing` is tried."""


class ScriptedGuest:
    """A system whose pending updates are known beforehand and change only by installing them."""

    blocking = False

    def __init__(self, pending: Sequence[PendingUpdate], script: GuestScript, *, reboot_pending: bool = False) -> None:
        self.pending = tuple(pending)
        self.reboot_pending = reboot_pending
        self._script = script

    def assess(self) -> Assessment:
        if self._script.assessment_failure is not None:
            raise GuestFailure(*self._script.assessment_failure)
        return Assessment(pending=self.pending, reboot_pending=self.reboot_pending, source=self._script.source)

    def install(self, ids: Sequence[str]) -> Installation:
        """Ids that are not pending are left out of the answer."""
        wanted = [update.id for update in self.pending if update.id in set(ids)]
        states = {id_: "Failed" if id_ in self._script.failing else "Installed" for id_ in wanted}
        installed = {id_ for id_, state in states.items() if state == "Installed"}
        self.pending = tuple(update for update in self.pending if update.id not in installed)
        self.reboot_pending = self.reboot_pending or bool(installed & self._script.rebooting)
        error = self._script.installation_error if "Failed" in states.values() else ""
        return Installation(states=states, reboot_required=self.reboot_pending, error=error)

    def reboot(self) -> None:
        self.reboot_pending = False
