"""What a run tells handlers and hears from them: its pre and post event, and the reports that it waits for.

A run with a topic begins only when its pre-event is out. A run with handlers to wait for (`waitFor`) begins only when
each of them has reported success; one that fails, or is silent at `hear_by`, ends the run before anything started.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from shared.domain.errors import RequestError
from shared.domain.reason import Reason, reason

# Of the time by which a window may be late, handlers may use this part (ours): the app needs the rest to open it.
HEARD_PART = 2
# Azure takes a cancellation until so long before the start. Source: documentation of pre and post events.
CANCEL_LEAD = timedelta(minutes=10)
LONGEST_MESSAGE = 500  # characters of a report (ours)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What one handler said, and who said it for it."""

    handler: str
    succeeded: bool
    message: str
    at: datetime
    who: str


class Events(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`topic`: there is one to publish to; without it nothing waits for an event. `trouble`: why one is not out yet."""

    topic: bool = False
    listed: bool = False  # the run's machines are those that were written down for its pre-event
    pre_sent: datetime | None = None
    post_sent: datetime | None = None
    trouble: str = ""
    wait_for: tuple[str, ...] = ()
    reports: tuple[Report, ...] = ()

    @property
    def is_unsent(self) -> bool:
        """Whether the run still waits for its pre-event to be published."""
        return self.topic and self.pre_sent is None

    @property
    def silent(self) -> tuple[str, ...]:
        """Handlers that have not reported."""
        heard = {report.handler for report in self.reports}
        return tuple(name for name in self.wait_for if name not in heard)

    @property
    def is_clear(self) -> bool:
        """Whether the run may begin for all that they say."""
        return not self.is_unsent and not self.silent and all(report.succeeded for report in self.reports)


def hear_by(start: datetime, begin_by: datetime) -> datetime:
    """Until when handlers have time to report: a part of what the window may be late."""
    return start + (begin_by - start) / HEARD_PART


def cancel_by(start: datetime, now: datetime) -> datetime:
    """Azure's `cancellationCutOffDateTime`. For a run that is told of later than that it is the start itself."""
    usual = start - CANCEL_LEAD
    return usual if now <= usual else start


def why_not_begun(events: Events, start: datetime, begin_by: datetime, now: datetime) -> Reason | None:
    """Why a run that has not begun never will, as far as its events and handlers go."""
    failed = [report for report in events.reports if not report.succeeded]
    if failed:
        return reason("HandlerFailed", f"{failed[0].handler}: {failed[0].message}".rstrip(": "))
    is_late = now > begin_by or bool(events.silent and now > hear_by(start, begin_by))
    if is_late and events.is_unsent and (events.trouble or now <= begin_by):
        return reason("PreEventUnsent", events.trouble)
    return reason("HandlerSilent", ", ".join(events.silent)) if is_late and events.silent else None


def deadlines(events: Events, start: datetime, begin_by: datetime, now: datetime) -> list[datetime]:
    """When a run that is held up has to be judged again, should nothing come before."""
    if events.is_clear:
        return []
    dates = [hear_by(start, begin_by), begin_by] if events.silent else [begin_by]
    return [each for each in dates if each >= now]


def heard(events: Events, report: Report) -> Events:
    """With a handler's report; the same one again changes nothing.

    Raises RequestError: 404 for a handler that the run does not wait for, 409 when it had said the opposite.
    """
    name = next((each for each in events.wait_for if each.lower() == report.handler.lower()), None)
    if name is None:
        text = f"The run does not wait for a handler '{report.handler}'."
        raise RequestError(404, "HandlerNotAwaited", text, report.handler)
    before = next((each for each in events.reports if each.handler == name), None)
    if before is None:
        return replace(events, reports=(*events.reports, replace(report, handler=name)))
    if before.succeeded != report.succeeded:
        text = f"The handler '{name}' has reported already, at {before.at.isoformat()}; cancel the run instead."
        raise RequestError(409, "HandlerReported", text, name)
    return events


def subscriptions_of(machines: Sequence[str]) -> tuple[str, ...]:
    """The subscriptions of these machines, in order. Source: Azure's `resourceSubscriptionIds`."""
    return tuple(sorted({machine.split("/")[2].lower() for machine in machines}))
