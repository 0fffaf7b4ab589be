"""A maintenance run in a list: its window and how it stands, without its machines one by one."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import msgspec

from shared.domain.phase import Phase, RunOutcome
from shared.domain.reason import Reason
from shared.domain.run import Run, RunMachine, Step

# Azure's words. Source: Microsoft.Maintenance, UpdateStatus.
_BEFORE, _DURING, _AFTER = "Pending", "InProgress", "Completed"


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """`machines`: how many there are by outcome, or by step while they have none."""

    id: str
    configuration: str
    start: datetime
    end: datetime
    phase: Phase
    requested_by: str
    outcome: RunOutcome | None = None
    reason: Reason | None = None
    machines: dict[str, int] = {}

    @property
    def status(self) -> str:
        """In the words of Azure's applyUpdates."""
        if self.outcome in (RunOutcome.CANCELLED, RunOutcome.FAILED):
            return self.outcome.value
        if self.outcome is RunOutcome.MISSED:
            return RunOutcome.FAILED.value
        return {Phase.OPEN: _DURING, Phase.CLOSED: _AFTER}.get(self.phase, _BEFORE)


def summary(run: Run, machines: Sequence[RunMachine]) -> Summary:
    """Of a run as it stands. A cancelled one that has not closed yet still follows what runs."""
    counted = Counter(str(each.outcome if each.step is Step.ENDED else each.step) for each in machines)
    return Summary(
        id=run.id,
        configuration=run.configuration,
        start=run.start,
        end=run.end,
        phase=run.phase,
        requested_by=run.requested_by,
        outcome=run.outcome,
        reason=run.cancelled_because if run.cancelled else run.stopped_because,
        machines=dict(sorted(counted.items())),
    )
