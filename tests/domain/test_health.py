"""What counts as wrong, to the second, and that every problem says what to do."""

from datetime import datetime, timedelta

import msgspec
import pytest

from shared.domain import owner
from shared.domain.agenda import HEAL_EVERY, Item, ItemKind, tended
from shared.domain.fleet import Subscription
from shared.domain.health import (
    AGENDA_LATE,
    LONG_QUEUE,
    MOST_TOLD,
    NOT_ALL,
    STUCK_GRACE,
    STUCK_HINTS,
    TIMER_GRACE,
    TIMERS,
    Check,
    Facts,
    Problem,
    Throttle,
    findings,
    is_stuck,
    problems,
)
from shared.domain.poison import Poison
from shared.domain.reason import reason
from tests.domain.samples import NOW, SUBSCRIPTION, VM, minutes

INSTANT = timedelta(microseconds=1)
QUIET = Facts(
    queues={"runs": 3, "runs-poison": 0},
    agenda_oldest=NOW,
    open=(),
    poison=(),
    throttled=(),
    timers=dict.fromkeys(TIMERS, NOW),
    up_since=NOW - minutes(600),
    subscriptions=(Subscription(id=SUBSCRIPTION, at=NOW, machines=3),),
)
ASSESSMENT = Item(kind=ItemKind.ASSESSMENT, id="a-1", machine=VM, since=NOW - minutes(60), closes_by=NOW)
RUN = Item(kind=ItemKind.RUN, id="r-1", since=NOW - minutes(60), closes_by=NOW)


def facts(**changes: object) -> Facts:
    return msgspec.structs.replace(QUIET, **changes)


def only(found: Facts, now: datetime = NOW) -> Problem:
    (problem,) = problems(found, now)
    return problem


def test_nothing_wrong_is_no_problem_and_still_a_sentence_for_every_check() -> None:
    assert problems(QUIET, NOW) == ()
    told = findings(QUIET, ())
    assert [each.check for each in told] == list(Check)
    assert all(each.healthy and each.message.endswith(".") for each in told)


def test_how_old_the_index_is() -> None:
    never, then = (findings(facts(index_as_of=at), ())[-1] for at in (None, NOW))
    assert "never built" in never.message
    assert NOW.isoformat(timespec="seconds") in then.message


@pytest.mark.parametrize(
    ("mark", "code", "way_out"),
    [
        (owner.seen(None, SUBSCRIPTION, "theirs", "ours", NOW), "OwnedElsewhere", f"/fleet/owners/{SUBSCRIPTION}/take"),
        (owner.unreadable(SUBSCRIPTION, 403, "403 no", NOW), "OwnerUnreadable", "Tag Contributor"),
        (owner.unwritable(SUBSCRIPTION, 403, "403 no", NOW), "OwnerUnwritable", "Tag Contributor"),
    ],
)
def test_a_subscription_that_is_not_marked_as_ours(mark: owner.Mark, code: str, way_out: str) -> None:
    told = only(facts(marks=(mark, owner.seen(None, "another", "ours", "ours", NOW))))
    assert (told.check, told.code, told.target) == (Check.OWNERS, code, SUBSCRIPTION)
    assert way_out in told.message


def parked(number: int) -> Poison:
    return Poison(queue="runs", id=f"{number:032x}", text="{}", why="ValueError: no", parked=NOW)


FAILED = Subscription(id="s-2", at=NOW, reason=reason("InventoryFailed", "403 AuthorizationFailed: no"))
THROTTLE = Throttle(subscription=SUBSCRIPTION, region="westeurope", until=NOW + minutes(5))


@pytest.mark.parametrize(
    ("changes", "check", "code", "target", "advice"),
    [
        ({"queues": {"runs": LONG_QUEUE}}, Check.QUEUES, "QueueLong", "runs", "function"),
        ({"unreadable": 2}, Check.AGENDA, "AgendaUnreadable", "", "newer version"),
        ({"agenda_oldest": NOW - AGENDA_LATE - INSTANT}, Check.AGENDA, "AgendaLate", "", "agenda_timer"),
        ({"poison": (parked(1),)}, Check.POISON, "MessageParked", f"runs/{1:032x}", "replay"),
        ({"throttled": (THROTTLE,)}, Check.BUCKETS, "Throttled", f"{SUBSCRIPTION}/westeurope", "wait"),
        ({"subscriptions": (FAILED,)}, Check.INVENTORY, "InventoryFailed", "s-2", "next inventory"),
        ({"timers": {}}, Check.TIMERS, "TimersNeverRan", "", "host"),
    ],
)
def test_each_trouble_is_one_problem_that_says_what_to_do(
    changes: dict[str, object], check: Check, code: str, target: str, advice: str
) -> None:
    found = facts(**changes, up_since=None) if "timers" in changes else facts(**changes)
    problem = only(found)
    assert (problem.check, problem.code, problem.target) == (check, code, target)
    assert advice in problem.message
    assert [each.check for each in findings(found, (problem,)) if not each.healthy] == [check]


