"""When an operation is sent, looked at and missed: its slot, Azure's word, its looks, and a busy machine's retries."""

from datetime import datetime, timedelta

import pytest

from shared.domain.operation import (
    ASSESSMENT_DEADLINE,
    ASSESSMENT_PATIENCE,
    MESSAGE_PATIENCE,
    SENDING_PATIENCE,
    Accepted,
    Operation,
    OperationKind,
    Refused,
    State,
    answered,
    claim_assessment,
    is_overdue,
    looked,
    seconds_to_wait,
    sending,
    with_slot,
)
from tests.domain.samples import NOW, VM, minutes, operation

ACCEPTED = Accepted(url="https://a/op", result_url="https://a/result", retry_after=17)


def refused(status: int, retry_after: int = 0) -> Refused:
    return Refused(status=status, code="Code", message="Message.", retry_after=retry_after)


def test_a_claim_to_assess_is_patient_from_its_slot_on() -> None:
    slot = NOW + minutes(12)
    later = claim_assessment(VM, "attempt", "someone", NOW, slot)
    assert (later.not_before, later.paced) == (slot, True)
    assert later.not_after == slot + ASSESSMENT_PATIENCE
    assert later.deadline == slot + ASSESSMENT_DEADLINE


def test_a_claim_waits_for_azures_word_and_for_its_slot() -> None:
    """Whole seconds, never fewer; a refusal uses the slot up, and so does the sending."""
    fresh = operation()
    assert seconds_to_wait(fresh, NOW) == 0
    slotted = with_slot(fresh, NOW + timedelta(milliseconds=1500))
    assert (seconds_to_wait(slotted, NOW), seconds_to_wait(slotted, NOW + timedelta(seconds=2))) == (2, 0)
    left = sending(slotted, NOW + timedelta(seconds=2))
    assert (left.not_before, left.paced) == (None, False)
    waits, delay = answered(left, refused(429, 90), NOW + timedelta(seconds=3))
    assert (waits.not_before, waits.paced, delay) == (NOW + timedelta(seconds=93), False, 90)


def test_a_look_counts_and_sets_the_next() -> None:
    taken = answered(operation(State.SENDING), ACCEPTED, NOW)[0]
    assert (taken.looks, taken.look_at) == (0, NOW + timedelta(seconds=ACCEPTED.retry_after))
    again = looked(taken, NOW + minutes(1), 20)
    assert (again.state, again.looks, again.look_at) == (State.ACCEPTED, 1, NOW + timedelta(seconds=80))


@pytest.mark.parametrize(
    ("moved", "due"),
    [
        (with_slot(operation(), NOW + minutes(3)), NOW + minutes(3)),
        (operation(), NOW),
        (operation(State.SENDING), NOW + SENDING_PATIENCE),
        (looked(operation(State.ACCEPTED), NOW, 60), NOW + minutes(1)),
        (looked(operation(State.UNCONFIRMED), NOW, 60), NOW + minutes(1)),
    ],
)
def test_a_message_that_does_not_come_is_missed_after_its_patience(moved: Operation, due: datetime) -> None:
    missed = due + MESSAGE_PATIENCE
    assert not is_overdue(moved, missed - timedelta(milliseconds=1))
    assert is_overdue(moved, missed)


def test_an_ended_operation_misses_nothing() -> None:
    assert not is_overdue(operation(State.ENDED), NOW + minutes(9999))


def test_a_claim_to_assess() -> None:
    claimed = claim_assessment(VM, "attempt", "someone", NOW, NOW)
    assert (claimed.state, claimed.kind, claimed.sent) == (State.CLAIMED, OperationKind.ASSESSMENT, None)
    assert claimed.not_after == NOW + ASSESSMENT_PATIENCE
    assert claimed.deadline == NOW + ASSESSMENT_DEADLINE
    assert claimed.deadline > claimed.not_after


# Azure's guest-patch throttle per machine: a first six, then two a minute ("Troubleshoot API throttling errors").
MACHINE_BURST, MACHINE_PER_MINUTE = 6, 2


def test_asking_a_busy_machine_again_stays_within_its_throttle() -> None:
    """Azure would answer 429 beyond it, which holds up the whole region."""
    asked, now = claim_assessment(VM, "attempt", "someone", NOW, NOW), NOW
    tokens = float(MACHINE_BURST)
    while asked.state is State.CLAIMED:
        assert tokens >= 1, f"throttled {now - NOW} after the first request"
        tokens -= 1
        asked, delay = answered(sending(asked, now), refused(409), now)
        now += minutes(delay / 60)
        tokens = min(MACHINE_BURST, tokens + MACHINE_PER_MINUTE * delay / 60)
    assert now > NOW + ASSESSMENT_PATIENCE / 2
