"""Table `poison`: partition = queue; every message that could not be handled, with its text and the last reason.

A parked message has its own id as row key. `~note|{id}` is its last failure, `~done|{id}` the message once somebody
replayed or discarded it: so what is parked is one range, however much was settled before.
"""

from datetime import datetime

from shared.domain.poison import Poison
from shared.domain.resource_id import encode_key
from shared.store.table import Conflict, Delete, Merge, Row, Table, Value

# Characters kept in one property: half of the 48 KiB that a queue message carries in base64, within 64 KiB of UTF-16.
_HALF = 24 * 1024
_NOTE, _DONE = "~note|", "~done|"
_BEHIND_THE_PARKED = "~"  # an id is hexadecimal


class Poisons:
    """Messages that failed, kept until somebody replays or discards them, and after that as a record."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def note(self, queue: str, message: str, why: str) -> None:
        """Why handling a message failed, kept in case it is given up."""
        self._set(queue, _NOTE + encode_key(message), {"why": why})

    def park(self, queue: str, message: str, text: str, now: datetime) -> None:
        """A message was given up."""
        note = self._table.get(encode_key(queue), _NOTE + encode_key(message))
        why = {"why": note.values["why"]} if note else {}
        halves = {"text": text[:_HALF], "rest": text[_HALF:]}
        self._set(queue, encode_key(message), {**why, **halves, "parked": now.isoformat()})

    def mark_replayed(self, queue: str, message: str, now: datetime, who: str = "") -> None:
        """It is on its queue again."""
        how: dict[str, Value] = {"replayed": now.isoformat(), "replayedBy": who}
        if not self._settle(queue, message, how):
            self._set(queue, _DONE + encode_key(message), how)

    def mark_discarded(self, queue: str, message: str, because: str, now: datetime) -> bool:
        """It will not be handled; False when it is not parked any more."""
        return self._settle(queue, message, {"discarded": now.isoformat(), "because": because})

    def get(self, queue: str, message: str) -> Poison | None:
        """A parked one, or one that was settled."""
        row = self._parked(queue, message) or self._table.get(encode_key(queue), _DONE + encode_key(message))
        return _poison(row) if row else None

    def parked(self, queue: str, size: int = 1000) -> list[Poison]:
        """Up to `size` of those given up and not settled since."""
        return [_poison(row) for row in self._table.page(encode_key(queue), before=_BEHIND_THE_PARKED, size=size)]

    def _parked(self, queue: str, message: str) -> Row | None:
        return self._table.get(encode_key(queue), encode_key(message))

    def _settle(self, queue: str, message: str, how: dict[str, Value]) -> bool:
        row = self._parked(queue, message)
        if row is None:
            return False
        done = Row(partition=row.partition, key=_DONE + row.key, values={**row.values, **how})
        try:
            self._table.transact([Delete(row), Merge(done)])
        except Conflict:
            return False
        return True

    def _set(self, queue: str, key: str, values: dict[str, Value]) -> None:
        self._table.write(Merge(Row(partition=encode_key(queue), key=key, values=values)))


def _poison(row: Row) -> Poison:
    return Poison(
        queue=row.partition,
        id=row.key.removeprefix(_DONE),
        text=str(row.values["text"]) + str(row.values.get("rest", "")),
        why=str(row.values.get("why") or "unknown: the worker stopped before it could say why"),
        parked=datetime.fromisoformat(str(row.values["parked"])),
    )