def test_what_is_not_yet_too_much_is_no_problem() -> None:
    found = facts(queues={"runs": LONG_QUEUE - 1}, agenda_oldest=NOW - AGENDA_LATE)
    assert problems(found, NOW) == ()


@pytest.mark.parametrize("item", [ASSESSMENT, RUN])
def test_what_outlives_its_own_deadline_is_stuck(item: Item) -> None:
    found, limit = facts(open=(item,)), NOW + STUCK_GRACE
    assert [problem for problem in problems(found, limit - INSTANT) if problem.check is Check.OPERATIONS] == []
    assert is_stuck(item, limit)
    (problem,) = [each for each in problems(found, limit) if each.check is Check.OPERATIONS]
    assert problem.target == item.id
    call = "operations/a-1/release" if item is ASSESSMENT else "runs/r-1/close"
    assert f"POST /fleet/{call}" in problem.message


def test_a_line_without_a_deadline_is_never_stuck_by_age() -> None:
    assert not is_stuck(msgspec.structs.replace(RUN, closes_by=None), NOW + minutes(10**6))


def test_hints_that_move_nothing_make_an_assessment_stuck_long_before_its_deadline() -> None:
    item = msgspec.structs.replace(ASSESSMENT, closes_by=NOW + minutes(120))
    for hints in range(STUCK_HINTS):
        assert not is_stuck(item, NOW), hints
        item = tended(item, hinted=True)
    assert is_stuck(item, NOW)
    assert only(facts(open=(item,))).code == "OperationStuck"
    assert not is_stuck(tended(item, hinted=False), NOW), "it moved"
    assert STUCK_HINTS * HEAL_EVERY == STUCK_GRACE


def test_a_run_is_hinted_at_every_look_and_not_stuck_by_it() -> None:
    item = msgspec.structs.replace(RUN, closes_by=NOW + minutes(120))
    for _ in range(2 * STUCK_HINTS):
        item = tended(item, hinted=True)
    assert not is_stuck(item, NOW)


@pytest.mark.parametrize("name", TIMERS)
def test_a_timer_is_late_after_twice_its_interval(name: str) -> None:
    limit = 2 * TIMERS[name] + TIMER_GRACE
    assert problems(facts(timers={**QUIET.timers, name: NOW - limit}), NOW) == ()
    problem = only(facts(timers={**QUIET.timers, name: NOW - limit - INSTANT}))
    assert (problem.check, problem.code, problem.target) == (Check.TIMERS, "TimerLate", name)
    assert "ran last" in problem.message


@pytest.mark.parametrize("name", TIMERS)
def test_a_timer_that_never_ran_is_late_from_when_others_first_ran(name: str) -> None:
    others = {other: NOW for other in TIMERS if other != name}
    limit = 2 * TIMERS[name] + TIMER_GRACE
    assert problems(facts(timers=others, up_since=NOW - limit), NOW) == ()
    problem = only(facts(timers=others, up_since=NOW - limit - INSTANT))
    assert (problem.code, problem.target) == ("TimerLate", name)
    assert "never" in problem.message


def test_many_problems_of_one_kind_are_cut_and_counted() -> None:
    many = tuple(parked(number) for number in range(MOST_TOLD + 7))
    told = problems(facts(poison=many), NOW)
    assert len(told) == MOST_TOLD + 1
    assert (told[-1].code, told[-1].check) == ("More", Check.POISON)
    assert "And 7 more" in told[-1].message
    assert len(problems(facts(poison=many[:MOST_TOLD]), NOW)) == MOST_TOLD


def test_a_list_that_was_not_read_to_its_end_says_so() -> None:
    many = tuple(parked(number) for number in range(MOST_TOLD + 7))
    found = facts(poison=many, unread=frozenset({Check.POISON}))
    told = problems(found, NOW)
    assert "at least 7 more" in told[-1].message
    sentences = {each.check: each.message for each in findings(found, told)}
    assert sentences[Check.POISON].endswith(NOT_ALL)
    assert not sentences[Check.OPERATIONS].endswith(NOT_ALL)
