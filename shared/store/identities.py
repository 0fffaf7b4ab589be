"""Table `identities`: partition = vmId, one row a resource id that has or had it; rows stay when machines go."""

from shared.domain.resource_id import MachineId, encode_key, parse_machine_id
from shared.store.table import Merge, Row, Table


class Identities:
    """Where each machine is and was."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, vm_id: str, address: MachineId) -> None:
        """A machine with this vmId was seen there. Safe to repeat."""
        row = Row(partition=encode_key(vm_id), key=address.key, values={"machine": str(address)})
        self._table.write(Merge(row))

    def of(self, vm_id: str) -> list[MachineId]:
        """Every address at which it was ever seen."""
        return [parse_machine_id(str(row.values["machine"])) for row in self._table.scan(encode_key(vm_id))]
