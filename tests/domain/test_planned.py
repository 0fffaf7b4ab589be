"""Planned assessments: who goes together, when they are looked at, and which result ends one of them."""

import base64
import uuid
from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from shared.domain.agenda import HEAL_PLANNED
from shared.domain.agenda import is_looked_at_together as item_is_together
from shared.domain.bucket import SLOT_LIFE
from shared.domain.looks import PLANNED
from shared.domain.machine import Assessment, Outcome
from shared.domain.messages import FollowPlanned, Planned
from shared.domain.operation import MESSAGE_PATIENCE, Accepted, Operation, State, answered
from shared.domain.planned import (
    LARGEST_START,
    LOOKS,
    MOST_REFUSED,
    NOISE,
    REFUSED_WAIT,
    START_SPREAD,
    Paced,
    accepted,
    are_usable,
    as_accepted,
    claim,
    first_tended,
    is_doubtful,
    last_slot,
    line,
    look_again,
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
    many = [paced(number, region="north" if number % 2 else "south") for number in range(2 * LARGEST_START)]
    assert {len({int(each.attempt[1:]) % 2 for each in together}) for together in starts(many)} == {1}


def test_what_is_left_of_several_throttles_goes_together() -> None:
    many = [paced(number, region=f"r{number % 3}") for number in range(10)]
    assert [len(each) for each in starts(many)] == [10]
    assert [len(each) for each in starts([paced(n, region=f"r{n % 3}") for n in range(3 * LARGEST_START + 9)])] == [
        *[LARGEST_START] * 3,
        9,
    ]


def test_what_is_far_apart_does_not_go_together() -> None:
    far = START_SPREAD + TICK
    many = [paced(number, region=f"r{number % 3}", after=number % 3 * far) for number in range(12)]
    assert [len(each) for each in starts(many)] == [4, 4, 4]


def test_the_last_slot_is_the_last_of_any_throttle() -> None:
    assert last_slot([planned(1, 2 * TICK), planned(2, 3 * TICK), planned(3)]) == NOW + 3 * TICK


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
    assert [len(each) for each in starts([paced(number) for number in range(140)])] == [60, 60, 20]
    assert LARGEST_START == 60


def test_the_longest_names_fit_a_queue_message() -> None:
    """64 KiB in base64. Source: "Scalability and performance targets for Queue Storage"; names: Azure's naming rules,
    where a resource group has up to 90 letters of any language."""
    where = f"/subscriptions/{uuid.UUID(int=0)}/resourceGroups/{'漢' * 90}/providers/Microsoft.Compute/virtualMachines"
    each = Planned(
        machine=f"{where}/{'v' * 64}",
        attempt=str(uuid.UUID(int=0)),
        slot=NOW.replace(microsecond=1),
        sent=NOW.replace(microsecond=1),
        etag="W/\"datetime'2026-03-10T12%3A00%3A00.1234567Z'\"",
    )
    message = FollowPlanned(
        first=each.attempt,
        due=each.slot,
        machines=(each,) * LARGEST_START,
        unit=3600,
        requested_by="periodic assessment",
    )
    assert len(base64.b64encode(msgspec.json.encode(message))) < 64 * 1024


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
    assert waits == [300, 360, None]
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


FOLLOW = FollowPlanned(first="a1", due=NOW, machines=(planned(1), planned(2)), unit=15, requested_by="w")


def test_what_azure_accepted_is_known_by_the_message_alone() -> None:
    sent = claim(planned(1), "w", NOW + TICK)
    kept, _ = answered(sent, Accepted(url="u", result_url="r", retry_after=15), NOW + 2 * TICK)
    told = as_accepted(accepted(planned(1), kept, "etag"), FOLLOW)
    assert told
    assert replace(told, url="u", result_url="r", look_at=kept.look_at) == replace(kept, retry_after=15)


@pytest.mark.parametrize("state", [state for state in State if state is not State.ACCEPTED])
def test_of_what_was_not_accepted_the_message_tells_nothing(state: State) -> None:
    kept = replace(claim(planned(1), "w", NOW), state=state)
    assert accepted(planned(1), kept, "etag") == planned(1)
    assert as_accepted(planned(1), FOLLOW) is None


def test_one_that_moved_on_elsewhere_has_no_etag_to_tell() -> None:
    kept = replace(claim(planned(1), "w", NOW), state=State.ACCEPTED)
    assert accepted(planned(1), kept, "") == planned(1)


def test_a_look_that_was_made_is_followed_by_the_next() -> None:
    assert look_again(FOLLOW, (), None) is None
    following, wait = look_again(FOLLOW, FOLLOW.machines[:1], None) or (FOLLOW, 0)
    assert (following.look, following.machines, wait) == (1, FOLLOW.machines[:1], LOOKS[1] * 15)
    assert look_again(replace(FOLLOW, look=len(LOOKS) - 1), FOLLOW.machines, None) is None


def test_a_look_that_the_quota_refused_is_made_again_but_not_for_ever() -> None:
    message, waits = FOLLOW, []
    while message.look == 0:
        message, wait = look_again(message, FOLLOW.machines, 0) or (FOLLOW, 0)
        waits.append(wait)
    assert waits == [*[REFUSED_WAIT] * MOST_REFUSED, LOOKS[1] * 15]
    assert message.refused == MOST_REFUSED, "of all looks together"
    assert look_again(FOLLOW, FOLLOW.machines, 3) == (replace(FOLLOW, refused=1), 3)


def test_others_leave_it_alone_while_it_is_looked_at_together() -> None:
    item = line(planned(1), NOW)
    assert item_is_together(item, NOW + HEAL_PLANNED - TICK)
    assert not item_is_together(item, NOW + HEAL_PLANNED)
    assert not item_is_together(replace(item, planned=False), NOW)
    assert timedelta(seconds=PLANNED * 15) + MESSAGE_PATIENCE < HEAL_PLANNED, "then its own look is overdue"
