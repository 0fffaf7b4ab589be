"""The opening of a configuration's window: when it is frozen, how late it may be, and what each machine's part is.

A run has Azure's form, `.../applyUpdates/{yyyyMMddHHmmss}`, the UTC start under its configuration; its key in storage
is made from just that. So one window can have one run only, whoever opens it and however often.
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from shared.domain.agenda import Item, ItemKind
from shared.domain.assignment import Assignment, matches
from shared.domain.configuration import Configuration, latest_start, next_windows, request_for, schedules_of
from shared.domain.errors import RequestError
from shared.domain.fleet_block import Fleet, share_of, wave_of
from shared.domain.install_patches import systems
from shared.domain.machine import OperatingSystem, Outcome, Record
from shared.domain.maintenance_id import PROVIDER, ConfigurationId
from shared.domain.occurrence import Occurrence
from shared.domain.phase import Phase
from shared.domain.precondition import why_left_alone
from shared.domain.reason import Reason, reason
from shared.domain.run import Plan, Run, RunMachine, Step
from shared.domain.run_events import Events
from shared.domain.wave import Stage

# A configuration counts as it is so long before its window (design, "frozen copy").
FREEZE = timedelta(seconds=60)
# So soon after a configuration its assignments are written (ours): the commands of a script that makes both. Where its
# window is nearer, the pre-event comes this long before the freeze: never both in one second, when others open.
ASSIGNED_WITHIN, TOLD_BEFORE = timedelta(minutes=1), timedelta(seconds=20)
# The agenda looks at an opening so long before it is frozen (ours): two rounds of its timer, and one lost message.
LOOK_AHEAD = timedelta(minutes=3)
# So late a window may be opened (ours), and never by more than a part of its length: what is left must be worth it.
TOLERANCE, TOLERATED_PART = timedelta(minutes=10), 6
# So many seconds before the first installation may be sent a hint wakes the queue of runs, then that of starts (ours).
# The Functions host looks at an idle queue every two seconds only (host.json), but at once, then ever more seldom, when
# there was a message. Source: "Azure Queue storage trigger", polling algorithm.
WAKE_RUNS, WAKE_STARTS = 2, 1
# A run-now request that comes again within this is the same (design, "the API is Azure's").
SAME_REQUEST = timedelta(hours=24)
# What the cut-off allows for already: the smallest useful installation and a reboot (installation.py), at most.
_USUAL = timedelta(minutes=25)
_STAMP = "%Y%m%d%H%M%S"
_NAMESPACE = uuid.UUID("0b6cbb3e-52a5-5b0f-8c3c-6f0a2f6d9a41")  # ours, drawn once
SCHEDULE = "maintenance window"  # who asked, in the records


def stamp(start: datetime) -> str:
    """The name of a run, Azure's: its start in UTC."""
    return start.astimezone(UTC).strftime(_STAMP)


def start_of(name: str) -> datetime:
    """The start that a run's name tells. Raises RequestError 404 for a name that is none."""
    try:
        start = datetime.strptime(name, _STAMP).replace(tzinfo=UTC)
    except ValueError as error:
        raise RequestError(404, "ResourceNotFound", f"'{name}' is not a run; its name is yyyyMMddHHmmss.") from error
    if stamp(start) != name:
        raise RequestError(404, "ResourceNotFound", f"'{name}' is not a run; its name is yyyyMMddHHmmss.")
    return start


def run_id(configuration: ConfigurationId, start: datetime) -> str:
    """Key of the run of a window: a GUID, the same for the same window."""
    return str(uuid.uuid5(_NAMESPACE, f"{configuration.key}|{stamp(start)}"))


def run_address(configuration: ConfigurationId, start: datetime) -> str:
    """Azure's resource id of the run."""
    return f"{configuration}/providers/{PROVIDER}/applyUpdates/{stamp(start)}"


def begin_by(window: Occurrence) -> datetime:
    """The latest instant at which the window may be taken up; later it is missed."""
    return window.start + min(TOLERANCE, (window.end - window.start) / TOLERATED_PART)


def window_at(configuration: Configuration, start: datetime) -> Occurrence | None:
    """The window of an enabled configuration that opens at this instant, if there is one."""
    found = next_windows(configuration, start - timedelta(microseconds=1), 1)
    return found[0] if found and found[0].start == start else None


def window_now(configuration: Configuration, now: datetime) -> Occurrence:
    """A window that opens at once, as long as the configuration's own first one; from a whole second on."""
    start = now.replace(microsecond=0) + (timedelta(seconds=1) if now.microsecond else timedelta())
    return Occurrence(start=start, end=start + schedules_of(configuration)[0].duration)


def opening_item(configuration: Configuration, window: Occurrence, now: datetime) -> Item:
    """The line of the agenda for a window."""
    return Item(
        kind=ItemKind.OPENING,
        id=run_id(configuration.id, window.start),
        since=now,
        configuration=str(configuration.id),
        start=window.start,
        closes_by=window.end,
    )


