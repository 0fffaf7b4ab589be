"""What holds a run up: its pre-event, and handlers that it waits for."""

from datetime import datetime

import pytest
from msgspec.structs import replace

from shared.domain.advance import Advance, advance
from shared.domain.errors import RequestError
from shared.domain.messages import StartInstallation
from shared.domain.phase import Phase
from shared.domain.run import Run, Step, may_start
from shared.domain.run_events import Events, Report, cancel_by, hear_by, heard
from tests.domain.samples import NOW, minutes
from tests.domain.test_run_plan import BEGIN_BY, OPEN, planned, several

HEARD_BY = hear_by(NOW, BEGIN_BY)


def report(handler: str = "drain", *, succeeded: bool = True) -> Report:
    return Report(handler=handler, succeeded=succeeded, message="text", at=NOW, who="w")


def held_up(**events: object) -> Run:
    return replace(planned(), events=Events(**events))  # type: ignore[arg-type]


def step(run: Run, now: datetime = OPEN) -> Advance:
    return advance(run, several(2), {}, now)


def starts(decided: Advance) -> int:
    return sum(isinstance(each, StartInstallation) for each in decided.messages)


SUCCESS, FAILURE = report(), report(succeeded=False)


@pytest.mark.parametrize(
    ("events", "starting"),
    [
        (Events(), 2),
        (Events(topic=True), 0),
        (Events(topic=True, pre_sent=NOW), 2),
        (Events(wait_for=("drain",)), 0),
        (Events(wait_for=("drain",), reports=(SUCCESS,)), 2),
        (Events(topic=True, wait_for=("drain",), reports=(SUCCESS,)), 0),
        (Events(topic=True, pre_sent=NOW, wait_for=("drain", "backup"), reports=(SUCCESS,)), 0),
        (Events(topic=True, pre_sent=NOW, wait_for=("drain", "backup"), reports=(SUCCESS, report("backup"))), 2),
    ],
)
def test_a_run_begins_when_its_event_is_out_and_every_handler_succeeded(events: Events, starting: int) -> None:
    """Law 1. What has no permit may not start, and a permit without an open run is worth nothing."""
    run = replace(planned(), events=events)
    decided = step(run)
    assert starts(decided) == starting
    assert (decided.run.phase if decided.run else run.phase) is (Phase.OPEN if starting else Phase.READY)
    forged = replace(several(1)[0], step=Step.PERMITTED, permit_until=OPEN + minutes(1))
    assert not may_start(run, forged, OPEN)


@pytest.mark.parametrize(
    ("events", "now", "code"),
    [
        (Events(wait_for=("drain",), reports=(FAILURE,)), NOW - minutes(30), "HandlerFailed"),
        (Events(wait_for=("drain",)), HEARD_BY, None),
        (Events(wait_for=("drain",)), HEARD_BY + minutes(0.1), "HandlerSilent"),
        (Events(topic=True, wait_for=("drain",)), HEARD_BY + minutes(0.1), "PreEventUnsent"),
        (Events(topic=True, trouble="503"), HEARD_BY + minutes(0.1), None),
        (Events(topic=True, trouble="503"), BEGIN_BY + minutes(0.1), "PreEventUnsent"),
        (Events(topic=True), BEGIN_BY + minutes(0.1), "WindowMissed"),
        (Events(topic=True, pre_sent=NOW), BEGIN_BY + minutes(0.1), "WindowMissed"),
        (Events(wait_for=("drain",), reports=(SUCCESS,)), BEGIN_BY + minutes(0.1), "WindowMissed"),
    ],
)
def test_a_run_that_is_held_up_too_long_ends_with_a_reason_for_every_machine(
    events: Events, now: datetime, code: str | None
) -> None:
    decided = step(replace(planned(), events=events), now)
    reasons = [each.reason.code for each in decided.machines if each.reason]
    assert reasons == ([code] * 2 if code else [])
    assert starts(decided) == 0


def test_a_held_up_run_is_looked_at_again_by_its_deadlines() -> None:
    """No message may be needed for its end."""
    waiting = step(held_up(wait_for=("drain",)))
    assert waiting.wake == int((HEARD_BY - OPEN).total_seconds()) + 1
    unsent = step(held_up(topic=True))
    assert unsent.wake == int((BEGIN_BY - OPEN).total_seconds()) + 1


def test_a_cancelled_run_waits_for_nobody() -> None:
    decided = step(replace(held_up(wait_for=("drain",)), cancelled=NOW))
    assert [each.reason.code for each in decided.machines if each.reason] == ["Cancelled", "Cancelled"]


def test_a_report_counts_once_in_any_spelling_and_its_opposite_is_refused() -> None:
    events = heard(Events(wait_for=("Drain", "backup")), report("dRAIN"))
    assert [each.handler for each in events.reports] == ["Drain"]
    assert events.silent == ("backup",)
    assert heard(events, report("drain")) == events
    with pytest.raises(RequestError) as refused:
        heard(events, FAILURE)
    assert (refused.value.status, refused.value.code) == (409, "HandlerReported")
    with pytest.raises(RequestError) as unknown:
        heard(events, report("other"))
    assert unknown.value.status == 404


@pytest.mark.parametrize(("told", "before"), [(40, 10), (10, 10), (9, 0), (-1, 0)])
def test_until_when_handlers_may_cancel(told: int, before: int) -> None:
    """Azure's ten minutes; where the event comes later than that, the start."""
    assert cancel_by(NOW, NOW - minutes(told)) == NOW - minutes(before)
