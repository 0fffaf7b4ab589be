"""Table `results`: one partition, one row a subscription; how far its results are swept from Resource Graph."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from shared.domain.prepared import prepared
from shared.domain.resource_id import encode_key
from shared.domain.results import Sweep
from shared.store.table import LARGEST_BATCH, Merge, Row, Table, Value

_SWEEPS = "sweeps"


class Results:
    """What the sweeps remember."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def sweeps(self) -> dict[str, Sweep]:
        """By subscription id; those that were never asked for are not in it."""
        return {str(row.values["subscription"]): _sweep(row) for row in self._table.scan(_SWEEPS)}

    def ask(self, subscriptions: Iterable[str], now: datetime) -> None:
        """These are being swept at this instant."""
        self._merge({each: {"asked": now} for each in subscriptions})

    def end(self, sweeps: Iterable[Sweep]) -> None:
        """These are swept to their end."""
        parts = ("asked", "completed", "whole")
        self._merge({each.subscription: {part: at for part in parts if (at := getattr(each, part))} for each in sweeps})

    def _merge(self, rows: Mapping[str, dict[str, Value]]) -> None:
        changes = [
            Merge(Row(partition=_SWEEPS, key=encode_key(name), values={"subscription": name, **values}))
            for name, values in rows.items()
        ]
        for start in range(0, len(changes), LARGEST_BATCH):
            self._table.transact(changes[start : start + LARGEST_BATCH])


def _sweep(row: Row) -> Sweep:
    return msgspec.convert(row.values, type=prepared(Sweep))
