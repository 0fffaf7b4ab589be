"""Waves of a run: one after the other, with a soak time and a success threshold between them.

Machines carry the number of their wave (`fleet_block.wave_of`); those that no wave names come last.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from shared.domain.machine import Outcome
from shared.domain.reason import Reason, reason
from shared.domain.returning import is_away
from shared.domain.run_machine import RunMachine

_GOOD = (Outcome.SUCCEEDED, Outcome.WARNINGS)


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One wave of a run: what has to come to pass after it before the next begins. The threshold is in percent."""

    name: str
    soak: timedelta = timedelta()
    success_threshold: int = 0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How the machines of a configuration's run come one after the other. Shares are counts of machines by now."""

    begin_by: datetime  # taken up later than this, it is missed
    concurrency: int | None = None
    failures: int | None = None
    waves: tuple[Stage, ...] = ()
    look_again: bool = False  # at machines that are off or disconnected


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """Which wave's turn it is; not before `since`, when that is given. `refusal`: why no further wave may begin."""

    wave: int
    since: datetime | None = None
    refusal: Reason | None = None


def gate(stages: Sequence[Stage], machines: Sequence[RunMachine]) -> Gate:
    """The first wave with a machine that has to be waited for, if those before it allow it.

    The soak of a wave counts from the end of its last machine that was started; a wave in which nothing was started
    has nothing to soak. Machines set aside count for nothing; those that are away are not waited for, nor good so far.
    """
    since: datetime | None = None
    for number in sorted({machine.wave for machine in machines}):
        members = [machine for machine in machines if machine.wave == number]
        if any(not machine.is_ended and not is_away(machine.reason) for machine in members):
            return Gate(wave=number, since=since)
        if number < len(stages):
            below = _below(stages[number], members)
            if below and any(machine.wave > number and not machine.is_ended for machine in machines):
                return Gate(wave=number, refusal=below)
            since = max((each for each in (since, _soaked(stages[number], members)) if each), default=None)
    return Gate(wave=len(stages) + 1, since=since)


def _below(stage: Stage, members: list[RunMachine]) -> Reason | None:
    counted = [machine for machine in members if not machine.aside]
    good = sum(machine.outcome in _GOOD for machine in counted)
    if good * 100 >= stage.success_threshold * len(counted):
        return None
    detail = f"wave {stage.name}: {good} of {len(counted)} succeeded, {stage.success_threshold} % are needed"
    return reason("WaveBelowThreshold", detail)


def _soaked(stage: Stage, members: list[RunMachine]) -> datetime | None:
    ends = [each.ended for each in members if each.ended and each.outcome is not Outcome.NOT_STARTED]
    return max(ends) + stage.soak if ends else None
