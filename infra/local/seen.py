"""What the sandbox's journal says of each machine: which operations of ours it accepted and what they changed. Pure."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from infra.local.verdict import Operation

FOREIGN_PRINCIPAL = "platform"
"""Who the journal names for operations that are not ours."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of GET /sandbox/journal, as far as it is about operations."""

    sequence: int
    event: str
    operation: str = ""
    machine: str = ""
    kind: str = ""
    principal: str = ""
    installed: list[str] = []
    time: datetime | None = None


def operations(entries: Iterable[Entry]) -> dict[str, list[Operation]]:
    """Machine id in lower case -> our operations in it, in order."""
    found: dict[str, dict[str, Operation]] = {}
    for entry in entries:
        ours = found.setdefault(entry.machine.lower(), {})
        if entry.event == "operationAccepted" and entry.principal != FOREIGN_PRINCIPAL:
            ours[entry.operation] = Operation(
                installs=entry.kind == "installation", accepted=entry.sequence, ended=None, at=entry.time
            )
        elif entry.event == "operationEnded" and entry.operation in ours:
            ours[entry.operation] = msgspec.structs.replace(ours[entry.operation], ended=entry.sequence)
        elif entry.event == "guestChanged":
            _change(ours, frozenset(entry.installed))
    return {machine: list(ours.values()) for machine, ours in found.items() if ours}


def _change(ours: dict[str, Operation], installed: frozenset[str]) -> None:
    """A change belongs to the operation under way in the machine: the last one accepted."""
    last = next(reversed(ours))
    ours[last] = msgspec.structs.replace(ours[last], changed=ours[last].changed | installed)