def look_at(window: Occurrence) -> datetime:
    """When the agenda looks at a window for the first time."""
    return window.start - FREEZE - LOOK_AHEAD


def pre_event_at(configuration: Configuration, start: datetime) -> datetime:
    """When the pre-event of a window is due: from then on, where there is a topic, the configuration is frozen."""
    return start - (configuration.properties.fleet or Fleet()).pre_event_lead


def told_at(configuration: Configuration, start: datetime, now: datetime) -> datetime:
    """When a pre-event is sent of a window that is found, or saved, at this instant: not at once where it is overdue.

    A configuration that is saved within its lead has no machines yet, and is not fixed before they can be assigned.
    """
    return max(pre_event_at(configuration, start), min(now + ASSIGNED_WITHIN, start - FREEZE - TOLD_BEFORE))


def event_item(configuration: Configuration, window: Occurrence, now: datetime) -> Item:
    """The line of the agenda for a window's pre-event."""
    line = opening_item(configuration, window, now)
    return replace(line, kind=ItemKind.EVENT, closes_by=begin_by(window))


def listed_part(record: Record) -> RunMachine:
    """A machine of the run, chosen for its pre-event."""
    return RunMachine(machine=record.machine.id, vm_id=record.machine.vm_id, listed=True)


def begun(configuration: Configuration, window: Occurrence, who: str) -> Run:
    """The run of a window, before its machines are known."""
    starts = [latest_start(configuration, window, each) for each in systems(configuration.properties.install_patches)]
    return Run(
        id=run_id(configuration.id, window.start),
        start=window.start,
        end=window.end,
        cut_off=max(starts),
        requested_by=who,
        configuration=str(configuration.id),
        plan=Plan(begin_by=begin_by(window)),
        phase=Phase.SELECTING,
        events=Events(wait_for=(configuration.properties.fleet or Fleet()).wait_for),
    )


def plan_for(configuration: Configuration, run: Run, machines: int) -> Plan:
    """Pace and budget of a run with so many machines; percentages become counts."""
    fleet = configuration.properties.fleet or Fleet()
    concurrency, failures = fleet.max_concurrency, fleet.max_failures
    return Plan(
        begin_by=run.plan.begin_by if run.plan else run.start,
        concurrency=None if concurrency is None else share_of(concurrency, machines, least=1),
        failures=None if failures is None else share_of(failures, machines),
        look_again=fleet.look_again,
        waves=tuple(
            Stage(name=wave.name, soak=wave.soak, success_threshold=wave.success_threshold) for wave in fleet.waves
        ),
    )


def part_of(
    configuration: Configuration,
    run: Run,
    record: Record,
    update_domain: int | None,
    native: Sequence[Assignment],
    now: datetime,
) -> RunMachine:
    """A selected machine's part: its wave, its cut-off, or at once its end and why.

    `native`: assignments of Azure's own schedules.
    """
    machine, fleet = record.machine, configuration.properties.fleet or Fleet()
    window = Occurrence(start=run.start, end=run.end)
    why = _left_out(configuration, record, run) or _patched_by_azure(record, native)
    known = machine.os is not OperatingSystem.UNKNOWN
    part = RunMachine(
        machine=machine.id,
        vm_id=machine.vm_id,
        system=machine.os,
        region=machine.location,
        cut_off=latest_start(configuration, window, machine.os) - _slower(record, window) if known else None,
        wave=wave_of(fleet.waves, machine, machine.zone, update_domain),
        group=machine.availability_set.lower(),
        # One whose domain is not known shares it with no other.
        domain=machine.id.lower() if update_domain is None else str(update_domain),
    )
    if why is None:
        return part
    return left_out(part, why, now)


def _left_out(configuration: Configuration, record: Record, run: Run) -> Reason | None:
    machine = record.machine
    if record.deleted:
        return reason("Deleted")
    if machine.os is OperatingSystem.UNKNOWN:
        return reason("UnknownSystem")
    if request_for(configuration, machine.os, run.start) is None:
        return reason("SystemNotPatched", machine.os)
    return why_left_alone(machine)


def _patched_by_azure(record: Record, native: Sequence[Assignment]) -> Reason | None:
    found = [str(each.id) for each in native if matches(each, record.machine)]
    return reason("NativeSchedule", ", ".join(found)) if found else None


def _slower(record: Record, window: Occurrence) -> timedelta:
    """By how much this machine must start earlier: its last good installation took longer than the smallest does.

    Never more than half of the window: a machine that once was slow is not left out for ever (ours).
    """
    last = record.installation
    if last is None or last.outcome is not Outcome.SUCCEEDED or not last.counts.get("installed"):
        return timedelta()
    return max(timedelta(), min(last.ended - last.started, (window.end - window.start) / 2) - _USUAL)


def left_out(part: RunMachine, why: Reason, now: datetime) -> RunMachine:
    """Its end before the run has begun."""
    aside = why.code in ("SystemNotPatched", "UpdatedThroughCluster")
    return replace(part, step=Step.ENDED, outcome=Outcome.NOT_STARTED, reason=why, ended=now, aside=aside)
