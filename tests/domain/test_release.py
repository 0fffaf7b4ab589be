"""What an operator may end, when, and what is kept of it."""

from datetime import timedelta

import msgspec
import pytest

from shared.domain.advance import advance
from shared.domain.errors import RequestError
from shared.domain.machine import Outcome
from shared.domain.operation import UNCONFIRMED_PATIENCE, Accepted, Answer, NotSent, Refused, State, Unanswered
from shared.domain.reason import reason
from shared.domain.release import LONGEST_WHY, answered_late, operators_reason, released, seconds_to_release
from shared.domain.run import RunMachine, Step, cancelled, may_start
from tests.domain.samples import NOW, VM, minutes, operation, run

WHY = operators_reason("ReleasedByOperator", "ann", "it hangs")
SENT = (State.SENDING, State.UNCONFIRMED, State.ACCEPTED)


def test_the_reason_says_who_and_why() -> None:
    assert (WHY.code, WHY.detail) == ("ReleasedByOperator", "ann: it hangs")


@pytest.mark.parametrize("text", ["", "  ", "x" * (LONGEST_WHY + 1), "two\nlines", "a\x00b", "a\u2028b"])
def test_a_reason_that_nobody_can_read_is_refused(text: str) -> None:
    with pytest.raises(RequestError) as refusal:
        operators_reason("ReleasedByOperator", "ann", text)
    assert (refusal.value.status, refusal.value.target) == (400, "reason")


def test_what_was_never_sent_ends_as_not_started() -> None:
    done = released(operation(State.CLAIMED), WHY, NOW)
    assert (done.state, done.outcome, done.reason, done.ended) == (State.ENDED, Outcome.NOT_STARTED, WHY, NOW)


@pytest.mark.parametrize("state", SENT)
def test_what_may_have_reached_azure_ends_as_unknown(state: State) -> None:
    done = released(operation(state), WHY, NOW)
    assert (done.state, done.outcome, done.reason) == (State.ENDED, Outcome.UNKNOWN, WHY)


def test_an_end_is_an_end() -> None:
    with pytest.raises(ValueError, match="ended"):
        released(operation(State.ENDED), WHY, NOW)


@pytest.mark.parametrize("state", State)
def test_only_a_start_without_an_answer_is_waited_for(state: State) -> None:
    sent = operation(state)
    just = {"sending": 600, "unconfirmed": 600}.get(state, 0)
    assert seconds_to_release(sent, NOW) == just
    assert seconds_to_release(sent, NOW + UNCONFIRMED_PATIENCE) == 0
    almost = NOW + UNCONFIRMED_PATIENCE - timedelta(microseconds=1)
    assert seconds_to_release(sent, almost) == min(just, 1)


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (Refused(status=400, code="Bad", message="no"), "Refused: 400 Bad: no"),
        (Unanswered(detail="time-out"), "Unanswered: time-out"),
        (NotSent(detail="no token"), "NotSent: no token"),
    ],
)
def test_a_late_answer_is_kept_beside_the_end(answer: Answer, kept: str) -> None:
    ended = released(operation(State.SENDING), WHY, NOW)
    assert answered_late(ended, answer) == msgspec.structs.replace(ended, late_answer=kept)


def test_a_late_yes_keeps_the_addresses_to_ask() -> None:
    ended = released(operation(State.SENDING), WHY, NOW)
    late = answered_late(ended, Accepted(url="u", result_url="r", retry_after=9))
    assert (late.url, late.result_url, late.late_answer) == ("u", "r", "Accepted")
    assert (late.state, late.outcome, late.reason) == (State.ENDED, Outcome.UNKNOWN, WHY)


def test_a_released_start_ends_its_run_machine_for_good() -> None:
    machine = RunMachine(machine=VM, step=Step.RUNNING)
    done = released(operation(State.ACCEPTED), WHY, NOW)
    step = advance(run(), (machine,), {VM: done}, NOW)
    assert step.messages == ()
    assert step.run is not None
    (after,) = step.machines
    assert (after.step, after.outcome, after.reason) == (Step.ENDED, Outcome.UNKNOWN, WHY)


def test_nothing_starts_in_a_cancelled_run_and_the_reason_is_the_operators() -> None:
    because = reason("ClosedByOperator", "ann: wrong list")
    stopped = cancelled(run(), because, NOW)
    permitted = RunMachine(machine=VM, step=Step.PERMITTED, permit_until=NOW + minutes(1))
    at = NOW + minutes(0.5)
    assert may_start(run(), permitted, at)
    assert not may_start(stopped, permitted, at)
    (after,) = advance(stopped, (permitted,), {VM: operation(State.CLAIMED)}, at).machines
    assert (after.step, after.outcome, after.reason) == (Step.ENDED, Outcome.NOT_STARTED, because)


def test_a_cancelled_run_follows_what_runs() -> None:
    stopped = cancelled(run(), WHY, NOW)
    running = RunMachine(machine=VM, step=Step.RUNNING)
    step = advance(stopped, (running,), {VM: operation(State.SENDING)}, NOW)
    assert (step.machines, step.run) == ((), None)


def test_a_second_cancel_changes_nothing() -> None:
    once = cancelled(run(), WHY, NOW)
    assert cancelled(once, reason("ClosedByOperator", "bob: me too"), NOW + minutes(1)) == once
