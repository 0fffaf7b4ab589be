"""When to look again: by Azure's Retry-After, ever more seldom, never past the deadline."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.domain.looks import AWAITED, AWAITED_SHARE, PLANNED, TRACES, next_look, next_trace
from shared.domain.operation import ASSESSMENT_DEADLINE, UNCONFIRMED_PATIENCE, Operation, State, gave_up
from tests.domain.samples import NOW, minutes, operation

AZURE_SAYS = 15


def accepted(*, planned: bool = False) -> Operation:
    """Sent at NOW, to be followed for three hours."""
    return replace(operation(State.ACCEPTED), planned=planned)


@pytest.mark.parametrize(
    ("taken", "planned", "wait"),
    [
        (0, False, AZURE_SAYS),
        (60, False, AZURE_SAYS),
        (240, False, 60),
        (3600, False, AWAITED[1] * AZURE_SAYS),
        (0, True, PLANNED * AZURE_SAYS),
        (100, True, PLANNED * AZURE_SAYS),
        (7200, True, PLANNED * AZURE_SAYS),
    ],
)
def test_waits_grow_with_the_time_it_takes(taken: float, wait: int, *, planned: bool) -> None:
    assert next_look(accepted(planned=planned), AZURE_SAYS, NOW + timedelta(seconds=taken)) == wait


@pytest.mark.parametrize("planned", [False, True])
@pytest.mark.parametrize("says", [0, 1, 15, 300])
def test_never_sooner_than_azure_says_nor_in_a_tight_loop(says: int, *, planned: bool) -> None:
    for taken in range(0, 10_900, 50):
        assert next_look(accepted(planned=planned), says, NOW + timedelta(seconds=taken)) >= max(1, says)


def test_the_last_look_is_at_the_deadline() -> None:
    late = NOW + minutes(179)
    assert next_look(accepted(), 60, late) == 60
    assert next_look(accepted(planned=True), AZURE_SAYS, NOW + minutes(178)) == 120
    assert next_look(accepted(planned=True), AZURE_SAYS, late) == 60


def test_a_whole_installation_costs_few_looks_and_none_is_very_late() -> None:
    """Two hours at a Retry-After of 15 s: 480 looks without growing."""
    now, looks = NOW, 0
    while now < NOW + minutes(120):
        now += timedelta(seconds=next_look(accepted(), AZURE_SAYS, now))
        looks += 1
    assert looks < 80
    assert AWAITED[1] * AZURE_SAYS <= 120
    assert AWAITED_SHARE < 1
    assert timedelta(seconds=PLANNED * AZURE_SAYS) < ASSESSMENT_DEADLINE / 10


def test_traces_are_looked_for_ever_more_seldom_and_given_up_in_time() -> None:
    lost = replace(operation(State.UNCONFIRMED), sent=NOW)
    now, waits = NOW, list[int]()
    while not gave_up(lost, now):
        waits.append(next_trace(lost, now))
        now += timedelta(seconds=waits[-1])
    assert waits[0] == TRACES[0]
    assert max(waits) <= TRACES[1]
    assert 10 <= len(waits) <= 15
    assert now - NOW <= UNCONFIRMED_PATIENCE + timedelta(seconds=TRACES[0])
