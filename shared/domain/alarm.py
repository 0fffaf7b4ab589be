"""A run's alarm: the one message that comes when time alone brings its next step.

A run has one at a time, however often its messages come. A new one is set when it is spent, when something is due
before it, or when it is so late that it must be lost.
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.domain.messages import AdvanceRun
from shared.domain.run import Run

# So late a message may be (ours): the queue of a busy app is not empty, and whoever set a new alarm at every step
# meanwhile would put off for ever what only an alarm looks at.
PATIENCE = timedelta(seconds=30)
# Alarms are set in whole seconds, rounded up: one that comes to the second is not put off for them.
ROUNDING = timedelta(seconds=1)


def with_alarm(run: Run, at: datetime, now: datetime, *, spent: bool) -> Run:
    """The run with an alarm that comes at this instant or before; `spent`: the pending one has come.

    One that is lost is made up for at once: nobody else knows what it was for.
    """
    pending = None if spent else run.alarm_at
    if pending is None or at < pending:
        return replace(run, alarm=run.alarm + 1, alarm_at=at)
    return replace(run, alarm=run.alarm + 1, alarm_at=now) if is_lost(run, now) else run


def without_alarm(run: Run) -> Run:
    """The run after its alarm has come, where time alone brings nothing more."""
    return replace(run, alarm_at=None)


def is_lost(run: Run, now: datetime) -> bool:
    """Whether the pending alarm is so late that it will not come."""
    return run.alarm_at is not None and now >= run.alarm_at + PATIENCE


def is_spent(run: Run, message: AdvanceRun) -> bool:
    """Whether this message is the pending alarm, or the agenda's in its place."""
    return message.alarm == run.alarm


def is_outdated(run: Run, message: AdvanceRun, now: datetime) -> bool:
    """Whether this alarm has nothing to say: a later one is still to come."""
    if message.alarm is None or message.heals or is_spent(run, message):
        return False
    return run.alarm_at is not None and now + ROUNDING < run.alarm_at
