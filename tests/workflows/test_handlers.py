"""Handlers that cancel a run, and handlers that it waits for."""

from datetime import datetime, timedelta

import pytest

from shared.domain.errors import RequestError
from shared.domain.phase import RunOutcome
from shared.workflows.maintenance import cancel_run
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
