"""The app with one guard of a maintenance window taken out: what the simulation must not let pass."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from shared.domain.owner import Mark
from shared.domain.run import Run, RunMachine
from shared.store.agenda import Agenda
from shared.store.fleet import Fleet
from shared.store.runs import Loaded, Runs, _machine_row, _run_row
from shared.store.store import Store
from shared.store.table import Merge, Table
from tests.simulation.cloud import DEPLOYMENT, LightAzure
from tests.simulation.mutants import NoClaimTransaction, with_stores
from tests.simulation.tables import TwinTable
from tests.simulation.world import Parts

if TYPE_CHECKING:
    from azure.core.rest import HttpRequest, HttpResponse

    from shared.cloud.azure import Departure
    from shared.domain.configuration import Configuration
    from shared.store.configurations import Configurations


class NoETagOnTheRun(Runs):
    """The last step wins: a cancel may be overwritten, and two steps grant twice."""

    def save(self, loaded: Loaded, run: Run, machines: Sequence[RunMachine]) -> None:
        rows = [_run_row(run), *(_machine_row(run.id, machine) for machine in machines)]
        self._table.transact([Merge(row) for row in rows])


class NoAgenda(Agenda):
    """What no message moves on is forgotten."""

    def add(self, item: object, due: object) -> None:
        return None


class Unguarded(LightAzure):
    """No look at the clock before a request leaves."""

    def send(self, request: "HttpRequest", departure: "Departure | None" = None) -> "HttpResponse":
        return super().send(request, None)


class Blind(Runs):
    """Does not see something of a run, or of its machines."""

    see: Callable[[Run], Run] = staticmethod(lambda run: run)
    part: Callable[[RunMachine], RunMachine] = staticmethod(lambda machine: machine)

    def load(self, run_id: str) -> Loaded | None:
        loaded = super().load(run_id)
        return loaded and replace(loaded, run=self.see(loaded.run), machines=tuple(map(self.part, loaded.machines)))


def blind(see: Callable[[Run], Run], part: Callable[[RunMachine], RunMachine] = lambda machine: machine) -> Parts:
    """A store whose runs are read so."""
    kind = type("BlindRuns", (Blind,), {"see": staticmethod(see), "part": staticmethod(part)})
    return with_stores(runs=kind)


class NotFrozen(Runs):
    """A run follows its configuration as it is edited."""

    def __init__(self, table: Table, configurations: "Configurations") -> None:
        super().__init__(table)
        self._configurations = configurations

    def frozen(self, run_id: str) -> "Configuration | None":
        copy = super().frozen(run_id)
        current = self._configurations.get(copy.id) if copy else None
        return current.configuration if current else copy


class AlwaysOurs(Fleet):
    """Whatever another deployment's marker says."""

    def mark(self, subscription: str) -> Mark | None:
        mark = super().mark(subscription)
        return replace(mark, owner=DEPLOYMENT, reason=None) if mark and mark.is_elsewhere else mark


def _follow(store: Store, table: Callable[[str], TwinTable]) -> Store:
    return replace(store, runs=NotFrozen(table("run"), store.configurations))


def _planned(**changes: Any) -> Callable[[Run], Run]:  # noqa: ANN401 - fields of Plan
    return lambda run: replace(run, plan=replace(run.plan, **changes)) if run.plan else run


def _late(run: Run) -> Run:
    return (
        replace(run, plan=replace(run.plan, begin_by=datetime.max.replace(tzinfo=run.end.tzinfo))) if run.plan else run
    )


MUTANTS: dict[str, Parts] = {
    "no claim transaction": with_stores(operations=NoClaimTransaction),
    "no permit check on cancel": blind(lambda run: replace(run, cancelled=None, cancelled_because=None)),
    "no clock guard": Parts(light=Unguarded),
    "no cut-off": blind(lambda run: replace(run, cut_off=run.end), lambda each: replace(each, cut_off=None)),
    "no budget in the permit": blind(_planned(failures=None)),
    "no ETag on the run's row": with_stores(runs=NoETagOnTheRun),
    "no agenda": with_stores(agenda=NoAgenda),
    "no frozen copy": Parts(store=_follow),
    "no tolerance": blind(_late),
    "no waves": blind(_planned(waves=()), lambda each: replace(each, wave=0)),
    "no pace": blind(_planned(concurrency=None)),
    "no availability sets": blind(lambda run: run, lambda each: replace(each, group="")),
    "no owner marker": with_stores(fleet=AlwaysOurs),
}
