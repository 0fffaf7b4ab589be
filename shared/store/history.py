"""Table `history`: how every installation (partition = machine, with its updates) and every assessment (partition =
resource group and month) ended, newest first."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from shared.domain.machine import Assessment, Installation
from shared.domain.prepared import prepared
from shared.domain.resource_id import MachineId, encode_key
from shared.domain.update import Update
from shared.store.table import LARGEST_BATCH, Merge, Row, Table, Value

_LAST_SECOND = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
_INSTALLATIONS, _AFTER_INSTALLATIONS = "installation|", "installation}"


class History:
    """What happened on every machine."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add_assessments(self, found: Sequence[tuple[MachineId, Assessment]]) -> None:
        """A hundred of one resource group and month are one transaction. Safe to repeat."""
        partitions: dict[str, dict[str, Row]] = defaultdict(dict)
        for address, assessment in found:
            row = _assessment_row(address, assessment)
            partitions[row.partition][row.key] = row
        for rows in partitions.values():
            changes = [Merge(row) for row in rows.values()]
            if len(changes) == 1:
                self._table.write(changes[0])
                continue
            for start in range(0, len(changes), LARGEST_BATCH):
                self._table.transact(changes[start : start + LARGEST_BATCH])

    def add_installation(self, address: MachineId, installation: Installation, updates: tuple[Update, ...]) -> None:
        """The updates first, then the line that makes them visible. Safe to repeat."""
        rows = list({update.key: _update_row(address, installation.id, update) for update in updates}.values())
        for start in range(0, len(rows), LARGEST_BATCH):
            self._table.transact([Merge(row) for row in rows[start : start + LARGEST_BATCH]])
        key = f"{_INSTALLATIONS}{_inverted(installation.started)}|{encode_key(installation.id)}"
        text = msgspec.json.encode(installation).decode()
        self._table.write(Merge(Row(partition=address.key, key=key, values={"installation": text})))

    def installations(self, address: MachineId) -> list[Installation]:
        """Newest first."""
        rows = self._table.scan(address.key, _INSTALLATIONS, _AFTER_INSTALLATIONS)
        return [msgspec.json.decode(str(row.values["installation"]), type=prepared(Installation)) for row in rows]

    def updates_of(self, address: MachineId, installation: str) -> list[Update]:
        prefix = f"update|{encode_key(installation)}"
        rows = self._table.scan(address.key, f"{prefix}|", f"{prefix}}}")
        return [msgspec.json.decode(str(row.values["update"]), type=prepared(Update)) for row in rows]


def _assessment_row(address: MachineId, assessment: Assessment) -> Row:
    key = f"assessment|{address.row}|{_inverted(assessment.started)}|{encode_key(assessment.id)}"
    month = assessment.started.astimezone(UTC).strftime("%Y-%m")
    values: dict[str, Value] = {"assessment": msgspec.json.encode(assessment).decode()}
    return Row(partition=f"{address.scope}|{month}", key=key, values=values)


def _update_row(address: MachineId, installation: str, update: Update) -> Row:
    key = f"update|{encode_key(installation)}|{update.key}"
    return Row(partition=address.key, key=key, values={"update": msgspec.json.encode(update).decode()})


def _inverted(time: datetime) -> str:
    """Smaller for later times, fixed width, so that key order is newest first."""
    return f"{int(_LAST_SECOND - time.timestamp()):012d}"
