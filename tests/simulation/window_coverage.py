"""What must be met of windows: transitions of runs and their machines, every reason and end, every crash point."""

from shared.domain.machine import Outcome
from shared.domain.phase import RUN_TRANSITIONS, RunOutcome
from tests.simulation.coverage import OPERATIONS, RUN_MACHINES, Coverage
from tests.simulation.window_points import COMMON, FUNCTIONS, RACES, RARE

RUNS = {f"run {old} -> {new}" for old, news in RUN_TRANSITIONS.items() for new in news}
RUN_ENDS = {f"run outcome {outcome}" for outcome in RunOutcome}
BEGINNINGS = {
    "operation new -> claimed",
    "run new -> selecting",
    "run machine new -> waiting",
    "run machine new -> ended",
}
GOOD = {f"outcome {Outcome.SUCCEEDED}"}
REASONS = {
    f"reason {code}"
    for line in (
        "PoweredOff Disconnected UpdatedThroughCluster Deleted Moved Recreated InstallationFailed WindowExceeded",
        "RebootRequired MachineBusy StartRefused Unsent StartUnconfirmed NoAnswer ResultsLate NoTimeLeft AgentNotReady",
        "ExtensionsOff PatchedByPlatform NativeSchedule SystemNotPatched WindowMissed FailureBudgetUsed",
        "OwnedElsewhere WaveBelowThreshold Cancelled ReleasedByOperator ClosedByOperator Throttled",
        "HandlerFailed HandlerSilent PreEventUnsent UnknownSystem UnsupportedSystem",
    )
    for code in line.split()
}
"""All that a run of a configuration gives a machine, but `NotInInventory`: that it gives where somebody has deleted the
machine's row by hand."""
CRASHES = {f"{point} {side}" for point in (*COMMON, *RARE) for side in ("before", "after")}
UNASKED = {f"{point} {side}" for point in RACES for side in ("before", "after")} | {"operation new -> sending"}


class WindowCoverage(Coverage):
    """Crash points of other work are judged by the campaign of its own."""

    again = "python -m tests.simulation.windows --story"
    points = "tests/simulation/window_points.py"

    def __init__(self) -> None:
        transitions = OPERATIONS | RUN_MACHINES | RUNS | RUN_ENDS | BEGINNINGS | GOOD | REASONS
        super().__init__(transitions, CRASHES, UNASKED)

    def is_judged(self, point: str) -> bool:
        return super().is_judged(point) and point.partition(" ")[0] in FUNCTIONS
