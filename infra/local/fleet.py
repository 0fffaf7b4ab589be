"""What the demo reads: machines as the app shows them, and as the sandbox that made them knows them."""

from datetime import datetime

import msgspec

from infra.local.verdict import Ended, Told, Truth

SKIPPED = frozenset({"PoweredOff", "Disconnected", "UpdatedThroughCluster"})
"""Reasons for which the app leaves a machine alone, by design: nothing can look inside it."""


class Why(msgspec.Struct, frozen=True):
    """A reason as the app shows it; `detail` is Azure's own error."""

    code: str
    message: str = ""
    detail: str = ""


class Look(msgspec.Struct, frozen=True):
    """The last assessment or installation of a machine; `time` is its end."""

    status: str
    time: str
    reason: Why | None = None

    @property
    def ended(self) -> Ended:
        return Ended(self.status, self.reason.code if self.reason else "")


class Row(msgspec.Struct, frozen=True, rename="camel"):
    """One machine of GET /fleet/machines."""

    id: str
    name: str
    kind: str
    os: str
    subscription: str
    tags: dict[str, str] = {}
    pending: dict[str, int] | None = None
    last_assessment: Look | None = None
    last_installation: Look | None = None
    reason: Why | None = None

    @property
    def key(self) -> str:
        """Ids are equal in any case."""
        return self.id.lower()

    def since(self, oldest: datetime) -> "Row":
        """Without an assessment that is older: what Azure found days ago says nothing about today."""
        look = self.last_assessment
        if look is None or datetime.fromisoformat(look.time) >= oldest:
            return self
        return msgspec.structs.replace(self, last_assessment=None, pending=None)

    @property
    def is_vm(self) -> bool:
        return "/providers/microsoft.compute/" in self.key

    @property
    def count(self) -> int | None:
        """Updates known to be pending; None where no look has succeeded."""
        looked = self.last_assessment is not None and self.last_assessment.status == "Succeeded"
        return sum(self.pending.values()) if looked and self.pending is not None else None

    @property
    def settled(self) -> bool:
        """Assessed, or left alone for good."""
        return self.last_assessment is not None or (self.reason is not None and self.reason.code in SKIPPED)

    @property
    def may_be_asked(self) -> bool:
        """Whether an assessment asked for now could help: what was busy, silent or failed may not be so later."""
        return self.reason is None or self.reason.code not in SKIPPED

    def outcome(self, chosen: bool) -> tuple[str, str]:
        """Outcome and reason in words: of the installation where one was asked for, else of the assessment."""
        last = self.last_installation if chosen else self.last_assessment
        if last is not None:
            return last.status, _words(last.reason)
        if chosen:
            return "Unknown", "Its installation had not ended when the demo stopped waiting."
        return (
            ("Skipped", _words(self.reason)) if self.reason else ("Unknown", "The app has said nothing about it yet.")
        )

    def told(self, chosen: bool) -> Told:
        """What it says became of the machine."""
        look, why, installation = self.last_assessment, self.reason, self.last_installation
        assessment = look.ended if look else (Ended("Skipped", why.code) if why else None)
        return Told(
            chosen=chosen,
            assessment=assessment,
            installation=installation.ended if installation else None,
            pending=self.count,
        )


class Expected(msgspec.Struct, frozen=True):
    """How assessment and installation of a machine must end, by its script."""

    assessment: Ended
    installation: Ended


class Guest(msgspec.Struct, frozen=True):
    """One machine of GET /sandbox/fleet; `pending` is what is pending in it at this moment.

    `expected_in_window`: how a maintenance window must leave it.
    """

    id: str
    kind: str
    script: str
    real_guest: bool
    pending: list[str]
    expected: Expected
    expected_in_window: Ended


def _words(reason: Why | None) -> str:
    if reason is None:
        return ""
    return f"{reason.code}: {reason.message}" + (f" ({reason.detail})" if reason.detail else "")


def short_name(machine_id: str) -> str:
    """The machine's own name: the last part of its address."""
    return machine_id.rsplit("/", 1)[-1]


def truth(before: Guest, after: Guest, *, in_window: bool = False) -> Truth:
    """What a machine was made to do, on request or in a window, and what was pending in it before and after."""
    return Truth(
        assessment=before.expected.assessment,
        installation=before.expected_in_window if in_window else before.expected.installation,
        before=frozenset(before.pending),
        after=frozenset(after.pending),
    )
