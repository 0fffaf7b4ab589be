"""What else is seen of windows from outside: the configuration's versions, runs opened and frozen, and their ends."""

from collections.abc import Callable
from datetime import datetime

import msgspec

from shared.domain.configuration import Configuration
from shared.domain.owner import Mark
from shared.domain.phase import Phase
from shared.domain.run import Run
from shared.store.fleet import _MARKS
from shared.store.table import Row
from tests.simulation.versions import NUMBER
from tests.simulation.watch import Watch


class WindowWatch(Watch):
    """All instants are those at which a row was written, by the world's true clock."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self.written: list[tuple[datetime, int]] = []
        """Number of the version that stands from then on; 0: there is none."""
        self.frozen: dict[str, datetime] = {}
        self.opened: dict[str, datetime] = {}
        self.lost: dict[str, datetime] = {}
        """Subscriptions, and when it was written that another deployment drives them."""
        self.on_first: Callable[[], None] = lambda: None
        """Told when there is a configuration for the first time."""
        self.on_frozen: Callable[[str], None] = lambda run: None
        """Told when a run has come into being."""
        self.began: Callable[[], datetime] = now
        """When the work began that writes now."""
        self.read_from: dict[str, datetime] = {}
        """When the work began that froze each run: the configuration was read no earlier."""
        self.closed: dict[str, datetime] = {}

    def __call__(self, table: str, before: Row | None, after: Row | None) -> None:
        super().__call__(table, before, after)
        row = after or before
        if table == "configurations" and row is not None and not row.partition.startswith("|"):
            self._configuration(after)
        elif table == "fleet" and after is not None and after.partition == _MARKS:
            self._mark(after)
        elif table == "run" and after is not None and after.key == "configuration":
            self._frozen(after.partition)
        elif table == "run" and after is not None and after.key == "run":
            self._phase(before, after)

    def version(self, first: datetime, last: datetime) -> set[int]:
        """The versions that stood at some instant from the first to the last; 0: that there was none."""
        found = {number for at, number in self.written if first <= at <= last}
        return found | {next((number for at, number in reversed(self.written) if at < first), 0)}

    def _frozen(self, run: str) -> None:
        if run not in self.frozen:
            self.frozen[run], self.read_from[run] = self._now(), self.began()
            self.on_frozen(run)

    def _configuration(self, after: Row | None) -> None:
        number = int(_tags(after)[NUMBER]) if after else 0
        is_first = not self.written
        self.written.append((self._now(), number))
        if is_first:
            self.on_first()

    def _mark(self, after: Row) -> None:
        mark = msgspec.json.decode(str(after.values["value"]), type=Mark)
        if mark.is_elsewhere:
            self.lost.setdefault(mark.subscription, self._now())

    def _phase(self, before: Row | None, after: Row) -> None:
        new, old = _run(after), _run(before) if before else None
        if new.configuration == "":
            return
        if old is None or old.phase != new.phase:
            self.transitions[f"run {old.phase if old else 'new'} -> {new.phase}"] += 1
        if new.phase is Phase.OPEN:
            self.opened.setdefault(new.id, self._now())
        if new.closed:
            self.closed.setdefault(new.id, self._now())
        if new.outcome and (old is None or old.outcome is None):
            self.transitions[f"run outcome {new.outcome}"] += 1


def _tags(row: Row) -> dict[str, str]:
    return msgspec.json.decode(str(row.values["configuration"]), type=Configuration).tags


def _run(row: Row) -> Run:
    return msgspec.json.decode(str(row.values["run"]), type=Run)
