"""Judging windows of bad nights by the sandbox's journal and the app's rows: no law of a run may be broken. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec

from infra.local.fleet import short_name
from infra.local.verdict import Operation
from infra.local.waves import NOT_STARTED, Part
from shared.domain.agenda import Item, ItemKind
from tests.scenarios.windows import Arrival, Window

LAST_START = {"Windows": timedelta(minutes=25), "Linux": timedelta(minutes=20)}
"""So long before a window's end nothing may start any more: the smallest useful installation (15 and 5 minutes) and a
reboot (10 and 15). Source: Update Manager documentation, "scheduled patching"."""

SUCCEEDED, UNKNOWN = "Succeeded", "Unknown"


class Night(msgspec.Struct, frozen=True, kw_only=True):
    """One window and all that is known of it: calls that reached Azure for it, its run's phase, its run's machines."""

    window: Window
    arrived: tuple[Arrival, ...]
    phase: str
    parts: tuple[Part, ...]

    @property
    def accepted(self) -> list[Arrival]:
        return [each for each in self.arrived if each.effect]

    def complaints(self) -> list[str]:
        """Every law that the window breaks, a sentence each."""
        found = [*self._twice(), *self._outside(), *self._strangers(), *self._ends()]
        found += [] if self.phase == "closed" else [f"its run is {self.phase or 'unknown'}"]
        return [f"{self.window.name}: {each}" for each in found]

    def line(self) -> str:
        """When its first installation was accepted, and how its machines ended."""
        first = min((each.time for each in self.accepted), default=None)
        after = f"{(first - self.window.start).total_seconds():4.1f} s" if first else "none"
        ends = Counter(f"{p.standing} ({p.reason.code})" if p.reason else p.standing for p in self.parts)
        return f"first call {after:>7}; {', '.join(f'{count} {end}' for end, count in sorted(ends.items()))}"

    def _twice(self) -> list[str]:
        counts = Counter(each.machine.lower() for each in self.accepted)
        return [f"{short_name(key)} was installed {count} times" for key, count in counts.items() if count > 1]

    def _outside(self) -> list[str]:
        last = {key: self.window.end - LAST_START[system] for key, system in self.window.machines.items()}
        late = [each for each in self.arrived if each.time > last.get(each.machine.lower(), self.window.end)]
        wrong = [each for each in self.arrived if each.time < self.window.start] + late
        return [f"{short_name(each.machine)} was asked at {each.time:%H:%M:%S.%f}, outside of it" for each in wrong]

    def _strangers(self) -> list[str]:
        wrong = {each.machine.lower() for each in self.arrived} - set(self.window.machines)
        return [f"{short_name(key)} is not of it and was asked" for key in sorted(wrong)]

    def _ends(self) -> list[str]:
        counts = Counter(each.machine.lower() for each in self.accepted)
        parts = {part.key: part for part in self.parts}
        found = [f"{short_name(key)} is forgotten" for key in self.window.machines if key not in parts]
        for key, part in parts.items():
            found += [f"{short_name(key)} {fault}" for fault in _faults(part, counts[key])]
        return found


def _faults(part: Part, accepted: int) -> list[str]:
    """What is wrong with the end of one machine that Azure has accepted so many installations of."""
    if part.ended is None or not part.outcome:
        return [f"has no outcome, it is {part.standing}"]
    found = []
    if part.outcome != SUCCEEDED and (part.reason is None or not part.reason.code or not part.reason.message):
        found.append(f"ended as {part.outcome} without a reason")
    if part.outcome == NOT_STARTED and accepted:
        found.append("ended as NotStarted and Azure has installed on it")
    if part.outcome not in (NOT_STARTED, UNKNOWN) and not accepted:
        found.append(f"ended as {part.outcome} and Azure has accepted nothing")
    return found


def unasked(windows: Iterable[Window], arrived: Iterable[Arrival]) -> list[str]:
    """Installations that are of no window at all."""
    known = {window.run for window in windows}
    wrong = [each for each in arrived if each.client_request_id not in known]
    return [f"{short_name(each.machine)} was asked under {each.client_request_id}" for each in wrong]


def at_once(seen: Mapping[str, Sequence[Operation]]) -> list[str]:
    """Machines in which two operations of ours were under way at one time."""
    found = []
    for key, operations in seen.items():
        ordered = sorted(operations, key=lambda each: each.accepted)
        found += [
            short_name(key) for one, other in pairwise(ordered) if one.ended is None or one.ended > other.accepted
        ]
    return found


def by_window(windows: Sequence[Window], arrived: Iterable[Arrival]) -> dict[str, list[Arrival]]:
    """The calls of each run, in order of their time."""
    found: dict[str, list[Arrival]] = defaultdict(list)
    for each in sorted(arrived, key=lambda each: each.time):
        found[each.client_request_id].append(each)
    return {window.run: found[window.run] for window in windows}


def overdue(lines: Iterable[Item], now: datetime) -> list[str]:
    """Lines of the agenda that are of no window still to come."""
    to_come = (ItemKind.OPENING, ItemKind.EVENT)
    late = [each for each in lines if each.kind not in to_come or each.start is None or each.start <= now]
    return [f"on the agenda: {each.kind} {each.id}" for each in late]
