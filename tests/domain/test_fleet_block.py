"""Our block's figures: shares, soak times, and which wave a machine belongs to."""

import random
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.domain.fleet_block import Fleet, TagValues, Wave, read_fleet, share_of, soaking, wave_of
from tests.domain.samples import ARC, VM, machine


@pytest.mark.parametrize(
    ("share", "machines", "least", "count"),
    [
        (5, 3, 0, 5),
        (0, 100, 0, 0),
        ("10%", 100, 0, 10),
        ("10%", 109, 0, 10),
        ("10%", 9, 0, 0),
        ("10%", 9, 1, 1),
        ("100%", 7, 1, 7),
        ("0%", 1000, 0, 0),
        ("33%", 0, 1, 1),
    ],
)
def test_shares(share: int | str, machines: int, least: int, count: int) -> None:
    assert share_of(share, machines, least=least) == count


@pytest.mark.parametrize(("given", "kept"), [(7, 7), ("7", 7), (" 20 % ", "20%"), ("007%", "7%"), (None, None)])
def test_shares_are_normalised(given: int | str | None, kept: int | str | None) -> None:
    assert read_fleet(Fleet(max_concurrency=given, max_failures=given)) == Fleet(
        max_concurrency=kept, max_failures=kept
    )


def test_nothing_waits_after_the_last_wave() -> None:
    waves = tuple(Wave(name=str(hours), zones=("1",), soak=timedelta(hours=hours)) for hours in (1, 2, 4))
    assert soaking(Fleet(waves=waves)) == timedelta(hours=3)
    assert soaking(Fleet()) == timedelta()


WAVES = (
    Wave(name="pilot", tag=TagValues(name="Ring", values=("0", "Canary"))),
    Wave(name="zone one", zones=("1",)),
    Wave(name="first domains", update_domains=(0, 1)),
    Wave(name="listed", machines=(VM.upper(),)),
)


@pytest.mark.parametrize(
    ("tags", "zone", "domain", "wave"),
    [
        ({"ring": "canary"}, "1", 0, 0),
        ({"ring": "1"}, "1", 0, 1),
        ({"other": "0"}, "2", 1, 2),
        ({}, "", 0, 2),
        ({}, "2", 2, 3),
        ({}, "", None, 3),
    ],
)
def test_the_first_wave_that_names_a_machine(tags: dict[str, str], zone: str, domain: int | None, wave: int) -> None:
    assert wave_of(WAVES, replace(machine(), tags=tags), zone, domain) == wave


def test_a_machine_that_no_wave_names_comes_last() -> None:
    assert wave_of(WAVES, machine(ARC)) == len(WAVES)
    assert wave_of((), machine()) == 0


def test_every_machine_has_one_wave() -> None:
    dice = random.Random(1)
    for _ in range(300):
        waves = tuple(dice.sample(WAVES, dice.randint(0, len(WAVES))))
        given = replace(machine(dice.choice([VM, ARC])), tags={"Ring": dice.choice("0123")})
        zone, domain = dice.choice(["", "1", "2"]), dice.choice([None, 0, 5])
        found = wave_of(waves, given, zone, domain)
        alone = [wave_of([wave], given, zone, domain) == 0 for wave in waves]
        assert found == (alone.index(True) if True in alone else len(waves))
