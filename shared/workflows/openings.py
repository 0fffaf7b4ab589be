"""Opening the windows of configurations: each once, to the second, or recorded as missed.

The way of a window: a line in the agenda from the moment its configuration is saved; a message to the second; 60 s
before the start the run's row with the frozen configuration, then the machines in scope, then the first step. Any part
may be repeated: what is written once stays, and the next window's line is written before anything of this one.
"""

import logging
from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError
from shared.domain.agenda import HEAL_EVERY, Item, ItemKind, is_unborn
from shared.domain.alarm import with_alarm
from shared.domain.configuration import Configuration, next_windows
from shared.domain.logline import logline
from shared.domain.maintenance_id import ConfigurationId, parse_configuration_id
from shared.domain.messages import AdvanceRun, OpenRun, SendEvents, StartInstallation
from shared.domain.occurrence import Occurrence
from shared.domain.opening import (
    FREEZE,
    SCHEDULE,
    WAKE_RUNS,
    WAKE_STARTS,
    begun,
    look_at,
    opening_item,
    plan_for,
    run_id,
    window_at,
)
from shared.domain.operation import INSTALLATION_GRACE
from shared.domain.phase import Phase
from shared.domain.run import Run, RunMachine, opens, selected
from shared.domain.summary import summary
from shared.store.runs import Loaded
from shared.store.store import Store
from shared.store.table import Conflict
from shared.workflows.parts import judged

log = logging.getLogger(__name__)
# A window that opens sooner than this gets its message when its configuration is saved (queue.py, LONGEST_DELAY).
SOON = timedelta(hours=1)
# When Azure does not say what it patches by itself, and not when to ask again: seconds (ours).
SELECT_AGAIN = 10
# The longest wait once the window is open, seconds (ours), whatever Azure asks for: it is missed some minutes later.
LONGEST_AGAIN = 60
# How long one message goes on writing machines down (ours), within the five minutes of a function (host.json).
SELECT_TIME = timedelta(minutes=2)


def write_down(store: Store, configuration: Configuration, now: datetime, after: datetime) -> Occurrence | None:
    """Put the next window of a configuration into the agenda, before the configuration is saved. Safe to repeat."""
    for window in next_windows(configuration, after, 1):
        store.agenda.add(opening_item(configuration, window, now), look_at(window))
        return window
    return None


def announce(store: Store, configuration: Configuration, window: Occurrence | None, now: datetime) -> None:
    """Have a window opened to the second, when it is near; of a saved configuration only."""
    wait = window.start - FREEZE - now if window else None
    if window and wait is not None and wait <= SOON:
        store.queues.send(OpenRun(configuration=str(configuration.id), start=window.start), _seconds(wait))


def schedule(store: Store, configuration: Configuration, now: datetime, after: datetime) -> None:
    """Both, of the window that follows an instant."""
    announce(store, configuration, write_down(store, configuration, now, after), now)


def plan_openings(store: Store, now: datetime) -> int:
    """Write down the next window of every configuration, should one not be: however it was lost. Returns how many."""
    count = 0
    for stored in store.configurations.all():
        count += write_down(store, stored.configuration, now, now) is not None
    return count


def still_opens(store: Store, item: Item, now: datetime) -> tuple[bool, OpenRun | None]:
    """Whether a line of the agenda is done with, and the message that moves it on."""
    run = store.runs.run(item.id)
    if run is not None and run.phase is not Phase.SELECTING:
        return True, None
    if item.start is None:
        return not is_unborn(item, now), None
    address = parse_configuration_id(item.configuration, "configuration")
    if run is None and window_of(store, address, item.start) is None:
        if is_unborn(item, now):
            return False, None  # its configuration may be about to be saved
        log.info(logline("window dropped", configuration=item.configuration, start=item.start))
        stored = store.configurations.get(address)
        if stored:
            schedule(store, stored.configuration, now, now)
        return True, None
    return False, OpenRun(configuration=item.configuration, start=item.start)


def open_run(azure: Azure, store: Store, message: OpenRun) -> None:
    """Freeze the configuration, write down its machines, and set the run's first step going."""
    address, now = parse_configuration_id(message.configuration, "configuration"), azure.clock.now()
    id_ = run_id(address, message.start)
    found, run = window_of(store, address, message.start), store.runs.run(id_)
    if found is None and run is None:
        log.info(logline("window not opened", configuration=address, start=message.start))
        return
    wait = message.start - FREEZE - now
    if wait > timedelta():
        if wait <= SOON:
            store.queues.send(message, _seconds(wait))
        return
    if found:
        schedule(store, found[0], now, message.start)
    if found and run is None:
        begin(store, *found, SCHEDULE, now)
    again = _seconds_to_again(azure, store, id_, message.start)
    if again is not None:
        store.queues.send(message, again)


