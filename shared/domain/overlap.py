"""Configurations that meet on one machine: which of their windows are open at the same time.

That is allowed, as in Azure. One operation at a time runs on a machine (design, law 2), so the window that opened first
patches it and the other one waits, until its own cut-off. Of two that open together the order is not promised. What is
told here is therefore advice for who reads a plan, never a refusal.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from shared.domain.configuration import Configuration, next_windows
from shared.domain.maintenance_id import ConfigurationId
from shared.domain.occurrence import Occurrence


class Overlap(msgspec.Struct, frozen=True, kw_only=True):
    """Two windows of two configurations, in the order in which they open, and the time that both are open."""

    first: ConfigurationId
    second: ConfigurationId
    start: datetime
    end: datetime


def overlaps(configurations: Sequence[Configuration], after: datetime, count: int) -> list[Overlap]:
    """Among the next `count` windows of each configuration that open after an instant; in order of time."""
    windows = [(window, each.id) for each in configurations for window in next_windows(each, after, count)]
    windows.sort(key=lambda pair: (pair[0].start, pair[1].key))
    found: list[Overlap] = []
    still_open: list[tuple[Occurrence, ConfigurationId]] = []
    for window, address in windows:
        still_open = [(other, owner) for other, owner in still_open if other.end > window.start]
        for other, owner in still_open:
            if owner.key != address.key:
                end = min(other.end, window.end)
                found.append(Overlap(first=owner, second=address, start=window.start, end=end))
        still_open.append((window, address))
    return found
