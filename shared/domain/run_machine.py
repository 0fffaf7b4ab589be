"""One machine's part in a run: where it stands, and the table of what may follow."""

from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from shared.domain.machine import OperatingSystem, Outcome
from shared.domain.reason import Reason


class Step(StrEnum):
    """Where one machine stands in a run."""

    WAITING = "waiting"
    PERMITTED = "permitted"
    RUNNING = "running"
    ENDED = "ended"


TRANSITIONS: dict[Step, frozenset[Step]] = {
    Step.WAITING: frozenset({Step.PERMITTED, Step.ENDED}),
    Step.PERMITTED: frozenset({Step.PERMITTED, Step.RUNNING, Step.ENDED}),
    Step.RUNNING: frozenset({Step.PERMITTED, Step.ENDED}),  # permitted again: its start was refused meanwhile
    Step.ENDED: frozenset(),
}


class RunMachine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One machine's part. `permit_until` bounds the right to start.

    `reason`: why it ended so, or before its end why it waits (domain/returning.py).
    """

    machine: str
    step: Step = Step.WAITING
    permit_until: datetime | None = None
    outcome: Outcome | None = None
    reason: Reason | None = None
    ended: datetime | None = None
    vm_id: str = ""  # which machine was chosen; another may stand at its address later
    system: OperatingSystem = OperatingSystem.UNKNOWN
    region: str = ""  # with the subscription, the throttle that its start waits for
    cut_off: datetime | None = None  # its own, where that is not the run's
    wave: int = 0
    group: str = ""  # availability set
    domain: str = ""  # update domain in it
    listed: bool = False  # chosen for the pre-event; how it stands is judged when the window opens
    aside: bool = False  # the configuration has nothing for it: it counts neither for its wave nor for the run

    @property
    def is_ended(self) -> bool:
        return self.step is Step.ENDED


def ended_part(machine: RunMachine, outcome: Outcome | None, why: Reason | None, now: datetime) -> RunMachine:
    """Its end; a permit it had is gone."""
    return move(machine, Step.ENDED, permit_until=None, outcome=outcome, reason=why, ended=now)


def move(machine: RunMachine, step: Step, **changes: object) -> RunMachine:
    """Raises ValueError for what the table does not allow."""
    if step not in TRANSITIONS[machine.step]:
        raise ValueError(f"A run machine cannot go from {machine.step} to {step}.")
    return replace(machine, step=step, **changes)
