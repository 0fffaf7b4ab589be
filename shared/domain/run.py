"""A maintenance run: one window and its machines. `advance.py` takes its steps.

A run is an install-now request for one machine (`plan` None), or one dated occurrence of a configuration: then its
machines come in waves (`wave.py`).
"""

from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from shared.domain.installation import InstallationRequest, shortest
from shared.domain.machine import OperatingSystem
from shared.domain.operation import Operation, claim_installation
from shared.domain.permit import PERMIT_LIFE as PERMIT_LIFE
from shared.domain.phase import RUN_TRANSITIONS, Phase, RunOutcome
from shared.domain.reason import Reason, reason
from shared.domain.run_events import Events
from shared.domain.run_machine import TRANSITIONS as TRANSITIONS
from shared.domain.run_machine import RunMachine as RunMachine
from shared.domain.run_machine import Step as Step
from shared.domain.wave import Plan as Plan

# Distance kept from both ends of the window against clock error (design, "clock").
CLOCK_GUARD = timedelta(seconds=2)
# Before this much of the window is left, Azure's answer could come too late: connect and read time-outs of one send.
SEND_TIMEOUT = timedelta(seconds=35)
# Machines that one step changes: with the run's own row they are one transaction (design, "permits").
MOST_CHANGES = 99


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One window `[start, end)` and what it may install; `cut_off` is the last instant an installation may start."""

    id: str
    start: datetime
    end: datetime
    cut_off: datetime
    request: InstallationRequest | None = None  # of an install-now request; else the frozen configuration says what
    requested_by: str
    alarm: int = 0  # number of the run's pending alarm; older ones count for nothing (domain/alarm.py)
    alarm_at: datetime | None = None  # when that comes
    closed: datetime | None = None
    cancelled: datetime | None = None
    cancelled_because: Reason | None = None  # told to what has not started; without one, Cancelled
    configuration: str = ""  # resource id of the configuration that it is an occurrence of
    plan: Plan | None = None
    phase: Phase = Phase.OPEN
    stopped_because: Reason | None = None  # by its own rules nothing starts any more; told to what has not started
    outcome: RunOutcome | None = None
    events: Events = Events()


def install_now(run_id: str, request: InstallationRequest, system: OperatingSystem, who: str, now: datetime) -> Run:
    """The run of an install-now request: window `[now, now + maximumDuration)`."""
    if request.maximum_duration is None:
        raise ValueError("A read request always carries a duration.")
    end = now + request.maximum_duration
    cut_off = end - shortest(system, request.reboot_setting)
    return Run(id=run_id, start=now, end=end, cut_off=cut_off, request=request, requested_by=who)


def opens(run: Run) -> datetime:
    """The first instant at which an installation may be sent."""
    return run.start + CLOCK_GUARD


def last_send(run: Run, machine: RunMachine | None = None) -> datetime:
    """The last instant at which an installation may be sent: cut-off, less clock guard and the send's own time-out."""
    own = machine.cut_off if machine else None
    return min(own or run.cut_off, run.cut_off) - CLOCK_GUARD - SEND_TIMEOUT


def claim_for(run: Run, machine: str, now: datetime, part: RunMachine | None = None) -> Operation:
    """The claim of one machine for this run; `part`: what the run knows of it."""
    return claim_installation(machine, run.id, run.requested_by, now, last_send(run, part), run.end)


def minutes_left(run: Run, now: datetime, cap: timedelta) -> int:
    """`maximumDuration` to send: whole minutes to the window's end, at most `cap`."""
    return int(min(run.end - now, cap).total_seconds() // 60)


def cancelled(run: Run, why: Reason, now: datetime) -> Run:
    """The run in which nothing starts any more; what runs is followed to its end. A second time changes nothing."""
    return run if run.cancelled else replace(run, cancelled=now, cancelled_because=why)


def refusal_to_start(run: Run, now: datetime, machine: RunMachine | None = None) -> Reason | None:
    """Why no installation of this run, or of this machine in it, may start now or later, or None."""
    if run.cancelled:
        return run.cancelled_because or reason("Cancelled")
    if run.stopped_because:
        return run.stopped_because
    return reason("NoTimeLeft") if now > last_send(run, machine) else None


def may_start(run: Run, machine: RunMachine, now: datetime) -> bool:
    """Whether this machine holds a permit that is good at this instant."""
    permitted = machine.step is Step.PERMITTED and machine.permit_until is not None and now < machine.permit_until
    is_open = run.closed is None and run.phase is Phase.OPEN
    return permitted and is_open and refusal_to_start(run, now, machine) is None and now >= opens(run)


def selected(run: Run, plan: Plan) -> Run:
    """All its machines are written down."""
    return replace(to_phase(run, Phase.READY), plan=plan)


def free_at(run: Run, machine: RunMachine) -> datetime | None:
    """From when on nothing leaves on its last permit, whichever instance's clock it was granted by."""
    guard = CLOCK_GUARD if run.plan else timedelta()
    return machine.permit_until + guard if machine.permit_until else None


def to_phase(run: Run, phase: Phase) -> Run:
    """Raises ValueError where no run goes that way."""
    if phase not in RUN_TRANSITIONS[run.phase]:
        raise ValueError(f"A run cannot go from {run.phase} to {phase}.")
    return replace(run, phase=phase)
