"""What becomes of machines about a window, drawn before anything runs."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

from tests.simulation.wishes import Target, some

AWAY = ("poweredOff", "deallocated", "disconnected")
SHARES = {"move": 0.25, "delete": 0.2, "recreate": 0.15, "stopAgent": 0.3, "forbidExtensions": 0.3}
"""Of the days; verbs of the sandbox's."""
OTHER_SYSTEMS = 0.2
"""Days on which a machine is found to run what Azure does not patch, or has not said yet what it runs."""
ONLY_VMS = ("stopAgent", "forbidExtensions")


class Change(NamedTuple):
    """What becomes of a machine at a second: a verb of the sandbox's."""

    at: float
    verb: str
    machine: Target


def draw_changes(
    random: Random, opening: float, early: Sequence[Target], returning: Sequence[Target]
) -> Iterator[Change]:
    """`early`: machines of the first wave; `returning`: of which some are away and come back. An inventory sees the
    first change."""
    yield from _systems(random, opening, early)
    for verb, share in SHARES.items():
        able = [each for each in early if each.is_vm or verb not in ONLY_VMS]
        if able and random.random() < share:
            yield Change(random.uniform(opening - 120, opening + 20), verb, random.choice(able))
    yield from _returns(random, opening, returning)


def _systems(random: Random, opening: float, machines: Sequence[Target]) -> Iterator[Change]:
    if machines and random.random() < OTHER_SYSTEMS:
        machine = random.choice(machines)
        windows = machine.is_vm and machine.os == "Windows"
        if windows or not machine.is_vm:
            at = random.uniform(10, opening - 120)
            yield Change(at, "runClient" if windows else "hideSystem", machine)


def _returns(random: Random, opening: float, machines: Sequence[Target]) -> Iterator[Change]:
    """One that was off from the beginning, and one that is switched off before the opening, come back in the window."""
    for machine in [each for each in machines if each.script in AWAY][:1]:
        yield Change(random.uniform(opening, opening + 200), "start", machine)
    for machine in some(random, [each for each in machines if each.script == "healthy"], 0.5):
        yield Change(random.uniform(opening - 60, opening), "stop", machine)
        yield Change(random.uniform(opening + 5, opening + 200), "start", machine)
