"""Changing what others may change at the same moment: decided on what was read, written with its ETag, decided anew."""

from collections.abc import Callable
from typing import TypeVar

from shared.domain.errors import RequestError
from shared.store.table import Conflict

# Times that a change is decided anew because another one came first (ours); then the caller is told.
TRIES = 5
_Done = TypeVar("_Done")


def decided(what: str, address: object, change: Callable[[], _Done]) -> _Done:
    """What `change` makes, which reads, decides and writes, and raises Conflict when another change came first.

    Raises RequestError 409 when others come first again and again.
    """
    for _ in range(TRIES):
        try:
            return change()
        except Conflict:
            continue
    raise RequestError(409, "Conflict", f"Others keep changing the {what}; try again.", str(address))
