"""The owner marker: what each reading means, how long it counts, and that of two deployments at most one goes ahead."""

from datetime import datetime, timedelta

import pytest

from shared.domain.owner import (
    ASK_AGAIN,
    GOOD_FOR,
    LEAVE,
    REFRESH,
    SETTLE,
    TAKE_OVER,
    Mark,
    Standing,
    claimed,
    is_due,
    not_shown,
    not_written,
    seconds_to_settle,
    seen,
    standing,
    unreadable,
    unwritable,
)
from shared.domain.reason import reason
from tests.domain.samples import NOW

SUB, US, THEM = "11111111-2222-3333-4444-555555555555", "ours", "theirs"
SECOND = timedelta(seconds=1)


def ours(read: datetime = NOW, settles: datetime | None = None) -> Mark:
    return Mark(subscription=SUB, owner=US, read=read, settles=settles)


def test_what_was_never_asked_is_unknown_and_asked() -> None:
    assert standing(None, US, NOW) is Standing.UNKNOWN
    assert is_due(None, NOW)
    assert seconds_to_settle(None, NOW) == ASK_AGAIN


def test_a_marker_that_we_found_is_ours_until_its_reading_is_too_old() -> None:
    mark = seen(None, SUB, US, US, NOW)
    assert standing(mark, US, NOW) is Standing.OURS
    assert not is_due(mark, NOW + REFRESH - SECOND)
    assert is_due(mark, NOW + REFRESH)
    assert standing(mark, US, NOW + GOOD_FOR - SECOND) is Standing.OURS
    assert standing(mark, US, NOW + GOOD_FOR) is Standing.UNKNOWN


def test_a_written_marker_is_ours_only_by_a_reading_after_it_settled() -> None:
    mark = claimed(SUB, US, NOW, None)
    assert standing(mark, US, NOW + SETTLE) is Standing.SETTLING  # nobody has read it since
    early = seen(mark, SUB, US, US, NOW + SETTLE - SECOND)
    assert standing(early, US, NOW + SETTLE + SECOND) is Standing.SETTLING
    assert not is_due(mark, NOW + SETTLE - SECOND)
    assert is_due(early, NOW + SETTLE)
    late = seen(mark, SUB, US, US, NOW + SETTLE)
    assert standing(late, US, NOW + SETTLE) is Standing.OURS
    assert standing(seen(mark, SUB, THEM, US, NOW + SETTLE), US, NOW + SETTLE) is Standing.ELSEWHERE
    assert seconds_to_settle(mark, NOW) == SETTLE.total_seconds() + 1


def test_another_write_after_a_look_without_marker_arrives_before_ours_has_settled() -> None:
    """Whoever saw none looked before ours stood; it leaves within LEAVE, and has five seconds to connect."""
    assert LEAVE + timedelta(seconds=5) < SETTLE


def test_anothers_marker_counts_however_old_and_after_our_name_changed() -> None:
    mark = seen(ours(), SUB, THEM, US, NOW)
    assert (mark.is_elsewhere, mark.reason) == (True, reason("OwnedElsewhere", THEM))
    assert standing(mark, US, NOW + timedelta(days=9)) is Standing.ELSEWHERE
    assert standing(ours(), "renamed", NOW) is Standing.ELSEWHERE


def test_taken_from_another_it_settles_for_as_long_as_that_one_may_go_on() -> None:
    mark = claimed(SUB, US, NOW, None, reason("TakenOver", "ann: gone"))
    assert mark.settles == NOW + TAKE_OVER
    assert TAKE_OVER > GOOD_FOR
    kept = seen(mark, SUB, US, US, NOW + TAKE_OVER - SECOND)
    assert standing(kept, US, NOW + TAKE_OVER) is Standing.SETTLING
    done = seen(kept, SUB, US, US, NOW + TAKE_OVER)
    assert standing(done, US, NOW + TAKE_OVER) is Standing.OURS
    assert done.taken == mark.taken


def test_put_in_the_place_of_anothers_by_hand_it_settles_as_long() -> None:
    elsewhere = seen(None, SUB, THEM, US, NOW)
    assert seen(elsewhere, SUB, US, US, NOW).settles == NOW + TAKE_OVER
    assert claimed(SUB, US, NOW, elsewhere).settles == NOW + TAKE_OVER


@pytest.mark.parametrize("status", [0, 401, 408, 409, 429, 500, 503])
def test_no_answer_is_no_knowledge(status: int) -> None:
    assert unreadable(SUB, status, "", NOW) is None
    assert unwritable(SUB, status, "", NOW) is None


