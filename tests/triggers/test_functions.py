"""Every function of the app with what starts it, in one table: nothing is forgotten, renamed or opened by accident."""

import json
import re
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from cronsim import CronSim

from infra.local.host import hostjson
from infra.local.host.cron import Schedule
from infra.local.host.metadata import (
    ALL_METHODS,
    EventGridTrigger,
    Function,
    HttpTrigger,
    QueueTrigger,
    TimerTrigger,
    Trigger,
)
from infra.local.places import PROJECT
from shared.domain.health import TIMERS
from shared.domain.messages import POISON_SUFFIX, QUEUES
from tests.domain.samples import NOW

MACHINE = "subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{kind}/{name}"
OPERATION = "subscriptions/{subscription}/providers/{provider}/locations/{location}/operations/{attempt}"
GROUP = "subscriptions/{subscription}/resourceGroups/{group}"
CONFIGURATIONS = "providers/Microsoft.Maintenance/maintenanceConfigurations"
ASSIGNMENTS = "providers/Microsoft.Maintenance/configurationAssignments"
PART = f"{GROUP}/providers/{{provider}}/{{parentKind}}/{{parent}}/{{kind}}/{{name}}"
APPLY_UPDATE = f"{GROUP}/{CONFIGURATIONS}/{{name}}/providers/Microsoft.Maintenance/applyUpdates/{{run}}"
RESERVED = ("admin", "runtime", ".auth")
"""First segments that belong to the platform."""


def timer(schedule: str) -> TimerTrigger:
    return TimerTrigger(schedule=schedule, run_on_startup=False, use_monitor=True)


def queue(name: str) -> QueueTrigger:
    return QueueTrigger(queue=name, connection="AzureWebJobsStorage")


def http(route: str, *methods: str) -> HttpTrigger:
    """Anonymous for the host: App Service authentication and the app itself decide who may."""
    return HttpTrigger(route=route, methods=frozenset(methods), auth_level="anonymous")


EXPECTED: dict[str, Trigger] = {
    "agenda_timer": timer("20 * * * * *"),
    "assessment_timer": timer("30 */10 * * * *"),
    "inventory_timer": timer("50 7 * * * *"),
    "opening_timer": timer("45 */10 * * * *"),
    "results_timer": timer("15 */5 * * * *"),
    "assessment_start": queue("assessments"),
    "event_send": queue("events"),
    "fleet_count": queue("fleet"),
    "installation_start": queue("installations"),
    "inventory_subscription": queue("inventory"),
    "inventory_sweep": queue("inventory-sweeps"),
    "opening_start": queue("openings"),
    "operation_follow": queue("operations"),
    "results_sweep": queue("results"),
    "run_advance": queue("runs"),
    "assessments_poison": queue("assessments-poison"),
    "assessments_start": queue("planned-assessments"),
    "planned_assessments_poison": queue("planned-assessments-poison"),
    "assessments_follow": queue("planned-results"),
    "planned_results_poison": queue("planned-results-poison"),
    "events_poison": queue("events-poison"),
    "fleet_poison": queue("fleet-poison"),
    "installations_poison": queue("installations-poison"),
    "inventory_poison": queue("inventory-poison"),
    "inventory_sweeps_poison": queue("inventory-sweeps-poison"),
    "openings_poison": queue("openings-poison"),
    "operations_poison": queue("operations-poison"),
    "results_poison": queue("results-poison"),
    "runs_poison": queue("runs-poison"),
    "assessment_request": http(f"{MACHINE}/assessPatches", "POST"),
    "installation_request": http(f"{MACHINE}/installPatches", "POST"),
    "machine_get": http(MACHINE, "GET"),
    "assessment_get": http(f"{MACHINE}/patchAssessmentResults/latest", "GET"),
    "assessment_updates": http(f"{MACHINE}/patchAssessmentResults/latest/softwarePatches", "GET"),
    "installation_list": http(f"{MACHINE}/patchInstallationResults", "GET"),
    "installation_get": http(f"{MACHINE}/patchInstallationResults/{{installation}}", "GET"),
    "installation_updates": http(f"{MACHINE}/patchInstallationResults/{{installation}}/softwarePatches", "GET"),
    "operation_get": http(OPERATION, "GET"),
    "configuration_resource": http(f"{GROUP}/{CONFIGURATIONS}/{{name}}", "GET", "PUT", "PATCH", "DELETE"),
    "configurations_of_group": http(f"{GROUP}/{CONFIGURATIONS}", "GET"),
    "configurations_of_subscription": http(f"subscriptions/{{subscription}}/{CONFIGURATIONS}", "GET"),
    "assignment_of_machine": http(f"{MACHINE}/{ASSIGNMENTS}/{{assignment}}", "GET", "PUT", "DELETE"),
    "assignment_of_group": http(f"{GROUP}/{ASSIGNMENTS}/{{assignment}}", "GET", "PUT", "PATCH", "DELETE"),
    "assignment_of_subscription": http(
        f"subscriptions/{{subscription}}/{ASSIGNMENTS}/{{assignment}}", "GET", "PUT", "PATCH", "DELETE"
    ),
    "assignment_of_part": http(f"{PART}/{ASSIGNMENTS}/{{*path}}", "GET", "PUT", "DELETE"),
    "assignments_of_machine": http(f"{MACHINE}/{ASSIGNMENTS}", "GET"),
    "assignments_of_group": http(f"{GROUP}/{ASSIGNMENTS}", "GET"),
    "assignments_of_subscription": http(f"subscriptions/{{subscription}}/{ASSIGNMENTS}", "GET"),
    "fleet_preview": http("fleet/preview/{*resource}", "GET", "POST"),
    "fleet_occurrences": http("fleet/occurrences/{*resource}", "GET"),
    "fleet_health": http("fleet/health", "GET"),
    "fleet_machines": http("fleet/machines", "GET"),
    "fleet_summary": http("fleet/summary", "GET"),
    "native_event": EventGridTrigger(),
    "native_events": http("fleet/events/{*resource}", "GET"),
    "native_import": http("fleet/import", "POST"),
    "owner_list": http("fleet/owners", "GET"),
    "owner_take": http("fleet/owners/{subscription}/take", "POST"),
    "inventory_request": http("fleet/inventory", "POST"),
    "poison_discard": http("fleet/poison/{queue}/{message}/discard", "POST"),
    "poison_replay_all": http("fleet/poison/{queue}/replay", "POST"),
    "operation_release": http("fleet/operations/{attempt}/release", "POST"),
    "run_resource": http(APPLY_UPDATE, "GET", "PUT"),
    "fleet_runs": http("fleet/runs", "GET", "POST"),
    "run_machines": http("fleet/runs/{run}", "GET"),
    "handler_report": http("fleet/runs/{run}/handlers/{handler}", "POST"),
    "run_close": http("fleet/runs/{run}/close", "POST"),
    "poison_replay": http("fleet/poison/{queue}/{message}/replay", "POST"),
    "fallback": http("{*path}", *ALL_METHODS),
}


