"""What the tests of events share: a configuration saved with its events, and what the topic saw."""

from datetime import datetime, timedelta
from typing import Any

from shared.domain.configuration import Configuration, next_windows
from shared.domain.opening import run_id
from shared.domain.run_events import Report
from shared.workflows.events import call_up, expect, report_handler
from tests.cloud.world import Json
from tests.domain.maintenance import ADDRESS
from tests.workflows.house import WHO, House
from tests.workflows.windows import save

PRE, POST = "Microsoft.Maintenance.PreMaintenanceEvent", "Microsoft.Maintenance.PostMaintenanceEvent"
DOWN: dict[str, Any] = {"path": "/topics/", "times": 1000}


def saved(house: House, configuration: Configuration, *machines: Json) -> datetime:
    """As the API does it, the pre-event included."""
    window = next_windows(configuration, house.now, 1)[0]
    expect(house.azure, house.store, configuration, window, house.now)
    start = save(house, configuration, *machines)
    call_up(house.azure, house.store, configuration, window, house.now)
    return start


def published(house: House, kind: str = "") -> list[Json]:
    return [each for each in house.journal("eventPublished") if kind in ("", each["published"]["type"])]


def report(house: House, start: datetime, handler: str = "drain", *, succeeded: bool = True) -> None:
    said = Report(handler=handler, succeeded=succeeded, message="said", at=house.now, who=WHO)
    report_handler(house.store, run_id(ADDRESS, start), said)


def later(house: House, minutes: float) -> None:
    """Time passes, and messages are delivered; the agenda's timer stands still."""
    end = house.now + timedelta(minutes=minutes)
    house.run(minutes)
    house.clock.now = max(house.clock.now, end)


def at(entry: Json) -> datetime:
    return datetime.fromisoformat(entry["time"])
