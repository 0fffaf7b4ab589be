"""Who may start next: the pace of a run, its failure budget, and availability sets.

**Pace.** Without `maxConcurrency` all start at once, as with Azure. With it a run starts slowly: a quarter of it at
first, and one machine more for each that succeeded, up to the whole.

**Budget.** When as many machines as `maxFailures` have failed, nothing more starts; 0 means not even the first.
What never started is no failure: nothing was done to it.

**Availability sets.** Of one set, machines of one update domain at a time. Source: documentation of maintenance
configurations.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence, Set
from datetime import UTC, datetime, timedelta

from shared.domain.bucket import ARM_WRITES_PER_SECOND
from shared.domain.machine import Outcome
from shared.domain.resource_id import parse_machine_id
from shared.domain.run_machine import RunMachine

# Life of a permit (design, "permits").
PERMIT_LIFE = timedelta(seconds=10)
# Permits of one throttle, a subscription's region, that have not led to a start yet (ours): as many requests as Azure
# takes there in their life (domain/bucket.py). More would run out before their turn, be granted again, and keep the app
# busy.
MOST_UNUSED = int(ARM_WRITES_PER_SECOND * PERMIT_LIFE.total_seconds())
# A run with a limit begins with this part of it (ours): enough to make use of a window, few enough to notice harm.
SLOW_START = 4
FAILED = (Outcome.FAILED, Outcome.UNKNOWN)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def is_used_up(failures: int | None, machines: Sequence[RunMachine]) -> bool:
    """Whether the failure budget is used up."""
    if failures is None:
        return False
    return sum(machine.outcome in FAILED for machine in machines) >= max(1, failures)


def pace(concurrency: int | None, machines: Sequence[RunMachine]) -> int:
    """How many machines of a run may be under way at one time now."""
    if concurrency is None:
        return len(machines)
    good = sum(machine.outcome in (Outcome.SUCCEEDED, Outcome.WARNINGS) for machine in machines)
    return min(concurrency, math.ceil(concurrency / SLOW_START) + good)


def grants(
    room: int,
    busy: Sequence[RunMachine],
    queued: Sequence[RunMachine],
    ready: Sequence[RunMachine],
    due: Set[str] = frozenset(),
) -> list[str]:
    """Which of the `ready` are given a permit: those that are `due` first, for whom a slot of the throttle has come,
    then those that had none, then the one whose last is longest ago.

    `room`: how many may be under way; `busy`: those that are, or may be; `queued`: those whose permit has not led to a
    start yet.
    """
    domains: dict[str, set[str]] = defaultdict(set)
    for machine in busy:
        domains[machine.group].add(machine.domain)
    unused, granted = Counter(_throttle(machine) for machine in queued), list[str]()
    for machine in sorted(ready, key=lambda each: (each.machine not in due, _turn(each))):
        if len(busy) + len(granted) >= room:
            break
        throttle = _throttle(machine)
        if unused[throttle] >= MOST_UNUSED or (machine.group and domains[machine.group] - {machine.domain}):
            continue
        domains[machine.group].add(machine.domain)
        unused[throttle] += 1
        granted.append(machine.machine)
    return granted


def _throttle(machine: RunMachine) -> tuple[str, str]:
    return parse_machine_id(machine.machine).subscription, machine.region


def _turn(machine: RunMachine) -> tuple[datetime, str, str, str]:
    return (machine.permit_until or _LONG_AGO, machine.group, machine.domain, machine.machine.lower())
