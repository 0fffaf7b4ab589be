"""Pre and post events: each published at least once, with one id a run, and recorded on the run's row.

The way of a pre-event: a line in the agenda from the moment its configuration is saved; a message to the second; then
the run's row, which freezes the configuration, its machines, and the event itself. Nothing of a run starts before its
row says that the event is out (`domain/run_events.py`). Without a topic nothing of this happens.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice

from msgspec.structs import replace

from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError
from shared.cloud.events import publish
from shared.domain.agenda import Item, is_unborn
from shared.domain.configuration import Configuration, next_windows
from shared.domain.errors import RequestError, not_found
from shared.domain.event import owes_post_event, owes_pre_event, post_event, pre_event
from shared.domain.logline import logline
from shared.domain.maintenance_id import ConfigurationId, parse_configuration_id
from shared.domain.messages import AdvanceRun, SendEvents
from shared.domain.occurrence import Occurrence
from shared.domain.opening import (
    FREEZE,
    SCHEDULE,
    event_item,
    listed_part,
    look_at,
    opening_item,
    pre_event_at,
    run_id,
    told_at,
)
from shared.domain.phase import Phase
from shared.domain.run import MOST_CHANGES, Run
from shared.domain.run_events import Events, Report, hear_by, heard
from shared.store.runs import Loaded
from shared.store.store import Store
from shared.store.table import Conflict
from shared.workflows.openings import SOON, begin, save_step, window_of
from shared.workflows.parts import in_scope

log = logging.getLogger(__name__)
# The agenda looks at a pre-event so long before it is due (ours): one round of its timer.
LOOK_AHEAD = timedelta(minutes=1)
# When a topic took nothing for the first time: seconds (ours). After that the agenda comes back to it.
PUBLISH_AGAIN = 10


def expect(azure: Azure, store: Store, configuration: Configuration, window: Occurrence | None, now: datetime) -> None:
    """Put the pre-event of a window into the agenda, before its configuration is saved. Safe to repeat."""
    if azure.topic and window:
        due, told = pre_event_at(configuration, window.start), told_at(configuration, window.start, now)
        store.agenda.add(event_item(configuration, window, now), due - LOOK_AHEAD if due == told else told)


def call_up(azure: Azure, store: Store, configuration: Configuration, window: Occurrence | None, now: datetime) -> None:
    """Have a pre-event that is near published to the second; of a saved configuration only."""
    wait = told_at(configuration, window.start, now) - now if window else None
    if azure.topic and window and wait is not None and wait <= SOON:
        store.queues.send(SendEvents(configuration=str(configuration.id), start=window.start), _seconds(wait))


def plan_events(azure: Azure, store: Store, now: datetime) -> None:
    """Write down the pre-event of every configuration's next window, should it not be: however it was lost."""
    for stored in store.configurations.all() if azure.topic else ():
        for window in next_windows(stored.configuration, now, 1):
            expect(azure, store, stored.configuration, window, now)


def still_owed(store: Store, item: Item, now: datetime) -> tuple[bool, SendEvents | None]:
    """Whether a line of the agenda is done with, and the message that moves it on."""
    run = store.runs.run(item.id)
    if item.start is None:
        return not is_unborn(item, now), None
    hint = SendEvents(configuration=item.configuration, start=item.start)
    if run is not None:
        owed = owes_pre_event(run, now) or owes_post_event(run, now)
        return not owed, hint if owed else None
    address = parse_configuration_id(item.configuration, "configuration")
    is_over = item.closes_by is not None and now > item.closes_by
    if not is_over and window_of(store, address, item.start):
        return False, hint
    return is_over or not is_unborn(item, now), None


def send_events(azure: Azure, store: Store, message: SendEvents) -> None:
    """Publish what is due of a window's run. Safe to repeat: a duplicate has the same id."""
    address = parse_configuration_id(message.configuration, "configuration")
    id_, now = run_id(address, message.start), azure.clock.now()
    try:
        loaded = store.runs.load(id_) or _begin(azure, store, address, message, now)
        if loaded is None:
            return
        if not azure.topic:
            _go_without(store, loaded)
        elif owes_post_event(loaded.run, now):
            _publish(azure, store, loaded, message)
        elif owes_pre_event(loaded.run, now):
            _pre_event(azure, store, loaded, message)
    except Conflict:
        store.queues.send(message, 1)  # the run took a step: read again


