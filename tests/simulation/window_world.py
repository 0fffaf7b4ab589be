"""A day with a maintenance window: one configuration, edited, cancelled, and opened while everything goes wrong."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial

from msgspec.structs import replace

from infra.local.sandbox.http import Request
from infra.local.sandbox.places import estate
from shared.cloud.owner import TAG
from shared.domain.assignment import Assignment, on_machine, on_scope
from shared.domain.dynamic_scope import Filter
from shared.domain.errors import RequestError
from shared.domain.maintenance_id import ConfigurationId
from shared.domain.opening import run_id
from shared.domain.resource_id import VM_TYPE, parse_machine_id
from tests.domain.maintenance import ADDRESS
from tests.simulation.app import Instance
from tests.simulation.clients import WAITS, Clients
from tests.simulation.cloud import ORIGIN, TOPIC
from tests.simulation.handlers import Handlers
from tests.simulation.nights import FLEETS, NIGHTS
from tests.simulation.steps import Invocation
from tests.simulation.template import Template, make_template, number_of
from tests.simulation.versions import Version
from tests.simulation.window_changes import Change
from tests.simulation.window_plan import OPENING, Edit, draw_window, for_windows
from tests.simulation.window_watch import WindowWatch
from tests.simulation.window_wire import WindowWire
from tests.simulation.world import Parts, World

CONFIGURATION: ConfigurationId = ADDRESS
RELEASES = 4
NOW_TRIES, NOW_AGAIN = 6, 70.0
"""How often a client whose run-now is refused asks again, and after how many seconds."""
TAKEN_AT = 30.0
"""Long enough before the opening for the marker to be asked about once more."""
FREEZE_EARLIEST = timedelta(seconds=70)
"""A minute before the start (design, "frozen copy"), and two clocks that may be wrong."""
LATEST = timedelta(minutes=10)
"""After the start: no window may be taken up later (design, "agenda")."""
_TIMERS = (("agenda_timer", 0.0, 60.0), ("opening_timer", 45.0, 300.0))
_PLANNED = (OPENING - 20, OPENING + 30)


class WindowWorld(World):
    """`versions` are those that clients write, by number."""

    watch: WindowWatch
    wire: WindowWire
    _topic = ""

    def __init__(self, seed: int, template: Template, parts: Parts = Parts()) -> None:  # noqa: B008 - immutable
        super().__init__(seed, template, parts)
        own = random.Random(f"windows {seed}")
        self.night = NIGHTS[number_of(seed)]
        self.window = draw_window(own, self.night, self.fleet)
        self.plan = for_windows(self.plan, own)
        written = [edit.version for edit in self.window.edits if edit.version]
        self.versions: dict[int, Version] = {version.number: version for version in written}
        self.wire.troubles = self.window.troubles
        self.clients = Clients(self.host, self.scheduler, lambda: self.random.choice(WAITS), self.clock)
        self._deliver_again = self.scheduler.on_meeting
        self.scheduler.on_meeting = self._meet
        self.watch.on_first = lambda: self.scheduler.at(self.clock.seconds, self._assign)
        self.watch.began = self._began
        self.joined: dict[str, datetime] = {}
        """Machines that an assignment takes later than all others, and since when."""
        self.left: dict[str, datetime] = {}
        """Machines that lose theirs, and since when."""
        self._listen(
            Handlers(random.Random(f"handlers {seed}"), self.window.events, CONFIGURATION, self.clock, self.clients)
        )

    def run(self) -> None:
        window, at = self.window, self.scheduler.at
        self._schedule_of_azures(window.native)
        for second, act in self._befalls():
            at(second, act)
        if window.fault:
            self.wire.on_first = lambda machine: at(self.clock.seconds + 2.5, lambda: self._fault(machine))
        super().run()

    def _befalls(self) -> Iterator[tuple[float, Callable[[], None]]]:
        """What clients, operators and others do, and when."""
        window = self.window
        yield from ((edit.at, partial(self._edit, edit)) for edit in window.edits)
        yield from ((second, partial(self._cancel, self.night.opens[0])) for second in window.cancels)
        yield from ((second, self._close) for second in window.closes)
        yield from ((second, partial(self._release, RELEASES)) for second in window.releases)
        yield from ((change.at, partial(self._change, change)) for change in window.changes)
        yield from ((second, partial(self._join, machine)) for second, machine in window.events.joins)
        yield from ((second, partial(self._leave, machine)) for second, machine in window.events.leaves)
        yield from ((second, partial(self._ask_now, request, NOW_TRIES)) for second, request in window.events.now)
        if window.taken:
            yield TAKEN_AT, partial(self._take, window.taken)

    def open_ends(self) -> Iterator[str]:
        if self._is_asked_later():
            yield "an edit or a run-now is to come"
        yield from (f"in flight: {row.partition}" for row in self.tables.rows("operations", "inflight"))
        yield from (f"agenda: {row.key}" for row in self.tables.rows("agenda"))
        known = {*self.watch.runs, *(run_id(CONFIGURATION, start) for start in self.certain())}
        yield from (f"open run: {run}" for run in sorted(known) if not self._is_closed(run))

    def _is_asked_later(self) -> bool:
        seconds = (*(edit.at for edit in self.window.edits), *(at for at, _ in self.window.events.now))
        return self.clock.seconds < max(seconds) + 1

    def _stand(self) -> tuple[int, ...]:
        return (*super()._stand(), self._is_asked_later())

    def starts(self) -> dict[str, datetime]:
        """Every window that any version has: its run, and when it opens by hand."""
        found = {start for version in self.versions.values() for start in version.opens}
        return {run_id(CONFIGURATION, start): start for start in sorted(found)} | self.asked_now()

    def asked_now(self) -> dict[str, datetime]:
        """The runs that clients asked for, and their starts."""
        requests = {request for _, request in self.window.events.now}
        return {id_: run.start for id_, (_, run) in self.watch.runs.items() if run.requested_by in requests}

    def certain(self) -> Iterator[datetime]:
        """Windows that must have a run: every version has them that stood when they may have been frozen."""
        for start in self.starts().values():
            stood = self.watch.version(start - FREEZE_EARLIEST, start + LATEST)
            if all(number and start in self.versions[number].windows for number in stood):
                yield start

    def candidates(self, run: str, start: datetime) -> list[Version]:
        """The versions that a run may have been frozen from."""
        frozen = self.watch.frozen[run]
        stood = self.watch.version(min(start - FREEZE_EARLIEST, frozen, self.watch.read_from[run]), frozen)
        return [self.versions[number] for number in sorted(stood) if number]

    def _instance(self, name: str) -> Instance:
        instance = super()._instance(name)
        instance.azure.topic = self._topic
        return instance

    def _listen(self, handlers: Handlers) -> None:
        """Handlers hear of a run by its pre-event; where there is no topic, somehow else."""
        handlers.at = self.scheduler.at
        if self.window.events.topic:
            self.wire.on_published = handlers.hear
            self.wire.is_down = lambda: self.clock.seconds < self.window.events.down
            self._topic = TOPIC
            for each in self.instances.values():
                each.azure.topic = TOPIC
        elif self.window.events.handlers:
            self.watch.on_frozen = lambda run: self.scheduler.at(self.clock.seconds, lambda: self._tell(handlers, run))

    def _tell(self, handlers: Handlers, run: str) -> None:
        _, begun = self.watch.runs[run]
        handlers.told(run, begun.start, begun.end)

    def _began(self) -> datetime:
        current = self.hub.current
        return self.clock.start + timedelta(seconds=current.began) if current else self.clock()

    def _watch(self) -> WindowWatch:
        return WindowWatch(self.clock)

    def _wire(self) -> WindowWire:
        return WindowWire(self.hub, self.sandbox, self.clock)

    def _start_timers(self) -> None:
        looks = [each.at + self.random.uniform(0.5, 40) for each in self.window.changes[:1]]  # seen, or not yet
        self.host.start_timers(_TIMERS, looks, _PLANNED if self.window.planned else ())

    def _assign(self) -> None:
        """As soon as there is a configuration its assignments are there: how they are written is told elsewhere."""
        for each in self._assignments():
            self.store.assignments.save(each)

    def _join(self, machine: str) -> None:
        """Nothing, where there is no configuration."""
        if self.watch.written and self.watch.written[-1][1]:
            address = on_machine(parse_machine_id(machine), "joined")
            self.store.assignments.save(Assignment(id=address, configuration=CONFIGURATION))
            self.joined[machine] = self.clock()

    def _leave(self, machine: str) -> None:
        """Nothing, where it has no assignment yet, or none any more."""
        for stored in self.store.assignments.on_machine(parse_machine_id(machine)):
            self.store.assignments.delete(stored)
            self.left[machine] = self.clock()

    def _assignments(self) -> Iterator[Assignment]:
        window = self.window
        if window.scope in ("static", "healthy"):
            for machine in sorted(window.machines):
                yield Assignment(id=on_machine(parse_machine_id(machine), "own"), configuration=CONFIGURATION)
            return
        chosen = {"windows": Filter(os_types=("Windows",)), "vms": Filter(resource_types=(VM_TYPE,)),
                  "location": Filter(locations=(window.location,))}  # fmt: skip
        for subscription in sorted({each.subscription for each in self.fleet}):
            taken = chosen.get(window.scope, Filter())
            yield Assignment(id=on_scope(subscription, "", "all"), configuration=CONFIGURATION, filter=taken)

    def _edit(self, edit: Edit) -> None:
        if edit.version is None:
            self.clients.ask("configuration_delete", lambda each: each.configuration_delete(CONFIGURATION))
        else:
            body = edit.version.body()
            self.clients.ask("configuration_put", lambda each: each.configuration_put(CONFIGURATION, body))

    def _meet(self, invocation: Invocation) -> None:
        self._deliver_again(invocation)
        if self.window.meets and invocation.function == "run_advance":
            self._cancel(self.night.opens[0])

    def _cancel(self, start: datetime) -> None:
        act = lambda each: each.run_cancel(CONFIGURATION, start)  # noqa: E731
        self.clients.ask("run_cancel", act, about=start.isoformat())

    def _ask_now(self, request: str, left: int) -> None:
        """And again later, while another run is open."""

        def refused(why: RequestError) -> None:
            if left and why.code == "RunInFlight":
                self.scheduler.at(self.clock.seconds + NOW_AGAIN, lambda: self._ask_now(request, left - 1))

        act = lambda each: each.run_now(CONFIGURATION, request)  # noqa: E731
        self.clients.ask("run_now", act, about=request, on_refusal=refused)

    def _close(self) -> None:
        self.clients.ask("run_close", lambda each: each.run_close(run_id(CONFIGURATION, self.night.opens[0])))

    def _release(self, left: int) -> None:
        """An operator releases what does not get on, and tries again when it is refused."""
        run = run_id(CONFIGURATION, self.night.opens[0])
        for machine in self.window.troubles:
            self.clients.ask("operation_release", lambda each, of=machine: each.operation_release(of, run), 0)  # type: ignore[misc]
        if left:
            self.scheduler.at(self.clock.seconds + 15, lambda: self._release(left - 1))

    def _change(self, change: Change) -> None:
        body: dict[str, object] = {"verb": change.verb, "machine": change.machine.id}
        if change.verb == "move":
            body["group"] = self._another_group(change.machine.id)
        self._ask_sandbox("POST", "/sandbox/machines", body)

    def _fault(self, machine: str) -> None:
        lag = {"kind": "graphLag", "seconds": 1500, "times": 0}
        lost = {"kind": "forbidden", "subscription": machine.split("/")[2]}
        self._ask_sandbox("POST", "/sandbox/faults", lost if self.window.fault == "forbidden" else lag)

    def _take(self, subscription: str) -> None:
        """Another deployment of the app marks it."""
        tags = {"operation": "Merge", "properties": {"tags": {TAG: "another"}}}
        path = f"/subscriptions/{subscription}/providers/Microsoft.Resources/tags/default?api-version=2021-04-01"
        self._ask_sandbox("PATCH", path, tags, {"Authorization": f"Bearer {self._token}"})

    def _another_group(self, machine: str) -> str:
        config = self.sandbox.config
        places = estate(config.seed, crowded=config.crowded).places
        ids = [place.group_id for place in places]
        return next(each for each in ids if not machine.lower().startswith(f"{each.lower()}/"))

    def _schedule_of_azures(self, machine: str) -> None:
        """Azure patches this machine by a configuration of its own."""
        if not machine:
            return
        group = "/".join(machine.split("/")[:5])
        kind = "/providers/Microsoft.Maintenance"
        configuration = f"{group}{kind}/maintenanceConfigurations/native"
        self._ask_azure(configuration, {"location": "westeurope", "properties": {"maintenanceScope": "InGuestPatch"}})
        bound = {"properties": {"maintenanceConfigurationId": configuration}}
        self._ask_azure(f"{machine}{kind}/configurationAssignments/native", bound)

    def _ask_azure(self, path: str, body: Mapping[str, object]) -> None:
        self._ask_sandbox("PUT", f"{path}?api-version=2023-04-01", body, {"Authorization": f"Bearer {self._token}"})

    def _ask_sandbox(
        self, method: str, path: str, body: Mapping[str, object], headers: dict[str, str] | None = None
    ) -> None:
        asked = Request(method=method, url=f"{ORIGIN}{path}", headers=headers or {}, body=json.dumps(body).encode())
        answer = self.sandbox.handle(asked)
        if answer.status >= 400 and answer.status != 404:
            raise AssertionError(f"{method} {path}: {answer.status} {answer.body.decode()}")


def make_window_template(number: int) -> Template:
    """With the night of that number, and machines that an inventory has seen."""
    template = make_template(number, NIGHTS[number].clock, FLEETS[number])
    world = World(0, template)
    instance = world.instances["one"]
    instance.inventory_timer()
    while ready := world.queues.surface():
        stored = ready[0]
        world.queues.delete(stored)
        instance.receive(stored.queue, stored.text)
    return replace(template, tables=world.tables)
