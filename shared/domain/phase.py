"""Where a run stands and how it ends."""

from collections.abc import Sequence
from enum import StrEnum

from shared.domain.machine import Outcome
from shared.domain.run_machine import RunMachine


class Phase(StrEnum):
    """Where a run stands."""

    SELECTING = "selecting"  # its configuration is frozen; its machines are being written down
    READY = "ready"  # its machines are known, nothing has started
    OPEN = "open"  # it was taken up in time; permits are granted
    CLOSED = "closed"


RUN_TRANSITIONS: dict[Phase, frozenset[Phase]] = {
    Phase.SELECTING: frozenset({Phase.READY}),
    Phase.READY: frozenset({Phase.OPEN, Phase.CLOSED}),
    Phase.OPEN: frozenset({Phase.CLOSED}),
    Phase.CLOSED: frozenset(),
}


class RunOutcome(StrEnum):
    """How a run ended: Azure's words, and ours for a window that was not opened in time."""

    SUCCEEDED = "Succeeded"
    WARNINGS = "CompletedWithWarnings"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    MISSED = "Missed"


def run_outcome(machines: Sequence[RunMachine], *, missed: bool, cancelled: bool) -> RunOutcome:
    """How a run ends. Source: Update Manager documentation, status of a maintenance run: one failed machine fails it.

    What could not be started counts as failed, as with Azure; not so what the configuration has nothing for.
    """
    ends = {machine.outcome for machine in machines if not machine.aside}
    if missed:
        return RunOutcome.MISSED
    if cancelled and (not ends or Outcome.NOT_STARTED in ends):
        return RunOutcome.CANCELLED
    if ends & {Outcome.FAILED, Outcome.UNKNOWN, Outcome.NOT_STARTED}:
        return RunOutcome.FAILED
    return RunOutcome.WARNINGS if Outcome.WARNINGS in ends else RunOutcome.SUCCEEDED
