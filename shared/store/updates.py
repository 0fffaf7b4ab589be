"""Table `updates`: partition = machine, one row an update that is pending there."""

import msgspec

from shared.domain.prepared import prepared
from shared.domain.resource_id import MachineId
from shared.domain.update import Update
from shared.store.table import LARGEST_BATCH, Change, Delete, Merge, Row, Table


class Updates:
    """What each machine misses, as its last assessment found it."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def of(self, address: MachineId) -> list[Update]:
        rows = self._table.scan(address.key)
        return [msgspec.json.decode(str(row.values["update"]), type=prepared(Update)) for row in rows]

    def replace(self, address: MachineId, updates: tuple[Update, ...]) -> None:
        """Make the rows say exactly these. Safe to repeat: a crash in between is mended by doing it again."""
        new = {update.key: msgspec.json.encode(update).decode() for update in updates}
        old = {row.key: row for row in self._table.scan(address.key)}
        changes: list[Change] = [Delete(row) for key, row in old.items() if key not in new]
        for key, text in new.items():
            if key not in old or old[key].values["update"] != text:
                changes.append(Merge(Row(partition=address.key, key=key, values={"update": text})))
        for start in range(0, len(changes), LARGEST_BATCH):
            self._table.transact(changes[start : start + LARGEST_BATCH])
