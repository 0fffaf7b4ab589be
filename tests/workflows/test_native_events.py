"""Azure's own events, kept for the configurations that are here, once however often they come."""

from datetime import timedelta

import pytest

from shared.workflows.native_events import list_native_events, record_native_event
from tests.domain.maintenance import ADDRESS, fleet, put
from tests.domain.samples import NOW
from tests.domain.test_native_event import DATA, ID, POST, PRE
from tests.workflows.house import House

OURS = {**DATA, "maintenanceConfigurationId": str(ADDRESS).upper().replace("/SUBSCRIPTIONS", "/subscriptions")}


def test_events_of_a_configuration_are_kept_newest_run_first(house: House) -> None:
    house.store.configurations.save(put(fleet({"enabled": False})))
    later = {**OURS, "startDateTime": "2023-05-10T15:00:00Z"}
    for data, kind in ((OURS, PRE), (OURS, PRE), ({**OURS, "status": "Succeeded"}, POST), (later, PRE)):
        assert record_native_event(house.store, kind, ID, NOW, data)
    events, following = list_native_events(house.store, ADDRESS, "", 2)
    rest, _ = list_native_events(house.store, ADDRESS, following, 2)
    assert [(each.start_date_time.day, each.type) for each in (*events, *rest)] == [(10, PRE), (9, POST), (9, PRE)]
    assert events[1].status == "Succeeded"
    assert events[0].start_date_time - events[1].start_date_time == timedelta(days=1)


@pytest.mark.parametrize(
    ("kind", "data"), [(PRE, OURS), ("Microsoft.Storage.BlobCreated", {}), (PRE, {}), (PRE, None), (POST, [1])]
)
def test_what_is_of_no_use_is_dropped(house: House, kind: str, data: object) -> None:
    """Also of a configuration that was never taken over."""
    assert not record_native_event(house.store, kind, ID, NOW, data)
    assert list_native_events(house.store, ADDRESS, "", 10) == ([], "")
