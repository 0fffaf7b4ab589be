"""An operation's states: every allowed move, every illegal one, and what each answer of Azure means in each state."""

from collections.abc import Callable
from datetime import timedelta
from itertools import product

import msgspec
import pytest

from shared.domain.machine import Outcome
from shared.domain.operation import (
    ASSESSMENT_PATIENCE,
    LEAVE_WITHIN,
    SENDING_PATIENCE,
    TRANSITIONS,
    UNCONFIRMED_PATIENCE,
    Accepted,
    Answer,
    NotSent,
    Operation,
    OperationKind,
    Refused,
    State,
    Unanswered,
    answered,
    assessed,
    confirmed,
    end,
    gave_up,
    installed,
    leave_by,
    lost_answer,
    sending,
)
from shared.domain.reason import reason
from shared.domain.retries import BUSY_RETRIES, PLANNED_RETRIES, wait_before
from shared.domain.run import SEND_TIMEOUT
from tests.domain.samples import NOW, assessment, installation, minutes, operation

WHY = reason("NoAnswer")
ACCEPTED = Accepted(url="https://a/op", result_url="https://a/result", retry_after=17)
UNANSWERED = Unanswered(detail="read timed out")


def refused(status: int, retry_after: int = 0) -> Refused:
    return Refused(status=status, code="Code", message="Message.", retry_after=retry_after)


# How each target state is reached: the only ways out of the domain.
MOVES: dict[State, Callable[[Operation], Operation]] = {
    State.SENDING: lambda o: sending(o, NOW),
    State.CLAIMED: lambda o: answered(o, refused(409), NOW)[0],
    State.ACCEPTED: lambda o: answered(o, ACCEPTED, NOW)[0],
    State.UNCONFIRMED: lambda o: answered(o, UNANSWERED, NOW)[0],
    State.ENDED: lambda o: end(o, Outcome.UNKNOWN, WHY, NOW),
}
LEGAL = {
    (State.CLAIMED, State.SENDING),
    (State.CLAIMED, State.ENDED),
    (State.SENDING, State.CLAIMED),
    (State.SENDING, State.ACCEPTED),
    (State.SENDING, State.UNCONFIRMED),
    (State.SENDING, State.ENDED),
    (State.ACCEPTED, State.ENDED),
    (State.UNCONFIRMED, State.ACCEPTED),
    (State.UNCONFIRMED, State.ENDED),
}


@pytest.mark.parametrize(("before", "after"), list(product(State, State)))
def test_every_move(before: State, after: State) -> None:
    move = MOVES[after]
    if (before, after) in LEGAL:
        assert move(operation(before)).state is after
    else:
        with pytest.raises(ValueError, match=f"cannot go from {before} to {after}"):
            move(operation(before))


def test_the_table_says_the_same() -> None:
    assert {(before, after) for before in State for after in TRANSITIONS[before]} == LEGAL


def test_only_a_claimed_operation_is_sent() -> None:
    """`sending` is the one door to the wire."""
    assert [state for state in State if State.SENDING in TRANSITIONS[state]] == [State.CLAIMED]


# What may have reached Azure: everything but a refusal and a request that never left.
MAY_HAVE_ARRIVED: list[Answer] = [ACCEPTED, Accepted(url="", result_url="", retry_after=0), UNANSWERED]
NEVER_ARRIVED: list[Answer] = [
    *(refused(status) for status in (400, 401, 403, 404, 409, 410, 412, 429)),
    NotSent(detail="no token"),
]


@pytest.mark.parametrize("answer", MAY_HAVE_ARRIVED)
def test_what_may_have_arrived_is_never_sent_again(answer: Answer) -> None:
    """From there on, no state can be reached in which the request may be sent."""
    reached, frontier = set[State](), {answered(operation(State.SENDING), answer, NOW)[0].state}
    while frontier:
        reached |= frontier
        frontier = {after for state in frontier for after in TRANSITIONS[state]} - reached
    assert reached.isdisjoint({State.CLAIMED, State.SENDING})


