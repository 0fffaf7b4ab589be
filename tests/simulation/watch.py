"""Every committed change of rows that matter, seen from outside the app: transitions, permits, and runs."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import msgspec

from shared.domain.machine import Outcome
from shared.domain.run import Run, RunMachine, Step
from shared.store.table import Row


class Permit(NamedTuple):
    """The right to start one machine of a run, given `at`."""

    run: str
    machine: str
    at: datetime
    until: datetime


class Watch:
    """Told of every change by the twin of Table Storage."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.transitions: Counter[str] = Counter()
        self.permits: list[Permit] = []
        self.runs: dict[str, tuple[datetime, Run]] = {}
        """When each run's row was first written, and the run as it was then."""
        self.stopped: dict[str, datetime] = {}
        """When it was written that a run starts nothing more: cancelled, or by its own rules."""
        self.ends: list[tuple[str, str, datetime, Outcome]] = []
        """Run, machine, and when its end was written."""

    def __call__(self, table: str, before: Row | None, after: Row | None) -> None:
        if table == "operations":
            self._operation(before, after)
        elif table == "run" and after is not None:
            self._run(before, after)

    def _operation(self, before: Row | None, after: Row | None) -> None:
        row = after or before
        if row is None or row.key != "inflight":
            return
        old = str(before.values["state"]) if before else "new"
        new = str(after.values["state"]) if after else "ended"
        if old != new:
            self.transitions[f"operation {old} -> {new}"] += 1

    def _run(self, before: Row | None, after: Row) -> None:
        if after.key == "run":
            run = msgspec.json.decode(str(after.values["run"]), type=Run)
            self.runs.setdefault(run.id, (self._now(), run))
            if run.cancelled or run.stopped_because:
                self.stopped.setdefault(run.id, self._now())
            return
        if not after.key.startswith("m|"):
            return
        new = _machine(after)
        old = _machine(before) if before else None
        if old is None or old.step != new.step or old.permit_until != new.permit_until:
            self.transitions[f"run machine {old.step if old else 'new'} -> {new.step}"] += 1
        if new.outcome and (old is None or old.outcome is None):
            self.ends.append((after.partition, new.machine.lower(), self._now(), new.outcome))
        if new.permit_until and new.step is Step.PERMITTED and (old is None or old.permit_until != new.permit_until):
            self.permits.append(Permit(after.partition, new.machine.lower(), self._now(), new.permit_until))


def _machine(row: Row) -> RunMachine:
    return msgspec.json.decode(str(row.values["machine"]), type=RunMachine)
