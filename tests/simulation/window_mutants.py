"""The app with one guard of a maintenance window taken out: what the simulation must not let pass."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import asdict, replace

from shared.cloud.azure import Azure
from shared.cloud.clock import Clock
from shared.domain.event import EventType
from shared.domain.maintenance_id import parse_configuration_id
from shared.domain.messages import OpenRun
from shared.domain.opening import run_id
from shared.domain.owner import Mark
from shared.domain.run import Run, RunMachine
from shared.domain.run_events import Events
from shared.store.agenda import Agenda
from shared.store.fleet import Fleet
from shared.store.runs import Loaded, Runs, _machine_row, _run_row
from shared.store.store import Store
from shared.store.table import Merge, Table
from shared.workflows.openings import open_run
from tests.simulation.app import Instance
from tests.simulation.cloud import DEPLOYMENT, LightAzure
from tests.simulation.mutants import NoClaimTransaction, with_stores
from tests.simulation.tables import TwinTable
from tests.simulation.world import Parts

if TYPE_CHECKING:
    from azure.core.messaging import CloudEvent
    from azure.core.rest import HttpRequest, HttpResponse
    from azure.eventgrid._legacy import EventGridPublisherClient

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

    def member(self, run_id: str, machine: str) -> tuple[Run, RunMachine] | None:
        found = super().member(run_id, machine)
        return found and (self.see(found[0]), self.part(found[1]))


def blind(see: Callable[[Run], Run], part: Callable[[RunMachine], RunMachine] = lambda machine: machine) -> Parts:
    """A store whose runs are read so."""
    return with_stores(runs=_blind_runs(see, part))


def _blind_runs(see: Callable[[Run], Run], part: Callable[[RunMachine], RunMachine] = lambda each: each) -> type[Blind]:
    return type("BlindRuns", (Blind,), {"see": staticmethod(see), "part": staticmethod(part)})


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


class Clear(Events, frozen=True, kw_only=True, omit_defaults=True):
    """Nothing is waited for."""

    @property
    def is_clear(self) -> bool:
        return True


class Hasty:
    """A topic in front of which it is written down that a pre-event is out."""

    def __init__(self, topic: Callable[[], "EventGridPublisherClient"], store: Store, clock: Clock) -> None:
        self._topic, self._store, self._clock = topic, store, clock

    def send(self, event: "CloudEvent[Any]") -> None:
        data = event.data or {}
        start = datetime.fromisoformat(data["startDateTime"])
        loaded = self._store.runs.load(run_id(parse_configuration_id(event.source, "source"), start))
        if loaded and event.type == EventType.PRE:
            events = replace(loaded.run.events, pre_sent=self._clock.now())
            self._store.runs.save(loaded, replace(loaded.run, events=events), ())
        self._topic().send(event)


class SentBeforeItIs(Instance):
    """Its row says that a pre-event is out before a topic has taken it."""

    def __init__(self, name: str, azure: Azure, store: Store, new_id: Callable[[], str]) -> None:
        super().__init__(name, azure, store, new_id)
        hasty: Any = Hasty(azure.events, store, azure.clock)
        azure.events = lambda: hasty  # type: ignore[assignment]  # as much of it as is used


class OfThenAndOfNow(Instance):
    """Chooses machines anew at the opening, whoever was told of others."""

    def _begin(self, queue: str, body: bytes) -> None:
        if queue != "openings":
            super()._begin(queue, body)
            return
        runs = _blind_runs(lambda run: replace(run, events=replace(run.events, listed=False)))
        store = replace(self.store, runs=runs(self.store.runs._table))
        open_run(self.azure, store, msgspec.json.decode(body, type=OpenRun))


def _clear(run: Run) -> Run:
    return replace(run, events=Clear(**asdict(run.events)))


def _all_good(run: Run) -> Run:
    reports = tuple(replace(each, succeeded=True) for each in run.events.reports)
    return replace(run, events=replace(run.events, reports=reports))


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
    "no gate for events": blind(_clear),
    "a pre-event is out before it is": Parts(app=SentBeforeItIs),
    "machines of the opening": Parts(app=OfThenAndOfNow),
    "a failed handler is no failure": blind(_all_good),
}
