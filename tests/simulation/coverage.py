"""How often every transition and every crash point was met, and which of them were met too seldom."""

from collections import Counter
from collections.abc import Set

from shared.domain import operation, run
from tests.simulation.outcome import Outcome
from tests.simulation.points import COMMON, RACES, RARE

ENOUGH = 20

OPERATIONS = {f"operation {old} -> {new}" for old, news in operation.TRANSITIONS.items() for new in news}
RUN_MACHINES = {f"run machine {old} -> {new}" for old, news in run.TRANSITIONS.items() for new in news}
BEGINNINGS = {"operation new -> claimed", "operation new -> sending", "run machine new -> waiting"}
CRASHES = {f"{point} {side}" for point in (*COMMON, *RARE) for side in ("before", "after")}
UNASKED = {f"{point} {side}" for point in RACES for side in ("before", "after")}


class Coverage:
    """Sums over seeds. `again` is the command that lives a seed once more, `points` where crash points are named."""

    again = "python -m tests.simulation.seed"
    points = "tests/simulation/points.py"

    def __init__(
        self,
        transitions: Set[str] = OPERATIONS | RUN_MACHINES | BEGINNINGS,
        crashes: Set[str] = CRASHES,
        unasked: Set[str] = UNASKED,
    ) -> None:
        self.transitions, self.crashes, self.unasked = transitions, crashes, unasked
        self.seeds = 0
        self.sdk = 0
        self.faults = 0
        self.steps = 0
        self.cpu = 0.0
        self.met: Counter[str] = Counter(dict.fromkeys(transitions | crashes, 0))

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        self.sdk += outcome.sdk
        self.faults += outcome.faults
        self.steps += outcome.steps
        self.cpu += outcome.cpu
        self.met.update(outcome.transitions)
        self.met.update({point: count for point, count in outcome.crashes.items() if self.is_judged(point)})

    def is_judged(self, point: str) -> bool:
        """Whether a crash point counts: waiting is no I/O."""
        return " time." not in point

    @property
    def each(self) -> float:
        """CPU seconds a seed."""
        return self.cpu / max(1, self.seeds)

    @property
    def seldom(self) -> list[str]:
        """Met less often than it takes to trust."""
        return sorted(name for name, count in self.met.items() if count < ENOUGH and name not in self.unasked)

    @property
    def unknown(self) -> list[str]:
        """Transitions and crash points that the tables do not name."""
        return sorted(set(self.met) - self.transitions - self.crashes - self.unasked)

    def table(self) -> str:
        lines = [f"{self.met[name]:>8}  {name}" for name in sorted(self.transitions)]
        lines += ["  before   after  crash at"]
        lines += [
            f"{self.met[f'{point} before']:>8}{self.met[f'{point} after']:>8}  {point}"
            for point in sorted({crash.rpartition(" ")[0] for crash in self.crashes})
        ]
        return "\n".join(lines)
