"""Table `operations`: partition = machine; row `inflight` while one runs, rows `attempt|{id}` for all there ever were.

Both uniqueness rules live in storage: one transaction inserts both rows, so at most one operation of ours is in
flight on a machine, and an attempt (for an installation: a run) exists at most once.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from shared.domain.operation import Operation, State
from shared.domain.prepared import prepared
from shared.domain.resource_id import MachineId, encode_key, parse_machine_id
from shared.store.table import READS_AT_ONCE, Conflict, Delete, Insert, Merge, Replace, Row, Table

_IN_FLIGHT = "inflight"
# From so many machines on several attempts are read at the same time (ours): fewer are read before threads have begun.
MANY = 33


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An operation in flight, and the ETag its row was read with."""

    operation: Operation
    etag: str


class Operations:
    """Every attempt on every machine."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def claim(self, operation: Operation) -> Held | None:
        """Take the machine for this attempt; None when it is taken or the attempt exists already."""
        partition = parse_machine_id(operation.machine).key
        rows = [_row(partition, _IN_FLIGHT, operation), _row(partition, _attempt(operation.attempt), operation)]
        try:
            etag, _ = self._table.transact([Insert(row) for row in rows])
        except Conflict:
            return None
        return Held(operation=operation, etag=etag)

    def refuse(self, ended: Operation) -> bool:
        """Record an attempt that ends before it holds the machine, so that it never can; False when it exists."""
        partition = parse_machine_id(ended.machine).key
        try:
            self._table.write(Insert(_row(partition, _attempt(ended.attempt), ended)))
        except Conflict:
            return False
        return True

    def in_flight(self, address: MachineId) -> Held | None:
        row = self._table.get(address.key, _IN_FLIGHT)
        return Held(operation=_operation(row), etag=row.etag) if row else None

    def attempt(self, address: MachineId, attempt: str) -> Operation | None:
        """How this attempt stands: the row in flight while it runs, its own row once it has ended.

        Its own row is there from the claim on and tells at once of an end; most who ask come after it.
        """
        own = self._own(address, attempt)
        if own is None or own.state is State.ENDED:
            return own
        held = self.in_flight(address)
        if held and held.operation.attempt == attempt:
            return held.operation
        return self._own(address, attempt)  # it ended between the two reads

    def attempts(self, addresses: Sequence[MachineId], attempt: str) -> list[Operation | None]:
        """The same of several machines; of many, several are read at once."""
        if len(addresses) < MANY:
            return [self.attempt(address, attempt) for address in addresses]
        with ThreadPoolExecutor(READS_AT_ONCE, "attempts") as readers:
            return list(readers.map(lambda address: self.attempt(address, attempt), addresses))

    def _own(self, address: MachineId, attempt: str) -> Operation | None:
        row = self._table.get(address.key, _attempt(attempt))
        return _operation(row) if row else None

    def ended(self, address: MachineId, attempt: str) -> Held | None:
        """An attempt that has ended, to be added to; None while it runs or when there is none."""
        row = self._table.get(address.key, _attempt(attempt))
        operation = _operation(row) if row else None
        if row is None or operation is None or operation.state is not State.ENDED:
            return None
        return Held(operation=operation, etag=row.etag)

    def add(self, ended: Held, operation: Operation) -> None:
        """Record more about an attempt that has ended. Raises Conflict when somebody else did meanwhile."""
        row = _row(parse_machine_id(operation.machine).key, _attempt(operation.attempt), operation)
        self._table.write(Replace(msgspec.structs.replace(row, etag=ended.etag)))

    def save(self, held: Held, operation: Operation) -> Held:
        """Record the next state. Raises Conflict when somebody else moved it on in the meantime."""
        partition = parse_machine_id(operation.machine).key
        if operation.state is not State.ENDED:
            row = msgspec.structs.replace(_row(partition, _IN_FLIGHT, operation), etag=held.etag)
            return Held(operation=operation, etag=self._table.write(Replace(row)))
        gone = Row(partition=partition, key=_IN_FLIGHT, values={}, etag=held.etag)
        kept = _row(partition, _attempt(operation.attempt), operation)
        self._table.transact([Delete(gone), Merge(kept)])
        return Held(operation=operation, etag="")


def _attempt(attempt: str) -> str:
    return f"attempt|{encode_key(attempt)}"


def _row(partition: str, key: str, operation: Operation) -> Row:
    text = msgspec.json.encode(operation).decode()
    return Row(partition=partition, key=key, values={"operation": text, "state": operation.state.value})


def _operation(row: Row) -> Operation:
    return msgspec.json.decode(str(row.values["operation"]), type=prepared(Operation))
