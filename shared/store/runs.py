"""Table `run`: partition = run, row `run` and one row a machine, so that one step is one transaction.

A run of a configuration has the row `configuration` beside them: the configuration as it was frozen.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from shared.domain.prepared import prepared
from shared.domain.resource_id import encode_key, parse_machine_id
from shared.domain.run import Run, RunMachine
from shared.store.table import Conflict, Insert, Merge, Replace, Row, Table

if TYPE_CHECKING:
    from shared.domain.configuration import Configuration

_RUN = "run"
_CONFIGURATION = "configuration"
_MACHINES = "m|"
_AFTER_MACHINES = "m}"  # the character after "|"
_FAILED, _GOOD = "failed", "good"
_OVER = "over"  # beside what the run's steps write of a machine: none of them takes it away


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A run as read: its rows and the ETag that guards the next step.

    `marked`: machines of whose end `mark_over` was told, and whether it was a failure; no step may have seen it yet.
    """

    run: Run
    machines: tuple[RunMachine, ...]
    etag: str
    marked: dict[str, bool] = {}


class Runs:
    """Every run and what became of its machines."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def create(self, run: Run, machines: Sequence[RunMachine]) -> bool:
        """False when a run with this id exists."""
        rows = [_run_row(run), *(_machine_row(run.id, machine) for machine in machines)]
        try:
            self._table.transact([Insert(row) for row in rows])
        except Conflict:
            return False
        return True

    def freeze(self, run: Run, configuration: "Configuration") -> bool:
        """Begin the run of a configuration, which from now on is as it is here; False when it was begun before."""
        text = msgspec.json.encode(configuration).decode()
        frozen = Row(partition=encode_key(run.id), key=_CONFIGURATION, values={"configuration": text})
        try:
            self._table.transact([Insert(_run_row(run)), Insert(frozen)])
        except Conflict:
            return False
        return True

    def frozen(self, run_id: str) -> "Configuration | None":
        """The configuration of a run, as it was when the run began."""
        from shared.domain.configuration import Configuration

        row = self._table.get(encode_key(run_id), _CONFIGURATION)
        return msgspec.json.decode(str(row.values["configuration"]), type=prepared(Configuration)) if row else None

    def run(self, run_id: str) -> Run | None:
        """The run without its machines."""
        row = self._table.get(encode_key(run_id), _RUN)
        return msgspec.json.decode(str(row.values["run"]), type=prepared(Run)) if row else None

    def load(self, run_id: str) -> Loaded | None:
        row = self._table.get(encode_key(run_id), _RUN)
        if row is None:
            return None
        found = [(_machine(each), each) for each in self._table.scan(row.partition, _MACHINES, _AFTER_MACHINES)]
        parts = [(machine, its) for machine, its in found if machine]
        marked = {part.machine: its.values[_OVER] == _FAILED for part, its in parts if _OVER in its.values}
        run = msgspec.json.decode(str(row.values["run"]), type=prepared(Run))
        return Loaded(run=run, machines=tuple(part for part, _ in parts), etag=row.etag, marked=marked)

    def mark_over(self, run_id: str, machine: str, *, failed: bool) -> None:
        """On the machine's row, for whoever takes the run's next step: it has its result. Conflicts with no step."""
        row = Row(
            partition=encode_key(run_id),
            key=_MACHINES + parse_machine_id(machine).key,
            values={_OVER: _FAILED if failed else _GOOD},
        )
        self._table.write(Merge(row))

    def machine(self, run_id: str, machine: str) -> RunMachine | None:
        """One machine of a run."""
        row = self._table.get(encode_key(run_id), _MACHINES + parse_machine_id(machine).key)
        return _machine(row) if row else None

    def member(self, run_id: str, machine: str) -> tuple[Run, RunMachine] | None:
        """A run and one of its machines. The run is read last: a cancel after the machine's permit is seen."""
        part = self.machine(run_id, machine)
        run = self.run(run_id) if part else None
        return (run, part) if run and part else None

    def page(self, run_id: str, first: str, size: int) -> tuple[list[RunMachine], str]:
        """Up to `size` machines of a run, and the row to go on from, "" at the end."""
        rows = self._table.page(encode_key(run_id), max(first, _MACHINES), _AFTER_MACHINES, size + 1)
        machines = [machine for machine in map(_machine, rows[:size]) if machine]
        return machines, rows[size].key if len(rows) > size else ""

    def save(self, loaded: Loaded, run: Run, machines: Sequence[RunMachine]) -> None:
        """One step, all or nothing, guarded by the run row's ETag. Raises Conflict: read and decide again."""
        guard = msgspec.structs.replace(_run_row(run), etag=loaded.etag)
        self._table.transact([Replace(guard), *(Merge(_machine_row(run.id, machine)) for machine in machines)])


def _run_row(run: Run) -> Row:
    return Row(partition=encode_key(run.id), key=_RUN, values={"run": msgspec.json.encode(run).decode()})


def _machine(row: Row) -> RunMachine | None:
    """None of a row that is a mark alone: the run was lost, as where tables were restored to different instants."""
    text = row.values.get("machine")
    return msgspec.json.decode(str(text), type=prepared(RunMachine)) if text else None


def _machine_row(run_id: str, machine: RunMachine) -> Row:
    key = _MACHINES + parse_machine_id(machine.machine).key
    text = msgspec.json.encode(machine).decode()
    return Row(partition=encode_key(run_id), key=key, values={"machine": text})