def test_a_lost_answer_is_never_sent_again() -> None:
    lost = lost_answer(operation(State.SENDING), NOW + SENDING_PATIENCE)
    assert lost is not None
    assert lost.state is State.UNCONFIRMED


@pytest.mark.parametrize("answer", NEVER_ARRIVED)
def test_what_never_arrived_is_claimed_again_or_ends_unstarted(answer: Answer) -> None:
    after, _ = answered(operation(State.SENDING), answer, NOW)
    assert after.state in (State.CLAIMED, State.ENDED)
    assert after.reason is not None
    assert (after.outcome is Outcome.NOT_STARTED) == (after.state is State.ENDED)


# answer, why unreachable, state afterwards, reason, delay; asked long before the last instant to send.
MEANINGS: list[tuple[Answer, str, State, str, int]] = [
    (ACCEPTED, "", State.ACCEPTED, "", 17),
    (UNANSWERED, "", State.UNCONFIRMED, "StartUnconfirmed", 0),
    (refused(409), "", State.CLAIMED, "MachineBusy", wait_before(0, planned=False)),
    (refused(409, 40), "", State.CLAIMED, "MachineBusy", 40),
    (refused(409), "PoweredOff", State.ENDED, "PoweredOff", 0),
    (refused(429), "", State.CLAIMED, "Throttled", wait_before(0, planned=False)),
    (refused(429, 30), "", State.CLAIMED, "Throttled", 30),
    (refused(400), "", State.ENDED, "StartRefused", 0),
    (refused(403), "", State.ENDED, "StartRefused", 0),
    (refused(404), "", State.ENDED, "StartRefused", 0),
    (NotSent(detail="no token"), "", State.CLAIMED, "Unsent", wait_before(0, planned=False)),
]


def test_a_request_leaves_soon_after_sending_was_recorded_or_not_at_all() -> None:
    """Its claim may be gone once nobody waits for the answer of a `sending` any more."""
    going = sending(operation(), NOW + minutes(5))
    assert leave_by(going) == NOW + minutes(5) + LEAVE_WITHIN
    assert LEAVE_WITHIN + SEND_TIMEOUT < SENDING_PATIENCE
    late = sending(operation(), operation().not_after - timedelta(seconds=1))
    assert leave_by(late) == late.not_after


@pytest.mark.parametrize(("at", "code"), [(minutes(5), "Unsent"), (minutes(61), "NoTimeLeft")])
def test_a_request_that_could_not_leave_in_time_is_tried_again_while_there_is_time(at: timedelta, code: str) -> None:
    after, _ = answered(operation(State.SENDING), NotSent(detail="late"), NOW + at)
    assert after.reason is not None
    assert (after.reason.code, after.state is State.ENDED) == (code, code == "NoTimeLeft")


@pytest.mark.parametrize(("answer", "unreachable", "state", "code", "delay"), MEANINGS)
def test_what_an_answer_means(answer: Answer, unreachable: str, state: State, code: str, delay: int) -> None:
    why = reason(unreachable) if unreachable else None
    after, wait = answered(operation(State.SENDING), answer, NOW, why)
    assert (after.state, after.reason.code if after.reason else "", wait) == (state, code, delay)
    if code and not isinstance(answer, Accepted):
        assert after.reason is not None
        assert after.reason.detail == answer.detail


@pytest.mark.parametrize("answer", [refused(409), refused(409, 120), refused(429, 120), NotSent(detail="no token")])
def test_waiting_ends_where_nothing_may_be_sent_any_more(answer: Answer) -> None:
    """A wait that would lead past the last instant to send is not begun."""
    _, delay = answered(operation(State.SENDING), answer, NOW)
    last = operation().not_after
    late, _ = answered(operation(State.SENDING), answer, last - minutes(delay / 60))
    assert late.state is State.ENDED
    assert late.outcome is Outcome.NOT_STARTED
    assert late.ended == last - minutes(delay / 60)
    early, _ = answered(operation(State.SENDING), answer, last - minutes((delay + 1) / 60))
    assert early.state is State.CLAIMED


