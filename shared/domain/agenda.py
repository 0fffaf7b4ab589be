"""What the agenda holds: one line for each thing that must not be forgotten."""

from datetime import timedelta
from enum import StrEnum

import msgspec

# How often an open item is looked at again when no message moved it on (ours): the longest a lost message can cost.
HEAL_EVERY = timedelta(minutes=2)


class ItemKind(StrEnum):
    ASSESSMENT = "assessment"  # id = attempt
    RUN = "run"  # id = run


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An assessment under way on a machine, or an open run."""

    kind: ItemKind
    id: str
    machine: str = ""
