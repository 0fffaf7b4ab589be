"""What Azure itself tells of its own maintenance configurations: its pre and post events, as they come in.

Source: documentation "Azure Maintenance Configuration as an Event Grid source". Both events of one run have one id.
"""

from datetime import datetime
from typing import Any

import msgspec

from shared.domain.maintenance_id import ConfigurationId, parse_configuration_id
from shared.domain.prepared import prepared

PREFIX = "Microsoft.Maintenance."
KINDS = (f"{PREFIX}PreMaintenanceEvent", f"{PREFIX}PostMaintenanceEvent")


class NativeEvent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One event; `status` of a post event, `cancellation_cut_off_date_time` of a pre-event."""

    id: str
    type: str
    event_time: datetime | None
    maintenance_configuration_id: str
    start_date_time: datetime
    end_date_time: datetime
    cancellation_cut_off_date_time: datetime | None = None
    status: str = ""
    resource_subscription_ids: tuple[str, ...] = ()

    @property
    def configuration(self) -> ConfigurationId:
        """Raises RequestError 400 for an id of something else."""
        return parse_configuration_id(self.maintenance_configuration_id, "maintenanceConfigurationId")


def read_native_event(kind: str, id_: str, time: datetime | None, data: Any) -> NativeEvent | None:  # noqa: ANN401 - JSON
    """None for an event of another type. Raises ValueError, or RequestError, for one that Azure does not send so."""
    known = next((each for each in KINDS if each.lower() == kind.lower()), None)
    if known is None:
        return None
    if not isinstance(data, dict):
        raise ValueError("The event has no data.")
    event = msgspec.convert({**data, "id": id_, "type": known, "eventTime": time}, type=prepared(NativeEvent))
    _ = event.configuration
    return event
