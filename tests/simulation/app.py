"""One instance of the app: what `functions/` does, from the trigger to the workflow, without the Functions host."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from shared.cloud.azure import Azure
from shared.domain.condition import Condition
from shared.domain.maintenance_id import ConfigurationId
from shared.domain.messages import (
    POISON_SUFFIX,
    AdvanceRun,
    CountFleet,
    FollowOperation,
    FollowPlanned,
    ListSubscription,
    OpenRun,
    SendEvents,
    StartAssessment,
    StartInstallation,
    StartPlanned,
    SweepMachines,
    SweepResults,
)
from shared.domain.opening import stamp
from shared.domain.operation import Operation
from shared.domain.poison import message_id
from shared.domain.resource_id import parse_machine_id
from shared.domain.run import Run
from shared.domain.run_events import Report
from shared.store.store import Store
from shared.workflows.agenda import tend_agenda
from shared.workflows.assessment import request_assessment, start_assessment
from shared.workflows.configurations import delete_configuration, put_configuration
from shared.workflows.events import plan_events, report_handler, send_events
from shared.workflows.index import count_fleet
from shared.workflows.installation import request_installation, start_installation
from shared.workflows.inventory import plan_inventory, sweep_inventory
from shared.workflows.listing import take_inventory
from shared.workflows.maintenance import cancel_run, run_now
from shared.workflows.openings import open_run, plan_openings
from shared.workflows.operations import follow
from shared.workflows.planned import follow_planned, start_planned
from shared.workflows.planner import plan_assessments
from shared.workflows.poison import park_message, replay_message
from shared.workflows.release import close_run, release_operation
from shared.workflows.results import plan_results, sweep_results
from shared.workflows.runs import advance_run

ASSESSMENT_AGE = timedelta(hours=24)
LONGEST_INSTALLATION = timedelta(hours=3, minutes=55)

FUNCTIONS = {
    "inventory": "inventory_subscription",
    "inventory-sweeps": "inventory_sweep",
    "assessments": "assessment_start",
    "planned-assessments": "assessments_start",
    "planned-results": "assessments_follow",
    "installations": "installation_start",
    "runs": "run_advance",
    "openings": "opening_start",
    "events": "event_send",
    "operations": "operation_follow",
    "results": "results_sweep",
    "fleet": "fleet_count",
}
"""The function that a queue triggers, by its name in the app."""

_T = TypeVar("_T")


class Instance:
    """Services as wiring builds them, and one method a trigger."""

    def __init__(self, name: str, azure: Azure, store: Store, new_id: Callable[[], str]) -> None:
        self.name = name
        self.azure = azure
        self.store = store
        self._new_id = new_id

    def inventory_timer(self) -> None:
        plan_inventory(self.azure, self.store, ())
        self.store.fleet.timer_ran("inventory_timer", self.azure.clock.now())

    def assessment_timer(self) -> None:
        plan_assessments(self.store, ASSESSMENT_AGE, self.azure.clock, self._new_id)
        self.store.fleet.timer_ran("assessment_timer", self.azure.clock.now())

    def results_timer(self) -> None:
        plan_results(self.store, self.azure.clock.now())
        self.store.fleet.timer_ran("results_timer", self.azure.clock.now())

    def agenda_timer(self) -> None:
        tend_agenda(self.store, self.azure.clock)
        self.store.fleet.timer_ran("agenda_timer", self.azure.clock.now())

    def opening_timer(self) -> None:
        plan_openings(self.store, self.azure.clock.now())
        plan_events(self.azure, self.store, self.azure.clock.now())
        self.store.fleet.timer_ran("opening_timer", self.azure.clock.now())

    def configuration_put(self, address: ConfigurationId, body: bytes) -> None:
        put_configuration(self.azure, self.store, address, body, Condition())

    def configuration_delete(self, address: ConfigurationId) -> None:
        delete_configuration(self.store, address, Condition())

    def run_cancel(self, configuration: ConfigurationId, start: datetime) -> None:
        cancel_run(self.store, configuration, stamp(start), "client", self.azure.clock.now())

    def run_now(self, configuration: ConfigurationId, request: str) -> Run:
        return run_now(self.store, configuration, request, request, self.azure.clock.now())

    def handler_report(self, run: str, handler: str, succeeded: bool) -> Run:
        now = self.azure.clock.now()
        said = Report(handler=handler, succeeded=succeeded, message="", at=now, who="client")
        return report_handler(self.store, run, said)

    def run_close(self, run: str) -> None:
        close_run(self.store, run, "operator", "it does not move", self.azure.clock.now())

    def operation_release(self, machine: str, attempt: str) -> None:
        release_operation(self.azure, self.store, parse_machine_id(machine), attempt, "operator", "it does not move")

    def assessment_request(self, machine: str, request_id: str) -> Operation:
        now = self.azure.clock.now()
        return request_assessment(self.store, parse_machine_id(machine), "client", request_id, now)

    def installation_request(self, machine: str, request_id: str, body: bytes) -> Operation:
        now = self.azure.clock.now()
        return request_installation(self.store, parse_machine_id(machine), body, "client", request_id, now)

    def poison_replay(self, queue: str, message: str) -> None:
        replay_message(self.store, queue, message, self.azure.clock.now())

    def receive(self, queue: str, text: str) -> None:
        """A message of this queue, as functions/queue.py handles it; of a poison queue, as functions/poison.py does."""
        body = text.encode()
        if queue.endswith(POISON_SUFFIX):
            park_message(self.store, queue.removesuffix(POISON_SUFFIX), body, self.azure.clock.now())
            return
        try:
            self._work(queue, body)
        except Exception as failure:
            self.store.poison.note(queue, message_id(body), f"{type(failure).__name__}: {failure}"[:500])
            raise

    def _work(self, queue: str, body: bytes) -> None:
        azure, store = self.azure, self.store
        match queue:
            case "inventory" | "inventory-sweeps" | "results":
                self._sweep(queue, body)
            case "assessments" | "planned-assessments" | "planned-results":
                self._assess(queue, body)
            case "installations":
                start_installation(azure, store, _read(body, StartInstallation), LONGEST_INSTALLATION)
            case "runs":
                advance_run(store, _read(body, AdvanceRun), azure.clock)
            case "openings" | "events":
                self._begin(queue, body)
            case "operations":
                follow(azure, store, _read(body, FollowOperation))
            case "fleet":
                count_fleet(store, _read(body, CountFleet), azure.clock, self._new_id)

    def _begin(self, queue: str, body: bytes) -> None:
        match queue:
            case "openings":
                open_run(self.azure, self.store, _read(body, OpenRun))
            case "events":
                send_events(self.azure, self.store, _read(body, SendEvents))

    def _assess(self, queue: str, body: bytes) -> None:
        match queue:
            case "assessments":
                start_assessment(self.azure, self.store, _read(body, StartAssessment))
            case "planned-assessments":
                start_planned(self.azure, self.store, _read(body, StartPlanned), ASSESSMENT_AGE)
            case "planned-results":
                follow_planned(self.azure, self.store, _read(body, FollowPlanned))

    def _sweep(self, queue: str, body: bytes) -> None:
        match queue:
            case "inventory":
                take_inventory(self.azure, self.store, _read(body, ListSubscription))
            case "inventory-sweeps":
                sweep_inventory(self.azure, self.store, _read(body, SweepMachines))
            case "results":
                sweep_results(self.azure, self.store, _read(body, SweepResults))


def _read(body: bytes, kind: type[_T]) -> _T:
    return msgspec.json.decode(body, type=kind)


def function_of(queue: str) -> str:
    """The name of the function that a queue's messages start."""
    if queue.endswith(POISON_SUFFIX):
        return "poison"  # one function a queue, all alike
    return FUNCTIONS[queue]