def test_an_accepted_operation_forgets_why_it_waited() -> None:
    waited, _ = answered(operation(State.SENDING), refused(409), NOW)
    after, _ = answered(sending(waited, NOW), ACCEPTED, NOW)
    assert after.reason is None
    assert (after.url, after.result_url) == (ACCEPTED.url, ACCEPTED.result_url)


def test_back_in_claimed_it_was_not_sent() -> None:
    assert sending(operation(), NOW).sent == NOW
    assert answered(operation(State.SENDING), refused(409), NOW)[0].sent is None


def test_a_late_yes_and_a_trace_confirm() -> None:
    assert confirmed(operation(State.UNCONFIRMED), NOW, ACCEPTED).url == ACCEPTED.url
    traced = confirmed(operation(State.UNCONFIRMED), NOW)
    assert (traced.state, traced.url, traced.reason) == (State.ACCEPTED, "", None)


def test_a_sender_is_given_time() -> None:
    sent = operation(State.SENDING)
    assert lost_answer(sent, NOW + SENDING_PATIENCE - minutes(0.01)) is None
    assert SENDING_PATIENCE.total_seconds() > 35, "the request's own time-outs"
    others = [state for state in State if state is not State.SENDING]
    assert [lost_answer(operation(state), NOW + minutes(600)) for state in others] == [None] * 4


def test_when_following_gives_up() -> None:
    unconfirmed, accepted = operation(State.UNCONFIRMED), operation(State.ACCEPTED)
    assert gave_up(unconfirmed, NOW + UNCONFIRMED_PATIENCE - minutes(0.01)) is None
    assert gave_up(accepted, accepted.deadline - minutes(0.01)) is None
    first, second = gave_up(unconfirmed, NOW + UNCONFIRMED_PATIENCE), gave_up(accepted, accepted.deadline)
    assert first is not None
    assert second is not None
    assert (first.code, second.code) == ("StartUnconfirmed", "NoAnswer")


def test_traces_are_looked_for_as_long_when_the_loss_is_noticed_late() -> None:
    noticed = NOW + 2 * UNCONFIRMED_PATIENCE
    lost = lost_answer(operation(State.SENDING), noticed)
    assert lost
    assert gave_up(lost, noticed + UNCONFIRMED_PATIENCE - minutes(0.01)) is None
    assert gave_up(lost, noticed + UNCONFIRMED_PATIENCE)


def test_every_state_but_the_last_is_left_in_the_end() -> None:
    """Nothing waits for ever: far in the future each state has a way on that does not depend on Azure."""
    far = NOW + minutes(60 * 24 * 365)
    for state in State:
        stands = operation(state)
        by_itself = lost_answer(stands, far) or gave_up(stands, far)
        refused_at_the_gate = state is State.CLAIMED and far > stands.not_after
        assert by_itself or refused_at_the_gate or state is State.ENDED


def test_results_end_an_operation() -> None:
    look, work = assessment(), installation(Outcome.FAILED)
    done = assessed(operation(State.ACCEPTED, OperationKind.ASSESSMENT), look, NOW)
    assert (done.state, done.outcome, done.assessment, done.ended) == (State.ENDED, look.outcome, look, NOW)
    patched = installed(operation(State.ACCEPTED), work, NOW)
    assert (patched.outcome, patched.installation, patched.reason) == (Outcome.FAILED, work, work.reason)


@pytest.mark.parametrize("planned", [False, True])
def test_a_busy_machine_is_asked_ever_more_seldom(*, planned: bool) -> None:
    waits = [wait_before(tries, planned=planned) for tries in range(8)]
    assert waits == sorted(waits)
    assert waits[-1] == (PLANNED_RETRIES if planned else BUSY_RETRIES)[-1]
    claimed = msgspec.structs.replace(operation(State.SENDING), planned=planned)
    assert answered(claimed, refused(409), NOW)[1] == waits[0]


def test_one_that_nobody_waits_for_is_asked_seldom() -> None:
    assert min(PLANNED_RETRIES) > max(BUSY_RETRIES)
    assert sum(PLANNED_RETRIES) < ASSESSMENT_PATIENCE.total_seconds(), "it is asked after each of them"
