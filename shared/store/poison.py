"""Table `poison`: partition = queue; every message that could not be handled, with its text and the last reason."""

from datetime import datetime

import msgspec

from shared.domain.poison import Poison
from shared.domain.resource_id import encode_key
from shared.store.table import Merge, Row, Table

# Characters kept in one property: half of the 48 KiB that a queue message carries in base64, within 64 KiB of UTF-16.
_HALF = 24 * 1024


class Poisons:
    """Messages that failed, kept until somebody replays them."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def note(self, queue: str, message: str, why: str) -> None:
        """Why handling a message failed, kept in case it is given up."""
        self._set(queue, message, {"why": why})

    def park(self, queue: str, message: str, text: str, now: datetime) -> None:
        """A message was given up."""
        halves = {"text": text[:_HALF], "rest": text[_HALF:]}
        self._set(queue, message, {**halves, "parked": now.isoformat(), "replayed": ""})

    def mark_replayed(self, queue: str, message: str, now: datetime) -> None:
        self._set(queue, message, {"replayed": now.isoformat()})

    def get(self, queue: str, message: str) -> Poison | None:
        row = self._table.get(encode_key(queue), encode_key(message))
        return _poison(row) if row and row.values.get("parked") else None

    def parked(self, queue: str) -> list[Poison]:
        """Given up and not replayed since."""
        rows = [row for row in self._table.scan(encode_key(queue)) if row.values.get("parked")]
        return [_poison(row) for row in rows if not row.values.get("replayed")]

    def _set(self, queue: str, message: str, values: dict[str, str]) -> None:
        self._table.write(Merge(Row(partition=encode_key(queue), key=encode_key(message), values={**values})))


def _poison(row: Row) -> Poison:
    return msgspec.convert(
        {
            "queue": row.partition,
            "id": row.key,
            "text": str(row.values["text"]) + str(row.values.get("rest", "")),
            "why": str(row.values.get("why") or "unknown: the worker stopped before it could say why"),
            "parked": str(row.values["parked"]),
        },
        Poison,
    )
