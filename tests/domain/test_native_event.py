"""Azure's own maintenance events, read from its documented example."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.errors import RequestError
from shared.domain.native_event import read_native_event

CONFIGURATION = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/testrg/providers/Microsoft.Maintenance/"
    "maintenanceConfigurations/contosomaintenanceconfiguration"
)
ID = f"{CONFIGURATION}/providers/microsoft.maintenance/applyupdates/20230509150000"
DATA: dict[str, Any] = {
    "correlationId": ID,
    "maintenanceConfigurationId": CONFIGURATION,
    "startDateTime": "2023-05-09T15:00:00Z",
    "endDateTime": "2023-05-09T18:55:00Z",
    "resourceSubscriptionIds": ["subscription guid 1", "subscription guid 2"],
}
PRE, POST = "Microsoft.Maintenance.PreMaintenanceEvent", "Microsoft.Maintenance.PostMaintenanceEvent"
TIME = datetime(2023, 5, 9, 14, 25, tzinfo=UTC)


def test_the_documented_pre_event() -> None:
    event = read_native_event(PRE, ID, TIME, {**DATA, "cancellationCutOffDateTime": "2023-05-09T14:59:00Z"})
    assert event is not None
    assert (event.id, event.type, str(event.configuration)) == (ID, PRE, CONFIGURATION)
    assert event.start_date_time == datetime(2023, 5, 9, 15, tzinfo=UTC)
    assert event.cancellation_cut_off_date_time == datetime(2023, 5, 9, 14, 59, tzinfo=UTC)
    assert (event.status, event.event_time) == ("", TIME)


def test_the_documented_post_event() -> None:
    event = read_native_event(POST.lower(), ID, TIME, {**DATA, "status": "Succeeded"})
    assert event is not None
    assert (event.type, event.status, event.cancellation_cut_off_date_time) == (POST, "Succeeded", None)


def test_other_types_are_none_of_it() -> None:
    assert read_native_event("Microsoft.Resources.ResourceWriteSuccess", "1", TIME, {}) is None


@pytest.mark.parametrize(
    "data", [None, [], {}, {**DATA, "startDateTime": "soon"}, {**DATA, "maintenanceConfigurationId": "/x"}]
)
def test_what_azure_does_not_send_so_is_refused(data: object) -> None:
    with pytest.raises((ValueError, RequestError)):
        read_native_event(PRE, ID, TIME, data)
