"""Pre and post events as Event Grid publishes them, in Azure's types, ids and fields.

Source: documentation "Azure Maintenance Configuration as an Event Grid source". Both events of one run have the same
id: whoever must not act twice on one looks at type and id together.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from shared.domain.agenda import Item, ItemKind
from shared.domain.maintenance_id import parse_configuration_id
from shared.domain.opening import stamp
from shared.domain.phase import Phase, RunOutcome
from shared.domain.run import Run
from shared.domain.run_events import cancel_by, hear_by, subscriptions_of

# So long a post event is tried (ours): as long as Event Grid itself goes on to deliver one.
POST_PATIENCE = timedelta(hours=24)


class EventType(StrEnum):
    """Azure's own."""

    PRE = "Microsoft.Maintenance.PreMaintenanceEvent"
    POST = "Microsoft.Maintenance.PostMaintenanceEvent"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event, CloudEvents 1.0; `source` is the configuration's resource id."""

    type: EventType
    id: str
    source: str
    subject: str
    time: datetime
    data: Mapping[str, Any]


def correlation_id(run: Run) -> str:
    """The run's id in its events, spelled as in Azure's example."""
    return f"{run.configuration}/providers/microsoft.maintenance/applyupdates/{stamp(run.start)}"


def pre_event(run: Run, machines: Sequence[str], now: datetime) -> Event:
    """What is said before a run begins. Where it waits for handlers, `fleet` tells them how to report (ours)."""
    more: dict[str, Any] = {"cancellationCutOffDateTime": _azure(cancel_by(run.start, now))}
    if run.events.wait_for and run.plan:
        by = _azure(hear_by(run.start, run.plan.begin_by))
        path = f"/fleet/runs/{run.id}/handlers"
        more["fleet"] = {"run": run.id, "waitFor": list(run.events.wait_for), "reportTo": path, "reportBy": by}
    return _event(EventType.PRE, run, machines, now, more)


def post_event(run: Run, machines: Sequence[str], now: datetime) -> Event:
    """What is said when a run has closed. Azure's only example of `status` is Succeeded; the others are the run's."""
    missed = run.outcome is RunOutcome.MISSED
    return _event(EventType.POST, run, machines, now, {"status": RunOutcome.FAILED if missed else run.outcome})


def owes_pre_event(run: Run, now: datetime) -> bool:
    """Whether a run's pre-event is still to be published; whether there is a topic is known once it is selected."""
    is_begun = run.phase not in (Phase.SELECTING, Phase.READY) or run.cancelled or run.stopped_because
    is_late = run.plan is None or now > run.plan.begin_by
    has_topic = run.events.topic or run.phase is Phase.SELECTING
    return has_topic and run.events.pre_sent is None and not (is_begun or is_late)


def owes_post_event(run: Run, now: datetime) -> bool:
    """Whether its post event is."""
    is_due = run.closed is not None and now <= run.closed + POST_PATIENCE
    return is_due and run.events.topic and run.events.post_sent is None


def post_item(run: Run, now: datetime) -> Item:
    """The line of the agenda for a post event that is not out when its run has closed."""
    return Item(
        kind=ItemKind.EVENT,
        id=run.id,
        since=now,
        closes_by=(run.closed or now) + POST_PATIENCE,
        configuration=run.configuration,
        start=run.start,
    )


def _event(kind: EventType, run: Run, machines: Sequence[str], now: datetime, more: dict[str, Any]) -> Event:
    data = {
        "correlationId": correlation_id(run),
        "maintenanceConfigurationId": run.configuration,
        "startDateTime": _azure(run.start),
        "endDateTime": _azure(run.end),
        "resourceSubscriptionIds": list(subscriptions_of(machines)),
        **more,
    }
    name = parse_configuration_id(run.configuration, "configuration").name
    return Event(type=kind, id=correlation_id(run), source=run.configuration, subject=name, time=now, data=data)


def _azure(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
