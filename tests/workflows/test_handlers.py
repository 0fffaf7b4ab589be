"""Handlers that cancel a run, and handlers that it waits for."""

from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from shared.cloud.clock import Clock
from shared.domain.errors import RequestError
from shared.domain.messages import AdvanceRun
from shared.domain.opening import run_id
from shared.domain.phase import RunOutcome
from shared.domain.run_events import Report, hear_by
from shared.workflows.events import report_handler
from shared.workflows.maintenance import cancel_run
from shared.workflows.runs import advance_run
from tests.domain.maintenance import ADDRESS
from tests.workflows.conftest import Build
from tests.workflows.events import POST, at, later, published, report, saved
from tests.workflows.house import WHO, House
from tests.workflows.windows import code, healthy, loaded, part, soon


@pytest.fixture
def house(build: Build) -> House:
    """With a topic."""
    return build().with_topic()


def test_a_handlers_cancel_in_time_starts_nothing(house: House) -> None:
    (machine,) = healthy(house, 1)
    start = saved(house, soon(house, 60), machine)
    later(house, 30)
    cut_off = datetime.fromisoformat(published(house)[0]["published"]["data"]["cancellationCutOffDateTime"])
    later(house, (cut_off - house.now).total_seconds() / 60)
    cancel_run(house.store, ADDRESS, f"{start:%Y%m%d%H%M%S}", "handler", house.now)
    later(house, 30)
    assert house.posts(machine["id"]) == []
    assert code(part(house, start, machine)) == "Cancelled"
    (post,) = published(house, POST)
    assert post["published"]["data"]["status"] == "Cancelled"


def test_a_run_that_was_cancelled_before_its_pre_event_has_none(house: House) -> None:
    (machine,) = healthy(house, 1)
    start = saved(house, soon(house, 60), machine)
    cancel_run(house.store, ADDRESS, f"{start:%Y%m%d%H%M%S}", WHO, house.now)
    later(house, 120)
    assert [each["published"]["type"] for each in published(house)] == [POST]
    assert house.posts(machine["id"]) == []


@pytest.mark.parametrize("topic", [True, False])
def test_a_run_waits_for_its_handlers_and_begins_with_the_last_success(build: Build, topic: bool) -> None:
    house = build().with_topic() if topic else build()
    (machine,) = healthy(house, 1)
    start = saved(house, soon(house, 60, waitFor=["drain", "backup"]), machine)
    later(house, 59.5)
    report(house, start)
    report(house, start)  # the same again is nothing
    later(house, 2.5)
    assert house.posts(machine["id"]) == []
    report(house, start, "backup")
    reported = house.now
    later(house, 100)
    (sent,) = house.posts(machine["id"])
    assert reported <= at(sent) <= reported + timedelta(seconds=5)
    assert loaded(house, start).run.outcome is RunOutcome.SUCCEEDED
    with pytest.raises(RequestError) as late:
        report(house, start, succeeded=False)
    assert late.value.code == "HandlerReported"


def test_a_report_that_comes_again_sets_the_run_going_again(house: House) -> None:
    """Who kept the first may have died before it told the run; the agenda would come minutes later."""
    (machine,) = healthy(house, 1)
    start = saved(house, soon(house, 60, waitFor=["drain"]), machine)
    later(house, 60.5)
    report(house, start)
    house.lose()
    report(house, start)
    house.run(minutes=0.5)
    assert len(house.posts(machine["id"])) == 1


def test_a_success_is_heard_until_its_time_is_over_and_no_longer(house: House) -> None:
    """Even where the run has not taken the step yet that ends it."""
    (machine,) = healthy(house, 1)
    start = saved(house, soon(house, 60, waitFor=["drain", "backup"]), machine)
    later(house, 60.5)
    plan = loaded(house, start).run.plan
    assert plan is not None
    house.lose()
    house.clock.now = hear_by(start, plan.begin_by)
    report(house, start)
    house.clock.advance(1)
    with pytest.raises(RequestError) as late:
        report(house, start, "backup")
    assert (late.value.status, late.value.code) == (409, "RunNotWaiting")
    report(house, start)  # the same again is nothing, however late
    report(house, start, "backup", succeeded=False)
    house.live(10)
    assert code(part(house, start, machine)) == "HandlerFailed"


class Died(BaseException):
    """A worker's end."""


class Crossed(Clock):
    """At its so manieth reading a handler reports, in time by its own clock; from the second on its reader dies."""

    def __init__(self, house: House, start: datetime, by: datetime, reading: int) -> None:
        super().__init__(house.clock)
        self._house, self._start, self._by, self._left = house, start, by, reading
        self._dies = reading > 1

    def now(self) -> datetime:
        self._left -= 1
        if self._left == 0:
            said = Report(handler="drain", succeeded=True, message="", at=self._by, who=WHO)
            with suppress(RequestError):
                report_handler(self._house.store, run_id(ADDRESS, self._start), said)
            if self._dies:
                raise Died
        return super().now()


@pytest.mark.parametrize(("reading", "starts", "why"), [(1, 1, ""), (3, 1, ""), (4, 0, "HandlerSilent")])
def test_a_report_that_crosses_the_runs_end_is_heard_by_all_its_machines_or_by_none(
    house: House, reading: int, starts: int, why: str
) -> None:
    """The step that ends the run saw no report; it comes before that is saved, or when one machine was told."""
    machines = healthy(house, 2)
    start = saved(house, soon(house, 60, waitFor=["drain"]), *machines)
    later(house, 60.5)
    plan = loaded(house, start).run.plan
    assert plan is not None
    house.lose()
    by = hear_by(start, plan.begin_by)
    house.clock.now = by + timedelta(seconds=1)
    clock = Crossed(house, start, by, reading)
    with suppress(Died):
        for _ in range(2):
            advance_run(house.store, AdvanceRun(run=run_id(ADDRESS, start)), clock)
    house.live(100)
    assert [len(house.posts(each["id"])) for each in machines] == [starts] * 2
    assert [code(each) for each in loaded(house, start).machines] == [why] * 2


@pytest.mark.parametrize(("said", "wanted"), [(False, "HandlerFailed"), (None, "HandlerSilent")])
def test_a_handler_that_fails_or_is_silent_ends_the_run(house: House, said: bool | None, wanted: str) -> None:
    machines = healthy(house, 2)
    start = saved(house, soon(house, 60, waitFor=["drain"]), *machines)
    later(house, 40)
    if said is False:
        report(house, start, succeeded=False)
    later(house, 60)
    done = loaded(house, start)
    assert [code(each) for each in done.machines] == [wanted] * 2
    assert all("drain" in each.reason.detail for each in done.machines if each.reason)
    assert [house.posts(each["id"]) for each in machines] == [[], []]
    assert done.run.outcome is RunOutcome.FAILED
    assert published(house, POST)[0]["published"]["data"]["status"] == "Failed"
    with pytest.raises(RequestError) as late:
        report(house, start, "drain", succeeded=True)
    assert late.value.status == 409