def _seconds_to_again(azure: Azure, store: Store, id_: str, start: datetime) -> int | None:
    """Write down the run's machines; in how many seconds to go on with it, None: that is done.

    At the latest as the window opens, whatever Azure asks for: from then on less is asked (parts.py), and more often.
    """
    try:
        return None if _select(azure, store, id_) else 0
    except Conflict:
        return 1  # another instance selects, or a cancel came: read again
    except CloudError as error:  # Azure does not say which machines it patches by itself
        log.warning(logline("machines not selected yet", run=id_, detail=error))
        wait, left = max(SELECT_AGAIN, error.retry_after), _seconds(start - azure.clock.now())
        return min(wait, left or LONGEST_AGAIN)


def begin(store: Store, configuration: Configuration, window: Occurrence, who: str, now: datetime) -> Run:
    """The run's row with the frozen configuration, on the agenda first. The run as it stands when it was begun before.

    Until its machines are written down, the window's own line stays in the agenda as well.
    """
    run = begun(configuration, window, who)
    item = Item(kind=ItemKind.RUN, id=run.id, since=now, closes_by=run.end + INSTALLATION_GRACE)
    store.agenda.add(item, max(now, window.start) + HEAL_EVERY)
    if not store.runs.freeze(run, configuration):
        return store.runs.run(run.id) or run
    store.run_list.save(configuration.id, summary(run, ()))
    log.info(logline("run begun", run=run.id, configuration=configuration.id, start=run.start))
    return run


def window_of(store: Store, address: ConfigurationId, start: datetime) -> tuple[Configuration, Occurrence] | None:
    """The configuration as it is now and its window at this instant; None: deleted, disabled, expired or moved."""
    stored = store.configurations.get(address)
    window = window_at(stored.configuration, start) if stored else None
    return (stored.configuration, window) if stored and window else None


def _select(azure: Azure, store: Store, id_: str) -> bool:
    """Write down the machines in scope; False: not all of them yet, and those that are stay.

    Each batch is guarded by the run's row: of two instances one goes on.
    """
    began, loaded, configuration = azure.clock.now(), store.runs.load(id_), store.runs.frozen(id_)
    if loaded is None or configuration is None or loaded.run.phase not in (Phase.SELECTING, Phase.READY):
        return True
    if loaded.run.phase is Phase.READY:
        _set_going(azure, store, loaded)  # once more: who selected may have died before it could
        return True
    for batch in judged(azure, store, loaded, configuration, began + SELECT_TIME):
        loaded = save_step(store, loaded, loaded.run, batch)
        if azure.clock.now() - began > SELECT_TIME:
            return False
    run = selected(loaded.run, plan_for(configuration, loaded.run, len(loaded.machines)))
    run = replace(run, events=replace(run.events, topic=bool(azure.topic)))
    run = with_alarm(run, opens(run), azure.clock.now(), spent=True)
    loaded = save_step(store, loaded, run, ())
    _set_going(azure, store, loaded)
    store.run_list.save(configuration.id, summary(run, loaded.machines))
    log.info(logline("machines selected", run=id_, machines=len(loaded.machines), topic=run.events.topic))
    return True


def _set_going(azure: Azure, store: Store, loaded: Loaded) -> None:
    """The run's alarm to the second, first; then what it has to tell, and a hint to either queue before the alarm.

    The hints come too early to start anything: the host looks often at a queue that had a message.
    """
    run = loaded.run
    wait = _seconds(opens(run) - azure.clock.now())
    store.queues.send(AdvanceRun(run=run.id, alarm=run.alarm), wait)
    if run.events.is_unsent:
        store.queues.send(SendEvents(configuration=run.configuration, start=run.start))
    store.queues.send(AdvanceRun(run=run.id), max(0, wait - WAKE_RUNS))
    for part in loaded.machines[:1]:
        store.queues.send(StartInstallation(run=run.id, machine=part.machine), max(0, wait - WAKE_STARTS))


def save_step(store: Store, loaded: Loaded, run: Run, machines: tuple[RunMachine, ...]) -> Loaded:
    """The run as it stands after the step. Raises Conflict when another instance goes on with it."""
    store.runs.save(loaded, run, machines)
    again = store.runs.load(run.id)
    if again is None or again.run != run:
        raise Conflict("Another instance goes on with the run.")
    return again


def _seconds(span: timedelta) -> int:
    """Whole ones, never fewer: nothing is opened before its time."""
    return max(0, -int(-span.total_seconds() // 1))