def test_where_it_cannot_be_read_or_written_the_app_works_and_says_so() -> None:
    for mark in (unreadable(SUB, 403, "403 no", NOW), unwritable(SUB, 403, "403 no", NOW)):
        assert mark is not None
        assert mark.reason is not None
        assert mark.reason.detail == "403 no"
        assert (mark.is_unmarked, mark.is_elsewhere) == (True, False)
        assert standing(mark, US, NOW) is Standing.UNMARKED
        assert standing(mark, US, NOW + GOOD_FOR) is Standing.UNKNOWN
        assert is_due(mark, NOW + REFRESH)
        found = seen(mark, SUB, THEM, US, NOW)
        assert standing(found, US, NOW) is Standing.ELSEWHERE


def test_a_subscription_with_all_its_tags_used_is_unmarked() -> None:
    mark = unwritable(SUB, 400, "400 TooManyTags", NOW)
    assert mark is not None
    assert mark.reason is not None
    assert mark.reason.code == "OwnerUnwritable"


def refusal(at: datetime = NOW) -> Mark:
    mark = unreadable(SUB, 403, "403 no", at)
    assert mark is not None
    return mark


@pytest.mark.parametrize("before", [None, ours(), ours(settles=NOW), refusal()])
def test_a_refusal_leaves_it_unmarked_where_nobody_else_is_known(before: Mark | None) -> None:
    for after in (not_shown(before, refusal(), US), not_written(before, claimed(SUB, US, NOW, before), refusal(), US)):
        assert after == refusal()


@pytest.mark.parametrize("before", [seen(None, SUB, THEM, US, NOW), Mark(subscription=SUB, owner=THEM, read=NOW)])
def test_a_refusal_leaves_anothers_anothers(before: Mark) -> None:
    later = NOW + timedelta(days=1)
    after = not_shown(before, refusal(later), US)
    assert standing(after, US, later) is Standing.ELSEWHERE
    assert (after.owner, after.trouble) == (THEM, refusal(later).reason)
    assert standing(seen(after, SUB, US, US, later), US, later) is not Standing.ELSEWHERE


def test_where_anothers_marker_is_gone_and_ours_refused_it_settles_before_work_goes_on() -> None:
    before = seen(None, SUB, THEM, US, NOW)
    claim = claimed(SUB, US, NOW, before)
    after = not_written(before, claim, refusal(), US)
    assert standing(after, US, NOW + TAKE_OVER) is Standing.SETTLING
    soon = NOW + TAKE_OVER - SECOND
    again = not_written(after, claimed(SUB, US, soon, after), refusal(soon), US)
    assert standing(again, US, soon) is Standing.SETTLING
    end = NOW + TAKE_OVER + SETTLE
    assert not_written(again, claimed(SUB, US, end, again), refusal(end), US).is_unmarked


def test_a_refusal_within_the_time_to_settle_leaves_it_settling() -> None:
    first, taken = claimed(SUB, US, NOW, None), claimed(SUB, US, NOW, None, reason("TakenOver", "ann: gone"))
    for mark, settles in ((first, SETTLE), (taken, TAKE_OVER)):
        at = NOW + settles - SECOND
        assert standing(not_shown(mark, refusal(at), US), US, at) is Standing.SETTLING
    late = NOW + TAKE_OVER + SETTLE
    assert not_shown(first, refusal(late), US).is_unmarked  # nobody else was ever known
    kept = not_shown(taken, refusal(late), US)
    assert standing(kept, US, late) is Standing.SETTLING
    done = seen(kept, SUB, US, US, late)
    assert (standing(done, US, late), done.trouble) == (Standing.OURS, None)


def test_claimed_again_it_settles_no_sooner() -> None:
    taken = claimed(SUB, US, NOW, None, reason("TakenOver", "ann: gone"))
    again = claimed(SUB, US, NOW + REFRESH, taken)
    assert (again.settles, again.taken, again.was_anothers) == (taken.settles, taken.taken, True)
    settled = seen(again, SUB, US, US, NOW + TAKE_OVER)
    anew = claimed(SUB, US, NOW + TAKE_OVER, settled)
    assert (anew.settles, anew.was_anothers) == (NOW + TAKE_OVER + SETTLE, False)


def test_ours_where_it_could_not_be_marked_before_may_be_new() -> None:
    mark = seen(refusal(), SUB, US, US, NOW)
    assert standing(mark, US, NOW) is Standing.SETTLING
    assert mark.settles == NOW + SETTLE
