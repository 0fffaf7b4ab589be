"""The judges of the long proofs can say no: each law broken in a made-up journal, and Azure's bucket overdrawn."""

from datetime import timedelta

import pytest

from tests.scenarios.judging import Arrival, Starts
from tests.scenarios.tokens import BURST, Tokens
from tests.simulation.clock import START


def arrival(attempt: str, *, accepted: bool) -> Arrival:
    return Arrival(event="request", client_request_id=attempt, status=202 if accepted else 409, effect=accepted)


YES, NO = arrival("a", accepted=True), arrival("a", accepted=False)
AGAIN = arrival("b", accepted=True)


@pytest.mark.parametrize(
    ("left", "arrived", "complaints"),
    [
        (["a"], [YES], 0),
        (["a", "a"], [NO, YES], 0),
        (["a", "b"], [AGAIN], 0),
        (["a"], [], 1),
        (["a"], [NO], 1),
        (["a", "a"], [YES, YES], 2),
        (["a", "b"], [YES, AGAIN], 1),
        ([], [YES], 1),
    ],
)
def test_a_second_start_is_right_only_after_one_that_came_to_nothing(
    left: list[str], arrived: list[Arrival], complaints: int
) -> None:
    assert len(Starts(machine="m", left=left, arrived=arrived).complaints()) == complaints


def test_the_story_of_a_machine_names_each_start() -> None:
    starts = Starts(machine="/s/vm", left=["a", "b", "b"], arrived=[arrival("b", accepted=False), AGAIN])
    assert starts.story() == "vm: never arrived, then refused with 409, then accepted"


def test_the_bucket_counts_what_is_above_it() -> None:
    tokens = Tokens()
    for _ in range(BURST + 3):
        tokens.call(START)
    tokens.call(START + timedelta(milliseconds=300))
    assert (tokens.refused, round(tokens.lowest)) == (3, 0)