def report_handler(store: Store, id_: str, report: Report) -> Run:
    """Write down what a handler says; the run begins with the last success, and never after a failure.

    Raises RequestError: 404 for an unknown run or handler, 409 when the run has begun or ended without it, when the
    handler had said the opposite, or for a success after the time in which handlers are heard.
    """
    while True:
        loaded = store.runs.load(id_)
        if loaded is None:
            raise not_found(f"/fleet/runs/{id_}")
        run = loaded.run
        after = replace(run, events=heard(run.events, report))
        if after == run:
            if run.phase in (Phase.SELECTING, Phase.READY):
                store.queues.send(AdvanceRun(run=id_))  # its report was kept, and whoever kept it may have died
            return run
        if run.phase not in (Phase.SELECTING, Phase.READY) or run.cancelled or run.stopped_because:
            raise RequestError(409, "RunNotWaiting", f"The run does not wait any more; it is {run.phase}.", id_)
        if report.succeeded and run.plan and report.at > hear_by(run.start, run.plan.begin_by):
            text = f"Handlers were heard until {hear_by(run.start, run.plan.begin_by).isoformat()}."
            raise RequestError(409, "RunNotWaiting", text, id_)
        try:
            store.runs.save(loaded, after, ())
        except Conflict:
            continue  # it took a step: decide anew
        store.queues.send(AdvanceRun(run=id_))
        log.info(
            logline("handler reported", run=id_, handler=report.handler, succeeded=report.succeeded, who=report.who)
        )
        return after


def _begin(azure: Azure, store: Store, address: ConfigurationId, message: SendEvents, now: datetime) -> Loaded | None:
    """The run of the window, begun now that its pre-event is due. The next window's line comes first."""
    found = window_of(store, address, message.start)
    if found is None or not azure.topic:
        log.info(logline("no event", configuration=address, start=message.start))
        return None
    configuration, window = found
    wait = pre_event_at(configuration, window.start) - now
    if wait > timedelta():
        if wait <= SOON:
            store.queues.send(message, _seconds(wait))
        return None
    for following in next_windows(configuration, window.start, 1):
        expect(azure, store, configuration, following, now)
        call_up(azure, store, configuration, following, now)
    store.agenda.add(opening_item(configuration, window, now), look_at(window))
    begin(store, configuration, window, SCHEDULE, now)
    return store.runs.load(run_id(address, window.start))


def _pre_event(azure: Azure, store: Store, loaded: Loaded, message: SendEvents) -> None:
    """Machines first: whoever hears of the run may ask for them. In its last minute the opening writes them down."""
    if loaded.run.phase is Phase.SELECTING and not loaded.run.events.listed:
        if azure.clock.now() >= loaded.run.start - FREEZE:
            return
        loaded = _list(store, loaded)
    _publish(azure, store, loaded, message)


def _list(store: Store, loaded: Loaded) -> Loaded:
    """Write down the machines that the assignments take now; no others will be in the run. Raises Conflict."""
    configuration = store.runs.frozen(loaded.run.id)
    known = {part.machine.lower() for part in loaded.machines}
    records = in_scope(store, configuration) if configuration else iter(())
    new = (listed_part(record) for record in records if record.machine.id.lower() not in known)
    while batch := tuple(islice(new, MOST_CHANGES)):
        loaded = save_step(store, loaded, loaded.run, batch)
    events = replace(loaded.run.events, topic=True, listed=True)
    log.info(logline("machines listed", run=loaded.run.id, machines=len(loaded.machines)))
    return save_step(store, loaded, replace(loaded.run, events=events), ())


def _publish(azure: Azure, store: Store, loaded: Loaded, message: SendEvents) -> None:
    run, now = loaded.run, azure.clock.now()
    machines = [part.machine for part in loaded.machines]
    event = (post_event if run.closed else pre_event)(run, machines, now)
    try:
        publish(azure, event)
    except CloudError as error:
        log.warning(logline("event not published", run=run.id, type=event.type, detail=error))
        trouble = str(error)
        _record(store, run.id, lambda events: replace(events, trouble=trouble))
        if not run.events.trouble:
            store.queues.send(message, max(PUBLISH_AGAIN, error.retry_after))
        return
    sent = {"post_sent": now} if run.closed else {"pre_sent": now}
    _record(store, run.id, lambda events: replace(events, trouble="", **sent))
    log.info(logline("event published", run=run.id, type=event.type))
    if not run.closed:
        store.queues.send(AdvanceRun(run=run.id))


def _go_without(store: Store, loaded: Loaded) -> None:
    """The topic was taken out of the settings: nothing waits for it any more."""
    if loaded.run.events.topic:
        _record(store, loaded.run.id, lambda events: replace(events, topic=False))
        store.queues.send(AdvanceRun(run=loaded.run.id))


def _record(store: Store, id_: str, change: Callable[[Events], Events]) -> None:
    """On the run's row, whatever steps it takes meanwhile."""
    while True:
        loaded = store.runs.load(id_)
        after = change(loaded.run.events) if loaded else None
        if loaded is None or after is None or after == loaded.run.events:
            return
        try:
            store.runs.save(loaded, replace(loaded.run, events=after), ())
        except Conflict:
            continue  # decide anew
        return


def _seconds(span: timedelta) -> int:
    """Whole ones, never fewer: nothing is said before its time."""
    return max(0, -int(-span.total_seconds() // 1))
