"""Table `machines`: partition = resource group, one row a machine, carrying what an overview shows.

Inventory, assessments and installations each set their own properties by merge, so no writer undoes another's.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from shared.domain.identity import own_results
from shared.domain.machine import Assessment, Identity, Installation, Machine, Record, Refusal, Watch
from shared.domain.prepared import prepared
from shared.domain.resource_id import MachineId
from shared.store.table import LARGEST_BATCH, LARGEST_TRANSACTION, Merge, Row, Table, Value

NOTHING = ""
# Bytes of a row in a transaction beside its values (ours): two keys of at most 1 KiB, the URL and headers of its part.
_AROUND = 4 * 1024

_Values = dict[str, Value]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A machine as its row was read: the row's key, and the ETag that each change of it replaces."""

    row: str
    etag: str
    record: Record


class Machines:
    """What is remembered of every machine."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, address: MachineId) -> Record | None:
        row = self._table.get(address.scope, address.row)
        return _record(row) if row and "machine" in row.values else None

    def in_scope(self, scope: str) -> Iterator[Record]:
        """All machines of one resource group (`sub|rg`), deleted ones too."""
        return (_record(row) for row in self._table.scan(scope) if "machine" in row.values)

    def these(self, addresses: Iterable[MachineId]) -> dict[str, Record]:
        """Those of these machines that are there, by the key of their address; a read for each resource group."""
        scopes: dict[str, list[str]] = defaultdict(list)
        for address in addresses:
            scopes[address.scope].append(address.row)
        found = (row for scope, rows in scopes.items() for row in self._table.scan(scope, min(rows), f"{max(rows)}~"))
        records = (_record(row) for row in found if "machine" in row.values and row.key in scopes[row.partition])
        return {record.machine.address.key: record for record in records}

    def from_row(self, scope: str, first: str) -> Iterator[Seen]:
        """All machines of one resource group, deleted ones too, from row key `first` on."""
        rows = (row for row in self._table.scan(scope, first) if "machine" in row.values)
        return (Seen(row=row.key, etag=row.etag, record=_record(row)) for row in rows)

    def save(self, scope: str, machines: Sequence[Machine]) -> None:
        """What a sweep saw in one resource group. It brings no machine back that is gone, and changes no vmId."""
        self._merge(scope, [(machine.address, {"machine": _text(machine)}) for machine in machines])

    def settle(self, scope: str, records: Sequence[Record]) -> None:
        """What a listing settled in one resource group: what each machine is, whether it is gone, its identity."""
        self._merge(scope, [(record.machine.address, _settled(record)) for record in records])

    def mark_planned(self, scope: str, planned: Sequence[tuple[Machine, datetime]]) -> None:
        """Each machine with the slot of its next assessment."""
        self._merge(scope, [(machine.address, {"planned": slot.isoformat()}) for machine, slot in planned])

    def set_watches(self, scope: str, watched: Sequence[tuple[Machine, Watch]]) -> None:
        """What the planner remembers of machines that Azure assesses by itself."""
        self._merge(scope, [(machine.address, {"watch": _text(watch)}) for machine, watch in watched])

    def set_published(self, scope: str, found: Sequence[tuple[MachineId, Assessment]]) -> None:
        """Assessments as Resource Graph shows them; one of Azure's own ends the watch."""
        self._merge(scope, [(address, _published(assessment)) for address, assessment in found])

    def set_assessment(self, address: MachineId, assessment: Assessment) -> None:
        self._set(address, {"assessment": _text(assessment), "refusal": NOTHING, "planned": NOTHING})

    def set_refusal(self, address: MachineId, refusal: Refusal) -> None:
        self._set(address, {"refusal": _text(refusal), "planned": NOTHING})

    def set_refusals(self, scope: str, machines: Sequence[Machine], refusal: Refusal) -> None:
        """The same of these machines of one resource group."""
        self._merge(scope, [(machine.address, {"refusal": _text(refusal), "planned": NOTHING}) for machine in machines])

    def set_installation(self, address: MachineId, installation: Installation) -> None:
        self._set(address, {"installation": _text(installation)})

    def _set(self, address: MachineId, values: dict[str, Value]) -> None:
        self._table.write(Merge(Row(partition=address.scope, key=address.row, values=values)))

    def _merge(self, scope: str, rows: list[tuple[MachineId, dict[str, Value]]]) -> None:
        last = list({address.row: values for address, values in rows}.items())  # a listing may name a machine twice
        for part in _transactions(last):
            self._table.transact([Merge(Row(partition=scope, key=key, values=values)) for key, values in part])


def _transactions(rows: Sequence[tuple[str, _Values]]) -> Iterator[list[tuple[str, _Values]]]:
    """As many rows at a time as one takes, by number and by bytes."""
    part: list[tuple[str, _Values]] = []
    room = LARGEST_TRANSACTION
    for key, values in rows:
        size = _bytes(values)
        if part and (len(part) == LARGEST_BATCH or size > room):
            yield part
            part, room = [], LARGEST_TRANSACTION
        part.append((key, values))
        room -= size
    if part:
        yield part


def _bytes(values: _Values) -> int:
    """At least what storage counts, in UTF-16, and what the SDK sends, in JSON of ASCII alone."""
    return 2 * len(json.dumps(values)) + _AROUND


def _published(assessment: Assessment) -> dict[str, Value]:
    own = {"watch": NOTHING} if assessment.started_by == "Platform" else {}
    return {"assessment": _text(assessment), "refusal": NOTHING, "planned": NOTHING, **own}


def _text(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()


def _settled(record: Record) -> dict[str, Value]:
    deleted = record.deleted.isoformat() if record.deleted else NOTHING
    # Apart from the rest of the machine: a sweep that read the row before must not put the old one back.
    who: dict[str, Value] = {"vmId": record.machine.vm_id, "identity": _text(record.identity)}
    return {"machine": _text(record.machine), "deleted": deleted, **who}


def _record(row: Row) -> Record:
    return own_results(_whole(row))


def _whole(row: Row) -> Record:
    return Record(
        machine=_machine(row),
        assessment=_part(row, "assessment", Assessment),
        installation=_part(row, "installation", Installation),
        refusal=_part(row, "refusal", Refusal),
        planned=_time(row, "planned"),
        watch=_part(row, "watch", Watch),
        deleted=_time(row, "deleted"),
        identity=_part(row, "identity", Identity) or Identity(),
    )


def _machine(row: Row) -> Machine:
    """With the vmId that a listing settled; until one has, the sweep's."""
    machine = msgspec.json.decode(str(row.values["machine"]), type=prepared(Machine))
    settled = str(row.values.get("vmId", machine.vm_id))
    return machine if settled == machine.vm_id else replace(machine, vm_id=settled)


_Part = TypeVar("_Part")


def _part(row: Row, name: str, kind: type[_Part]) -> _Part | None:
    text = row.values.get(name)
    return msgspec.json.decode(str(text), type=prepared(kind)) if text else None


def _time(row: Row, name: str) -> datetime | None:
    text = row.values.get(name)
    return datetime.fromisoformat(str(text)) if text else None
