"""The demo's maintenance window in two waves: who belongs to which, the plan, the outcome, and their order. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from infra.local.fleet import Look, Row, Why, short_name
from infra.local.verdict import Ended, Operation

RING, PILOT = "ring", "pilot"
"""The tag, and its value, by which the dynamic scopes take a machine."""

TAG = "env"
WAVES: dict[str, tuple[str, ...]] = {"test": ("test",), "production": ("prod",)}
"""The waves by name, in order, and the values of the tag whose machines are in them."""

REST = "the rest"
"""Machines that no wave names come last."""

NOT_STARTED = "NotStarted"
NAMES_SHOWN = 4


class Previewed(msgspec.Struct, frozen=True):
    """One machine of GET /fleet/preview: taken, or why not."""

    id: str
    taken: bool
    reason: Why | None = None
    tags: dict[str, str] = {}

    @property
    def key(self) -> str:
        return self.id.lower()


class Part(msgspec.Struct, frozen=True):
    """One machine of GET /fleet/runs/{run}; `wave` counts from 0."""

    machine: str
    step: str
    wave: int = 0
    outcome: str = ""
    reason: Why | None = None
    ended: datetime | None = None

    @property
    def key(self) -> str:
        return self.machine.lower()

    @property
    def standing(self) -> str:
        return self.outcome or self.step

    @property
    def look(self) -> Look | None:
        """Its end as an installation's; what was not started was left out."""
        if self.ended is None:
            return None
        return Look("Skipped" if self.outcome == NOT_STARTED else self.outcome, self.ended.isoformat(), self.reason)


def is_in_window(tags: Mapping[str, str]) -> bool:
    """Whether the dynamic scopes have to take a machine."""
    return tags.get(RING) == PILOT


def wave_of(tags: Mapping[str, str]) -> int:
    """The number of a machine's wave, from 0."""
    found = [number for number, values in enumerate(WAVES.values()) if tags.get(TAG) in values]
    return found[0] if found else len(WAVES)


def plan(previewed: Sequence[Previewed]) -> list[str]:
    """A line a wave, with its machines by name, and one for those that are left out, by reason."""
    taken = [each for each in previewed if each.taken]
    lines = [
        f"  {_name(number)}: {_members([each.id for each in taken if wave_of(each.tags) == number])}"
        for number in _numbers(wave_of(each.tags) for each in taken)
    ]
    others = Counter(each.reason.code if each.reason else "no reason" for each in previewed if not each.taken)
    return [*lines, f"  not taken: {_counts(others)}"] if others else lines


def outcome(parts: Iterable[Part]) -> list[str]:
    """A line a wave: its machines by outcome and reason, and the instant its last one ended."""
    known = list(parts)
    return [
        _wave(number, [each for each in known if each.wave == number]) for number in _numbers(p.wave for p in known)
    ]


def differing(previewed: Sequence[Previewed], parts: Mapping[str, Part], rows: Mapping[str, Row]) -> list[str]:
    """Where preview, run and a machine's own page tell different things of a machine."""
    taken = {each.key for each in previewed if each.taken}
    found = [f"{short_name(key)}: the preview or the run takes it, the other does not" for key in taken ^ parts.keys()]
    for key, part in sorted(parts.items()):
        if part.wave != wave_of(rows[key].tags):
            found.append(f"{short_name(key)}: it belongs to {_name(wave_of(rows[key].tags))}, not {_name(part.wave)}")
        own, here = rows[key].last_installation, part.look
        if part.outcome != NOT_STARTED and _ended(own) != _ended(here):
            found.append(f"{short_name(key)}: its run says {_ended(here)} and its own page says {_ended(own)}")
    return found


def out_of_order(waves: Sequence[Collection[str]], seen: Mapping[str, Sequence[Operation]]) -> list[str]:
    """Installations that the journal has before the last one of an earlier wave ended; `waves`: keys in order."""
    found: list[str] = []
    last, ran = 0.0, False
    for members in waves:
        installs = [(key, each) for key in sorted(members) for each in seen.get(key, ()) if each.installs]
        found += [
            f"{short_name(key)}: its installation began before the wave before it had ended"
            for key, each in installs
            if ran and each.accepted < last
        ]
        last = max([last, *(float("inf") if each.ended is None else each.ended for _, each in installs)])
        ran = ran or bool(installs)
    return found


def installs(members: Collection[str], seen: Mapping[str, Sequence[Operation]]) -> dict[str, datetime]:
    """When the journal has the first installation of each of these machines."""
    times = {key: [each.at for each in seen.get(key, ()) if each.installs and each.at] for key in members}
    return {key: min(found) for key, found in times.items() if found}


def out_of_window(start: datetime, end: datetime, began: Mapping[str, datetime]) -> list[str]:
    """Installations that the journal has outside of the window."""
    return [
        f"{short_name(key)}: its installation began at {at:%H:%M:%S}, outside of the window"
        for key, at in sorted(began.items())
        if not start <= at < end
    ]


def first_start(start: datetime, began: Mapping[str, datetime]) -> list[str]:
    """How soon after the opening the first installation was accepted; nothing where none was."""
    if not began:
        return []
    seconds = (min(began.values()) - start).total_seconds()
    return [f"The first installation of the window was accepted {seconds:.1f} s after it opened."]


def _ended(look: Look | None) -> Ended | str:
    return look.ended if look else "nothing"


def _numbers(used: Iterable[int]) -> list[int]:
    """Every wave, whether it has machines or not, and the rest if there is one."""
    return sorted({*range(len(WAVES)), *used})


def _name(number: int) -> str:
    return f"wave {number + 1}, {[*WAVES, REST][min(number, len(WAVES))]}"


def _members(ids: Sequence[str]) -> str:
    names = sorted(short_name(each) for each in ids)
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"{len(names)} machines" + (f": {', '.join(names[:NAMES_SHOWN])}{more}" if names else "")


def _wave(number: int, parts: Sequence[Part]) -> str:
    ends = Counter(f"{each.standing} ({each.reason.code})" if each.reason else each.standing for each in parts)
    last = max((each.ended for each in parts if each.ended and each.outcome != NOT_STARTED), default=None)
    line = f"  {_name(number)}: {len(parts)} machines" + (f": {_counts(ends)}" if parts else "")
    return f"{line}; its last ended at {last:%H:%M:%S}" if last else line


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counted.items()))
