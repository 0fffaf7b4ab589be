"""Seeds that live in one process: each is told of, whatever becomes of the process."""

import os
from pathlib import Path

import pytest

from tests.simulation.evidence import Broken
from tests.simulation.outcome import Outcome
from tests.simulation.plan import TEMPLATES
from tests.simulation.runner import TOGETHER, Runner, first_broken
from tests.simulation.template import Template
from tests.simulation.world import Parts


def _living(seed: int, template: Template, parts: Parts) -> Outcome:
    if seed == 3:
        raise RuntimeError("seed three")
    if seed == 5:
        os._exit(1)
    return Outcome(seed=seed, broken=[], steps=seed)


def _whys(seeds: range) -> dict[int, str]:
    found = Runner(living=_living).run(iter(seeds), lambda: True)
    return {each.seed: each.broken[0].what if each.broken else "" for each in found}


def test_every_seed_is_told_of_though_one_raises_and_one_ends_its_process() -> None:
    whys = _whys(range(10))
    assert sorted(whys) == list(range(10))
    assert "seed three" in whys[3]
    assert [seed for seed, why in whys.items() if why == "the process ended without a word"] == [5, 6, 7]
    assert [seed for seed, why in sorted(whys.items()) if not why] == [0, 1, 2, 4, 8, 9]


def test_two_seeds_of_one_fleet_never_share_a_process() -> None:
    assert TOGETHER <= TEMPLATES
    with pytest.raises(ValueError, match="cannot live in one process"):
        _whys(range(0, 2 * TEMPLATES, TEMPLATES))


def test_the_first_broken_law_is_told_at_once_and_nobody_goes_on(tmp_path: Path) -> None:
    def hanging(seed: int, template: Template, parts: Parts) -> Outcome:
        """All but the first few hang; the second says that a law broke."""
        (tmp_path / str(os.getpid())).touch()
        while seed >= TOGETHER:
            pass
        return Outcome(seed=seed, broken=[Broken("a law", "broke")] if seed == 1 else [])

    runner = Runner(living=hanging, at_once=2)
    assert first_broken(runner.run(iter(range(2 * TOGETHER)), lambda: True)) == (2, "a law")
    for file in tmp_path.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.name), 0)
