"""What the agenda holds: one line for each thing that must not be forgotten."""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

# How often an open item is looked at again when no message moved it on (ours): a lost message costs this, and at most a
# minute more until the timer comes.
HEAL_EVERY = timedelta(minutes=2)
# The same, at first, for a planned assessment, whose end nobody waits for (ours): nearly all have ended by then and are
# struck out together, so that the timer reads of none.
HEAL_PLANNED = 7 * HEAL_EVERY
# How long the agenda is tended at a time (ours): its timer comes at second 20 of every minute, and is done before the
# next minute begins, when windows open.
TEND_TIME = timedelta(seconds=35)
# How long a line stands whose claim or run is not there yet (ours): longer than any function lives that has written
# the line and may still write the other (host.json, functionTimeout), with room for a machine that stood still.
UNBORN_LIFE = timedelta(minutes=30)


class ItemKind(StrEnum):
    ASSESSMENT = "assessment"  # id = attempt
    RUN = "run"  # id = run
    OPENING = "opening"  # id = run, of a window that is not opened yet
    EVENT = "event"  # id = run, whose next event is not sent yet


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An assessment under way on a machine, an open run, the next window of a configuration, or its next event."""

    kind: ItemKind
    id: str
    since: datetime
    machine: str = ""
    closes_by: datetime | None = None  # by its own rules it is closed then
    planned: bool = False  # of an assessment that is started and looked at together with others
    hints: int = 0  # sent in a row because it did not move; of assessments and events
    configuration: str = ""  # of an opening or an event
    start: datetime | None = None  # of an opening or an event


def tended(item: Item, hinted: bool) -> Item:
    """The line after a look; a run or an opening is given a hint at every look, which says nothing."""
    counts = hinted and item.kind in (ItemKind.ASSESSMENT, ItemKind.EVENT)
    return msgspec.structs.replace(item, hints=item.hints + 1 if counts else 0)


def is_looked_at_together(item: Item, now: datetime) -> bool:
    """Whether a planned assessment's end is looked for together with others' as yet, and nobody else needs to."""
    return item.planned and now < item.since + HEAL_PLANNED


def is_unborn(item: Item, now: datetime) -> bool:
    """Whether what the line announces may still come into being."""
    return now < item.since + UNBORN_LIFE