def triggers(indexed: dict[str, Function], kind: type[Trigger]) -> dict[str, Function]:
    return {name: function for name, function in indexed.items() if isinstance(function.trigger, kind)}


def test_no_function_is_missing_or_unknown(indexed: dict[str, Function]) -> None:
    assert sorted(indexed) == sorted(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_function_is_started_as_the_table_says(indexed: dict[str, Function], name: str) -> None:
    assert indexed[name].trigger == EXPECTED[name]


def test_every_function_has_its_trigger_and_for_http_its_answer(indexed: dict[str, Function]) -> None:
    """Everything that is sent goes through the store: there are no output bindings."""
    for function in indexed.values():
        bindings = [json.loads(each) for each in function.bindings]
        kinds = sorted((each["type"], each["direction"]) for each in bindings)
        if isinstance(function.trigger, HttpTrigger):
            assert kinds == [("http", "OUT"), ("httpTrigger", "IN")], function.name
        else:
            assert [direction for _, direction in kinds] == ["IN"], function.name


def test_every_queue_is_read_once_and_every_poison_queue_too(indexed: dict[str, Function]) -> None:
    read = [function.trigger.queue for function in indexed.values() if isinstance(function.trigger, QueueTrigger)]
    names = list(QUEUES.values())
    assert sorted(read) == sorted([*names, *(f"{name}{POISON_SUFFIX}" for name in names)])


def test_queue_names_are_legal() -> None:
    """3 to 63 characters; source: "Naming queues and metadata"."""
    for name in QUEUES.values():
        assert re.fullmatch(r"[a-z0-9](-?[a-z0-9])+", f"{name}{POISON_SUFFIX}")
        assert 3 <= len(f"{name}{POISON_SUFFIX}") <= 63


def test_schedules_parse_and_come_round(indexed: dict[str, Function]) -> None:
    """Both as the local host reads them and by cronsim alone, which takes the seconds first."""
    for name, function in triggers(indexed, TimerTrigger).items():
        assert isinstance(function.trigger, TimerTrigger)
        walk, schedule = CronSim(function.trigger.schedule, NOW), Schedule(function.trigger.schedule)
        times: list[datetime] = [next(walk) for _ in range(5)]
        assert times[0] == schedule.next_after(NOW)
        assert {later - earlier for earlier, later in pairwise(times)} == {TIMERS[name]}, "health watches it"


def test_no_timer_runs_when_windows_open(indexed: dict[str, Function]) -> None:
    """They open at whole minutes, and their last hints and first starts are around them."""
    schedules = [each.trigger.schedule for each in indexed.values() if isinstance(each.trigger, TimerTrigger)]
    assert len(schedules) == len(TIMERS)
    assert [each for each in schedules if not 15 <= int(each.split()[0]) <= 50] == []


def test_no_route_begins_with_the_platforms_own(indexed: dict[str, Function]) -> None:
    routes = [f.trigger.route for f in indexed.values() if isinstance(f.trigger, HttpTrigger)]
    assert [route for route in routes if route.split("/")[0].lower() in RESERVED] == []
    assert len(set(routes)) == len(routes)


def test_host_json_is_what_the_design_asks_for() -> None:
    """And it is read by the local host: 2 s polling, 30 s visibility, five tries, base64, no route prefix."""
    config = hostjson.read(PROJECT)
    raw = json.loads((PROJECT / "host.json").read_text(encoding="utf-8"))
    queues = raw["extensions"]["queues"]
    assert (queues["maxPollingInterval"], queues["visibilityTimeout"]) == ("00:00:02", "00:00:30")
    assert (queues["maxDequeueCount"], queues["messageEncoding"]) == (5, "base64")
    assert raw["extensions"]["http"]["routePrefix"] == ""
    assert raw["functionTimeout"] == "00:05:00"
    assert config.function_timeout == timedelta(minutes=5)
