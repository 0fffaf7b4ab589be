"""Pre and post events in Azure's shape, held against its documented example."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from shared.domain.agenda import ItemKind
from shared.domain.event import (
    POST_PATIENCE,
    EventType,
    owes_post_event,
    owes_pre_event,
    post_event,
    post_item,
    pre_event,
)
from shared.domain.phase import Phase, RunOutcome
from shared.domain.reason import reason
from shared.domain.run import Plan, Run
from shared.domain.run_events import Events
from tests.domain.samples import NOW, minutes
from tests.domain.test_run_plan import planned

ZEROS = "00000000-0000-0000-0000-000000000000"
SOURCE = (
    f"/subscriptions/{ZEROS}/resourceGroups/testrg/providers/Microsoft.Maintenance/maintenanceConfigurations/"
    "contosomaintenanceconfiguration"
)
ID = f"{SOURCE}/providers/microsoft.maintenance/applyupdates/20230509150000"
"""As documented: "Azure Maintenance Configuration as an Event Grid source", example of a pre-maintenance event."""
START = datetime(2023, 5, 9, 15, tzinfo=UTC)
MACHINES = [f"/subscriptions/{name}/resourceGroups/g/providers/p/t/m" for name in ("B", "a", "b")]


def documented(**events: object) -> Run:
    end = START + timedelta(hours=3, minutes=55)
    plan = Plan(begin_by=START + minutes(10))
    return replace(planned(), configuration=SOURCE, start=START, end=end, plan=plan, events=Events(**events))  # type: ignore[arg-type]


def test_a_pre_event_has_azures_type_id_and_data() -> None:
    event = pre_event(documented(), MACHINES, START - minutes(35))
    assert (event.type, event.id, event.source) == ("Microsoft.Maintenance.PreMaintenanceEvent", ID, SOURCE)
    assert (event.subject, event.time) == ("contosomaintenanceconfiguration", START - minutes(35))
    assert event.data == {
        "correlationId": ID,
        "maintenanceConfigurationId": SOURCE,
        "startDateTime": "2023-05-09T15:00:00Z",
        "endDateTime": "2023-05-09T18:55:00Z",
        "cancellationCutOffDateTime": "2023-05-09T14:50:00Z",
        "resourceSubscriptionIds": ["a", "b"],
    }


def test_handlers_that_are_waited_for_are_told_where_to_report() -> None:
    data = pre_event(documented(wait_for=("drain",)), (), START - minutes(35)).data
    assert data["fleet"] == {
        "run": documented().id,
        "waitFor": ["drain"],
        "reportTo": f"/fleet/runs/{documented().id}/handlers",
        "reportBy": "2023-05-09T15:05:00Z",
    }


@pytest.mark.parametrize(("outcome", "status"), [("Succeeded", "Succeeded"), ("Missed", "Failed"), ("Cancelled",) * 2])
def test_a_post_event_tells_how_it_ended_and_has_the_same_id(outcome: str, status: str) -> None:
    event = post_event(replace(documented(), outcome=RunOutcome(outcome)), MACHINES, START)
    assert (event.type, event.id, event.data["status"]) == (EventType.POST, ID, status)
    assert set(event.data) == {"correlationId", "maintenanceConfigurationId", "startDateTime", "endDateTime", "status",
                               "resourceSubscriptionIds"}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "owed"),
    [
        ({}, False),
        ({"events": Events(topic=True)}, True),
        ({"phase": Phase.SELECTING}, True),
        ({"events": Events(topic=True, pre_sent=NOW)}, False),
        ({"events": Events(topic=True), "cancelled": NOW}, False),
        ({"events": Events(topic=True), "stopped_because": reason("WindowMissed")}, False),
        ({"events": Events(topic=True), "phase": Phase.OPEN}, False),
        ({"events": Events(topic=True), "plan": None}, False),
    ],
)
def test_which_runs_owe_a_pre_event(changes: dict[str, object], owed: bool) -> None:
    assert owes_pre_event(replace(planned(), **changes), NOW) is owed
    assert not owes_pre_event(replace(planned(), **changes), NOW + minutes(11))


def test_a_closed_run_owes_its_post_event_for_a_day() -> None:
    closed = replace(planned(), phase=Phase.CLOSED, closed=NOW, events=Events(topic=True))
    assert owes_post_event(closed, NOW + POST_PATIENCE)
    assert not owes_post_event(closed, NOW + POST_PATIENCE + minutes(1))
    assert not owes_post_event(replace(closed, events=Events(topic=True, post_sent=NOW)), NOW)
    assert not owes_post_event(replace(closed, events=Events()), NOW)
    assert not owes_post_event(replace(closed, closed=None), NOW)
    line = post_item(closed, NOW)
    assert (line.kind, line.id, line.closes_by) == (ItemKind.EVENT, closed.id, NOW + POST_PATIENCE)
