"""Everything the sandbox saw and did, in order: what a proof may rely on instead of the app's own records."""

from collections import defaultdict
from datetime import datetime

from infra.local.sandbox.config import azure_time
from infra.local.sandbox.http import Json


class Journal:
    """Numbered entries, oldest first; `sequence` starts at 1."""

    def __init__(self) -> None:
        self._entries: list[Json] = []
        self._of: dict[str, list[Json]] = defaultdict(list)

    def note(self, event: str, now: datetime, facts: Json) -> None:
        """Adds an entry: `request`, `operationAccepted`, `operationEnded`, `guestChanged`, or one of a fault's."""
        entry = {"sequence": len(self._entries) + 1, "time": azure_time(now), "event": event, **facts}
        self._entries.append(entry)
        if machine := facts.get("machine"):
            self._of[machine.lower()].append(entry)

    def after(self, sequence: int) -> list[Json]:
        return self._entries[max(0, sequence) :]

    def about(self, machine: str) -> list[Json]:
        """The entries that name this machine, in any case."""
        return self._of.get(machine.lower(), [])
