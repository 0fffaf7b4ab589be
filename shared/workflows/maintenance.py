"""Maintenance runs as people ask for them: listed, shown, cancelled, started now."""

import logging
from datetime import datetime, timedelta

import msgspec

from shared.domain.agenda import HEAL_EVERY
from shared.domain.configuration import Configuration
from shared.domain.errors import RequestError, not_found
from shared.domain.logline import logline
from shared.domain.maintenance_id import ConfigurationId
from shared.domain.messages import AdvanceRun, OpenRun
from shared.domain.occurrence import Occurrence
from shared.domain.opening import (
    SAME_REQUEST,
    SCHEDULE,
    begun,
    opening_item,
    run_address,
    run_id,
    start_of,
    window_at,
    window_now,
)
from shared.domain.phase import Phase
from shared.domain.reason import reason
from shared.domain.run import Run, RunMachine, cancelled
from shared.domain.summary import Summary, summary
from shared.store.store import Store
from shared.store.table import Conflict
from shared.workflows.openings import begin
from shared.workflows.runs import list_run

log = logging.getLogger(__name__)
# How long a run that was asked for now may take to come into being before another may be (ours): a function's life.
UNBORN = timedelta(minutes=10)
# A run that starts later than this is not open yet (ours), though it has been begun: for its pre-event, up to a day
# ahead, or because it was cancelled.
IMMINENT = timedelta(hours=1)


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A run with some of its machines, and the row to go on from."""

    run: Run
    summary: Summary
    machines: tuple[RunMachine, ...]
    next: str


def list_runs(store: Store, configuration: ConfigurationId | None, first: str, size: int) -> tuple[list[Summary], str]:
    """Runs of one configuration, or of all, newest first."""
    return store.run_list.page(configuration, first, size)


def show_run(store: Store, id_: str, first: str, size: int) -> Shown:
    """Raises RequestError 404. The counts are of the machines shown in a list, which may be some seconds old."""
    run = store.runs.run(id_)
    if run is None:
        raise not_found(f"/fleet/runs/{id_}")
    machines, following = store.runs.page(id_, first, size)
    return Shown(run=run, summary=summary(run, machines), machines=tuple(machines), next=following)


def read_run(store: Store, configuration: ConfigurationId, name: str) -> Summary:
    """The run of a window; of the configuration's windows to come also before it has begun. Raises RequestError 404."""
    start = start_of(name)
    run = store.runs.run(run_id(configuration, start))
    if run is not None:
        return summary(run, ())
    return summary(begun(*_to_come(store, configuration, start), SCHEDULE), ())


def cancel_run(store: Store, configuration: ConfigurationId, name: str, who: str, now: datetime) -> Summary:
    """Start nothing more in a run, or nothing at all in one to come. It is cancelled once this returns.

    Raises RequestError: 404 for an unknown run, 409 when it has closed.
    """
    start = start_of(name)
    id_ = run_id(configuration, start)
    if store.runs.run(id_) is None:
        current, window = _to_come(store, configuration, start)
        store.agenda.add(opening_item(current, window, now), max(now, window.start) - HEAL_EVERY)
        begin(store, current, window, SCHEDULE, now)
    while True:
        loaded = store.runs.load(id_)
        if loaded is None:
            raise not_found(run_address(configuration, start))
        if loaded.run.closed:
            raise RequestError(409, "RunClosed", f"The run closed at {loaded.run.closed.isoformat()}.", name)
        after = cancelled(loaded.run, reason("Cancelled", f"by {who} at {now.isoformat()}"), now)
        try:
            if after != loaded.run:
                store.runs.save(loaded, after, ())
        except Conflict:
            continue  # it took a step: decide anew
        list_run(store, after, loaded.machines)
        store.queues.send(AdvanceRun(run=id_))
        log.warning(logline("run cancelled", run=id_, configuration=configuration, who=who))
        return summary(after, loaded.machines)


def run_now(store: Store, configuration: ConfigurationId, request: str, who: str, now: datetime) -> Run:
    """Open a window of a configuration at once. An equal request within a day gets the same run.

    Raises RequestError: 404 for an unknown configuration, 409 for a disabled one or while a run of it is open.
    """
    stored = store.configurations.get(configuration)
    if stored is None:
        raise not_found(str(configuration))
    current = stored.configuration
    if not current.enabled:
        raise RequestError(409, "ConfigurationDisabled", "The configuration is disabled; enable it first.", "enabled")
    while True:
        before = store.run_list.requested(configuration, request)
        if before and now - before < SAME_REQUEST:
            return _open_now(store, current, before, who, now)
        last = store.run_list.last_now(configuration)
        _refuse_while_open(store, configuration, last.start, now)
        start = window_now(current, now).start
        try:
            store.run_list.take_now(configuration, request, start, last)
        except Conflict:
            continue  # another request came first: look again
        return _open_now(store, current, start, who, now)


def _open_now(store: Store, configuration: Configuration, start: datetime, who: str, now: datetime) -> Run:
    """Safe to repeat: what a worker that died left out is done by the same request coming again."""
    run = store.runs.run(run_id(configuration.id, start))
    if run is not None and run.phase is not Phase.SELECTING:
        return run
    window = window_now(configuration, start)
    store.agenda.add(opening_item(configuration, window, now), now + HEAL_EVERY)
    opened = begin(store, configuration, window, who, now)
    store.queues.send(OpenRun(configuration=str(configuration.id), start=start))
    return opened


def _refuse_while_open(store: Store, configuration: ConfigurationId, last: datetime | None, now: datetime) -> None:
    newest = store.run_list.newest(configuration, now + IMMINENT)
    run = store.runs.run(run_id(configuration, last)) if last else None
    unborn = last is not None and run is None and now - last < UNBORN
    is_open = newest is not None and newest.phase is not Phase.CLOSED
    if unborn or is_open or (run is not None and run.closed is None):
        raise RequestError(409, "RunInFlight", "A run of the configuration is open; wait for it or cancel it.", "id")


def _to_come(store: Store, configuration: ConfigurationId, start: datetime) -> tuple[Configuration, Occurrence]:
    stored = store.configurations.get(configuration)
    window = window_at(stored.configuration, start) if stored else None
    if stored is None or window is None:
        raise not_found(run_address(configuration, start))
    return stored.configuration, window
