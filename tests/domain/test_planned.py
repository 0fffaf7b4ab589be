"""Planned assessments: who goes together, when they are looked at, and which result ends one of them."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.domain.bucket import SLOT_LIFE
from shared.domain.looks import PLANNED
from shared.domain.machine import Assessment, Outcome
from shared.domain.messages import Planned
from shared.domain.operation import Operation, State
from shared.domain.planned import (
    LARGEST_START,
    LOOKS,
    NOISE,
    START_SPREAD,
    Paced,
    are_usable,
    claim,
    first_tended,
    is_doubtful,
    line,
    next_look,
    proves,
    starts,
)
from tests.domain.samples import NOW, VM, assessment, operation

TICK = timedelta(milliseconds=1)


def planned(number: int, after: timedelta = timedelta()) -> Planned:
    return Planned(machine=f"{VM}{number}", attempt=f"a{number}", slot=NOW + after)


def paced(number: int, subscription: str = "s", region: str = "r", after: timedelta = timedelta()) -> Paced:
    return Paced(subscription=subscription, region=region, planned=planned(number, after))


def test_a_throttles_machines_go_together() -> None:
    many = [paced(number, region="north" if number % 2 else "south") for number in range(10)]
    assert {len(each) for each in starts(many)} == {5}


def test_every_machine_goes_once_and_none_waits_for_another_subscription() -> None:
    many = [paced(number, subscription=f"s{number // 7}", region=f"r{number % 2}") for number in range(100)]
    taken: list[int] = []

    def told() -> Iterator[Paced]:
        for number, each in enumerate(many):
            taken.append(number)
            yield each

    gone: list[Planned] = []
    for together in starts(told()):
        gone += together
        assert {int(each.attempt[1:]) // 7 for each in together} <= {taken[-1] // 7 - 1, taken[-1] // 7}
    assert sorted(each.attempt for each in gone) == sorted(each.planned.attempt for each in many)


def test_no_message_starts_more_than_it_has_time_for() -> None:
    assert [len(each) for each in starts([paced(number) for number in range(50)])] == [20, 20, 10]
    assert LARGEST_START == 20


def test_all_slots_of_a_message_are_good_when_the_last_one_is_due() -> None:
    step = START_SPREAD / 10
    for together in starts([paced(number, after=number * step) for number in range(60)]):
        assert are_usable(together, together[-1].slot)
        assert not are_usable(together, together[0].slot + SLOT_LIFE + TICK)
        assert first_tended(together) > together[-1].slot


def test_a_claim_says_at_once_that_it_is_being_sent() -> None:
    held = claim(planned(1), "w", NOW + TICK)
    assert (held.state, held.sent, held.planned, held.requested_by) == (State.SENDING, NOW + TICK, True, "w")
    assert line(planned(1), NOW).closes_by == claim(planned(1), "w", NOW).deadline


def test_the_looks_come_to_an_end_before_the_own_look_is_due() -> None:
    waits = [next_look(look, 15) for look in range(len(LOOKS) + 1)]
    assert waits == [60, 60, 120, 180, None]
    assert sum(LOOKS) < PLANNED
    assert next_look(0, 0) == LOOKS[0]


ACCEPTED = replace(operation(State.ACCEPTED), planned=True)
OWN = assessment(ended=NOW + timedelta(minutes=2))


def test_a_newer_success_is_the_end() -> None:
    assert proves(ACCEPTED, OWN)
    assert proves(ACCEPTED, replace(OWN, started=NOW - NOISE))
    assert not is_doubtful(ACCEPTED, OWN)


@pytest.mark.parametrize(
    "other",
    [
        replace(OWN, outcome=Outcome.FAILED),
        replace(OWN, outcome=Outcome.WARNINGS),
        replace(OWN, outcome=Outcome.UNKNOWN),
        replace(OWN, started_by="Platform"),
    ],
)
def test_of_every_other_end_azure_itself_is_asked(other: Assessment) -> None:
    assert not proves(ACCEPTED, other)
    assert is_doubtful(ACCEPTED, other)


@pytest.mark.parametrize(
    "held",
    [
        replace(ACCEPTED, planned=False),
        replace(ACCEPTED, sent=None),
        replace(ACCEPTED, sent=OWN.started + NOISE + TICK),
        *(replace(operation(state), planned=True) for state in State if state is not State.ACCEPTED),
    ],
)
def test_nothing_else_is_ended_by_what_resource_graph_shows(held: Operation) -> None:
    assert not proves(held, OWN)
    assert not is_doubtful(held, OWN)
