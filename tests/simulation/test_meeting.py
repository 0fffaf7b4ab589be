"""Two workers on one row: what seeds aim at must really happen."""

from tests.simulation.outcome import template_of
from tests.simulation.story import Line
from tests.simulation.world import World

MEETING = "delivered again"
SEEDS = range(12_001, 12_031)


def test_who_sleeps_before_a_write_is_overtaken_by_another_with_the_same_message() -> None:
    """Somewhere in some seeds: of one seed's two points one may not be come to."""
    assert any(_overtaken(seed) for seed in SEEDS)


def _overtaken(seed: int) -> bool:
    world = World(seed, template_of(seed))
    world.run()
    lines = world.scheduler.story.lines
    return any(_is_overtaken(lines, place) for place, line in enumerate(lines) if line.what.startswith(MEETING))


def _is_overtaken(lines: list[Line], place: int) -> bool:
    """Whether another invocation comes to the sleeper's own step before the sleeper takes it."""
    sleeper = lines[place]
    woken = next(at for at, line in enumerate(lines[place + 1 :], place + 1) if line.number == sleeper.number)
    others = (line for line in lines[place:woken] if line.function == sleeper.function)
    return any(line.step and sleeper.step and _where(line) == _where(sleeper) for line in others if line is not sleeper)


def _where(line: Line) -> tuple[str, str, str]:
    assert line.step is not None
    return line.step.place, line.step.verb, str(line.step.about)
