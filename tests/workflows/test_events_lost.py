"""Events when messages are lost or doubled, the topic is down, or a worker dies: nothing is early or forgotten."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.messages import OpenRun, SendEvents
from shared.domain.phase import Phase, RunOutcome
from shared.workflows.events import plan_events, send_events
from shared.workflows.maintenance import run_now
from tests.domain.maintenance import ADDRESS
from tests.workflows.conftest import Build
from tests.workflows.events import DOWN, POST, PRE, at, later, published, saved
from tests.workflows.house import WHO, House
from tests.workflows.windows import code, healthy, loaded, part, save, soon


@pytest.fixture
def house(build: Build) -> House:
    """With a topic."""
    return build().with_topic()


def test_every_message_twice_starts_nothing_twice_and_a_duplicate_has_the_same_id(house: House) -> None:
    machines = healthy(house, 2)
    house.copies = 2
    start = saved(house, soon(house, 60), *machines)
    later(house, 200)
    assert [len(house.posts(each["id"])) for each in machines] == [1, 1]
    assert len({each["published"]["id"] for each in published(house)}) == 1
    assert loaded(house, start).run.outcome is RunOutcome.SUCCEEDED


def test_lost_messages_are_healed_by_the_agenda(house: House) -> None:
    (machine,) = healthy(house, 1)
    start = saved(house, soon(house, 60), machine)
    house.lose()
    house.clock.now = start - timedelta(minutes=41)
    house.live(1)
    house.lose()
    house.live(5)
    (pre,) = published(house)
    assert at(pre) <= start - timedelta(minutes=35)
    house.clock.now = start - timedelta(minutes=4)
    house.live(90, lambda: loaded(house, start).run.closed is not None)
    house.lose()  # the hint that it closed
    house.live(10)
    assert len(published(house, POST)) == 1


def test_a_line_that_was_lost_is_written_again_by_the_timer(house: House) -> None:
    (machine,) = healthy(house, 1)
    save(house, soon(house, 60), machine)
    plan_events(house.azure, house.store, house.now)
    later(house, 18)
    house.live(5)
    assert len(published(house, PRE)) == 1


def test_nothing_starts_while_the_topic_is_down_and_all_when_it_is_up_in_time(house: House) -> None:
    (machine,) = healthy(house, 1)
    start = saved(house, soon(house, 60), machine)
    house.fault(503, **DOWN)
    house.live(33)
    assert any("OUM_EVENTS_ENDPOINT" in each for each in house.problems())
    later(house, 30)
    assert house.posts(machine["id"]) == []
    assert loaded(house, start).run.phase is Phase.READY
    assert "503" in loaded(house, start).run.events.trouble
    house.ask("/sandbox/faults", "DELETE")
    house.live(3)
    later(house, 100)
    assert at(published(house, PRE)[0]) <= at(house.posts(machine["id"])[0])
    assert loaded(house, start).run.outcome is RunOutcome.SUCCEEDED


def test_a_topic_that_is_down_for_too_long_ends_the_run_with_a_reason(house: House) -> None:
    """As with Azure, which cancels a run whose pre-event it cannot deliver. Its end is told later."""
    (machine,) = healthy(house, 1)
    start = saved(house, soon(house, 60), machine)
    house.fault(503, **DOWN)
    later(house, 90)
    assert code(part(house, start, machine)) == "PreEventUnsent"
    assert house.posts(machine["id"]) == []
    assert loaded(house, start).run.outcome is RunOutcome.FAILED
    house.ask("/sandbox/faults", "DELETE")
    house.live(4)
    (post,) = published(house)
    assert (post["published"]["type"], post["published"]["data"]["status"]) == (POST, "Failed")


def test_an_event_that_was_taken_without_an_answer_is_sent_again_with_the_same_id(house: House) -> None:
    (machine,) = healthy(house, 1)
    saved(house, soon(house, 60), machine)
    house.fault(503, path="/topics/", effect=True)
    later(house, 30)
    first, again = published(house)
    assert first["published"]["id"] == again["published"]["id"]
    assert first["published"]["type"] == again["published"]["type"] == PRE


def test_a_topic_that_was_taken_out_of_the_settings_is_waited_for_no_more(house: House) -> None:
    (machine,) = healthy(house, 1)
    start = saved(house, soon(house, 60), machine)
    house.fault(503, **DOWN)
    later(house, 50)
    house.azure.topic = ""
    house.live(2)
    later(house, 100)
    assert loaded(house, start).run.outcome is RunOutcome.SUCCEEDED
    assert published(house) == []


@pytest.mark.parametrize("refusals", [0, 2])
def test_the_pre_event_of_a_run_that_was_asked_for_now_is_not_forgotten(house: House, refusals: int) -> None:
    """Its message is lost, or the topic refuses it twice: only the agenda can come back to it."""
    (machine,) = healthy(house, 1)
    saved(house, soon(house, 600), machine)
    house.lose()
    run = run_now(house.store, ADDRESS, "r-1", WHO, house.now)
    house.fault(503, path="/topics/", times=refusals) if refusals else None
    house.run(until=lambda: house.store.runs.run(run.id).phase is Phase.READY)  # type: ignore[union-attr]  # it is
    if not refusals:
        house.lose()
    house.live(150)
    assert len(house.posts(machine["id"])) == 1
    assert at(published(house, PRE)[0]) <= at(house.posts(machine["id"])[0])
    assert loaded(house, run.start).run.outcome is RunOutcome.SUCCEEDED


@pytest.mark.parametrize("step", ["listed", "published"])
def test_a_worker_that_dies_half_way_loses_nothing(house: House, step: str) -> None:
    """After the machines were listed, or after the topic took the event: nothing of what follows was written."""
    (machine,) = healthy(house, 1)
    start = saved(house, soon(house, 60), machine)
    house.clock.now = start - timedelta(minutes=40)
    house.lose()
    died: list[Any] = []

    def die() -> None:
        died.append(step)
        raise Died

    house.sandbox.afterwards["/topics/"] = die
    if step == "listed":
        house.fault(503, path="/topics/")
    with pytest.raises(Died):
        send_events(house.azure, house.store, SendEvents(configuration=str(ADDRESS), start=start))
    assert loaded(house, start).run.events.pre_sent is None
    house.live(5)
    house.clock.now = start - timedelta(minutes=4)
    house.live(6)
    later(house, 100)
    assert len(house.posts(machine["id"])) == 1
    assert len({each["published"]["id"] for each in published(house)}) == 1
    assert loaded(house, start).run.outcome is RunOutcome.SUCCEEDED


class Died(BaseException):
    """A worker's end."""


def test_listing_that_the_last_minute_interrupts_is_done_by_the_opening(house: House) -> None:
    """One machine was listed when the worker died; the scopes of the start, and what was listed, are the run."""
    first, second = healthy(house, 2)
    start = saved(house, soon(house, 60), first, second)
    house.clock.now = start - timedelta(minutes=40)
    house.lose()
    house.fault(503, **DOWN)
    send_events(house.azure, house.store, SendEvents(configuration=str(ADDRESS), start=start))
    found = loaded(house, start)
    part_way = replace(found.run, events=replace(found.run.events, listed=False))
    house.store.runs.save(found, part_way, ())
    house.ask("/sandbox/faults", "DELETE")
    house.lose()
    house.clock.now = start - timedelta(seconds=50)
    house.deliver(OpenRun(configuration=str(ADDRESS), start=start))
    later(house, 120)
    assert [len(house.posts(each["id"])) for each in (first, second)] == [1, 1]
    assert all(each.cut_off is not None for each in loaded(house, start).machines)
