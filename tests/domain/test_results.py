"""Sweeps: who is asked together, from when on, and which results are news."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.domain.machine import Assessment
from shared.domain.messages import SweepResults
from shared.domain.operation import State
from shared.domain.reason import reason
from shared.domain.resource_id import parse_machine_id
from shared.domain.results import (
    LARGEST_BATCH,
    LIST_PATIENCE,
    MOST_IDS,
    MOST_UPDATES,
    OVERLAP,
    SWEEP_LIFE,
    WHOLE_EVERY,
    Found,
    Sweep,
    ended,
    is_evidence,
    is_news,
    plan_sweeps,
    portions,
)
from tests.domain.samples import NOW, VM, assessment, minutes, operation, record

TICK = timedelta(microseconds=1)
FIVE = timedelta(minutes=5)


def swept(name: str, ago: timedelta = FIVE, whole: timedelta = FIVE) -> Sweep:
    """A subscription whose last sweep was planned and ended so long ago, the last whole one so long ago."""
    return Sweep(subscription=name, asked=NOW - ago, completed=NOW - ago, whole=NOW - whole)


def test_a_new_subscription_is_swept_whole() -> None:
    assert plan_sweeps([Sweep(subscription="s")], NOW) == [SweepResults(subscriptions=("s",), asked=NOW)]


def test_the_next_sweep_looks_back_behind_the_last_one() -> None:
    (message,) = plan_sweeps([swept("b", minutes(5)), swept("a", minutes(9))], NOW)
    assert message.subscriptions == ("a", "b")
    assert message.since == NOW - minutes(9) - OVERLAP, "the batch goes back to where its slowest member stands"


@pytest.mark.parametrize(("age", "whole"), [(WHOLE_EVERY - TICK, False), (WHOLE_EVERY, True)])
def test_everything_is_asked_for_now_and_then(age: timedelta, *, whole: bool) -> None:
    (message,) = plan_sweeps([swept("s", whole=age)], NOW)
    assert (message.since is None) is whole


def test_batches_hold_so_many_subscriptions_and_every_one_is_in_one() -> None:
    sweeps = [swept(f"{number:03}") for number in range(2 * LARGEST_BATCH + 1)] + [Sweep(subscription="new")]
    messages = plan_sweeps(sweeps, NOW)
    assert sorted(len(each.subscriptions) for each in messages) == [1, 1, LARGEST_BATCH, LARGEST_BATCH]
    assert sorted(name for each in messages for name in each.subscriptions) == sorted(
        each.subscription for each in sweeps
    )


@pytest.mark.parametrize(("age", "planned"), [(SWEEP_LIFE - TICK, 0), (SWEEP_LIFE, 1)])
@pytest.mark.parametrize("completed", [None, NOW - minutes(60)])
def test_a_sweep_under_way_is_left_alone_until_its_message_must_be_lost(
    age: timedelta, planned: int, completed: None
) -> None:
    under_way = Sweep(subscription="s", asked=NOW - age, completed=completed)
    assert len(plan_sweeps([under_way], NOW)) == planned


def test_ends_in_any_order_do_not_go_back() -> None:
    early = SweepResults(subscriptions=("s",), asked=NOW - minutes(10))
    late = SweepResults(subscriptions=("s",), asked=NOW, since=NOW - minutes(30))
    for order in ((early, late), (late, early)):
        sweep = Sweep(subscription="s", asked=NOW)
        for message in order:
            sweep = ended(sweep, message)
        assert (sweep.completed, sweep.whole) == (NOW, NOW - minutes(10)), order


def test_an_ended_sweep_is_planned_again() -> None:
    """Its heart-beats are younger than its plan; they must not keep the next one waiting."""
    beating = Sweep(subscription="s", asked=NOW)
    done = ended(beating, SweepResults(subscriptions=("s",), asked=NOW - minutes(8)))
    assert len(plan_sweeps([done], NOW + minutes(1))) == 1


@pytest.mark.parametrize(
    ("on_record", "news"),
    [
        (None, True),
        (assessment(ended=NOW - TICK), True),
        (assessment(ended=NOW), False),
        (assessment(ended=NOW + TICK), False),
        (replace(assessment(ended=NOW), reason=reason("ResultsLate")), True),
        (replace(assessment(ended=NOW), id="other", reason=reason("ResultsLate")), False),
    ],
)
def test_only_what_is_newer_or_was_late_is_news(on_record: Assessment | None, *, news: bool) -> None:
    assert is_news(record(assessment=on_record), assessment()) is news


def test_a_deleted_machine_has_no_news() -> None:
    assert not is_news(replace(record(), deleted=NOW), assessment())


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State.CLAIMED, False),
        (State.SENDING, False),
        (State.ACCEPTED, True),
        (State.UNCONFIRMED, True),
        (State.ENDED, False),
    ],
)
def test_a_result_may_be_an_operations_own(state: State, *, expected: bool) -> None:
    assert is_evidence(operation(state), assessment(ended=NOW), NOW) is expected
    assert not is_evidence(operation(state), assessment(ended=NOW - TICK), NOW), "older than its start"


def found(pending: Sequence[int]) -> list[Found]:
    return [
        Found(
            machine=parse_machine_id(VM.replace("vm1", f"vm{number}")),
            assessment=assessment(counts={"security": count}),
        )
        for number, count in enumerate(pending)
    ]


@pytest.mark.parametrize(
    ("pending", "sizes"),
    [
        ([], []),
        ([1] * MOST_IDS, [MOST_IDS]),
        ([1] * (MOST_IDS + 1), [MOST_IDS, 1]),
        ([MOST_UPDATES - 1, 1, 1], [2, 1]),
        ([MOST_UPDATES + 1, MOST_UPDATES + 1], [1, 1]),
    ],
)
def test_portions_are_small_enough_and_hold_everything(pending: list[int], sizes: list[int]) -> None:
    everything = found(pending)
    parts = list(portions(everything))
    assert [len(part) for part in parts] == sizes
    assert [each for part in parts for each in part] == everything


def test_a_list_that_is_waited_for_is_seen_again() -> None:
    """A result passed over for its late list shows in later sweeps until the patience is over."""
    assert LIST_PATIENCE + minutes(10) <= OVERLAP
