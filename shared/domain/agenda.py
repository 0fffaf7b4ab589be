"""What the agenda holds: one line for each thing that must not be forgotten."""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

# How often an open item is looked at again when no message moved it on (ours): the longest a lost message can cost.
HEAL_EVERY = timedelta(minutes=2)
# How long a line stands whose claim or run is not there yet (ours): longer than any function lives that has written
# the line and may still write the other (host.json, functionTimeout), with room for a machine that stood still.
UNBORN_LIFE = timedelta(minutes=30)


class ItemKind(StrEnum):
    ASSESSMENT = "assessment"  # id = attempt
    RUN = "run"  # id = run


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An assessment under way on a machine, or an open run."""

    kind: ItemKind
    id: str
    since: datetime
    machine: str = ""


def is_unborn(item: Item, now: datetime) -> bool:
    """Whether what the line announces may still come into being."""
    return now < item.since + UNBORN_LIFE
