"""Pre and post events from the configuration to the topic, by what the topic saw."""

from datetime import timedelta

import pytest

from shared.domain.assignment import Assignment, on_machine
from shared.domain.condition import Condition
from shared.domain.messages import SendEvents
from shared.domain.opening import run_id
from shared.domain.phase import RunOutcome
from shared.domain.run import CLOCK_GUARD
from shared.workflows.configurations import delete_configuration
from shared.workflows.maintenance import run_now
from tests.cloud.world import address_of
from tests.domain.maintenance import ADDRESS
from tests.workflows.conftest import Build
from tests.workflows.events import POST, PRE, at, later, published, saved
from tests.workflows.house import WHO, House
from tests.workflows.windows import code, healthy, loaded, part, soon


@pytest.fixture
def house(build: Build) -> House:
    """With a topic."""
    return build().with_topic()


def test_a_run_sends_its_pre_event_forty_minutes_before_and_its_post_event_when_it_closes(house: House) -> None:
    (machine,) = healthy(house, 1)
    start = saved(house, soon(house, 60), machine)
    later(house, 300)
    pre, post = published(house)
    assert (pre["published"]["type"], post["published"]["type"]) == (PRE, POST)
    assert start - timedelta(minutes=40) <= at(pre) <= start - timedelta(minutes=40) + timedelta(seconds=2)
    assert pre["published"]["id"] == post["published"]["id"]
    assert pre["published"]["source"] == str(ADDRESS)
    assert pre["published"]["data"]["resourceSubscriptionIds"] == [machine["subscription"]]
    (sent,) = house.posts(machine["id"])
    assert at(pre) < start + CLOCK_GUARD <= at(sent) <= start + timedelta(seconds=5)
    done = loaded(house, start).run
    assert (done.outcome, done.closed is not None and at(post) >= done.closed) == (RunOutcome.SUCCEEDED, True)
    assert post["published"]["data"]["status"] == "Succeeded"
    house.tend()
    assert sorted(each.kind for each in house.store.agenda.items()) == ["event", "opening"]  # tomorrow's


def test_a_lead_of_its_own_and_a_window_that_is_nearer_than_that(house: House) -> None:
    (machine,) = healthy(house, 1)
    start = saved(house, soon(house, 240, preEventLead="PT2H"), machine)
    house.clock.now = start - timedelta(minutes=122)
    house.live(10)
    (pre,) = published(house)
    assert abs(at(pre) - (start - timedelta(hours=2))) <= timedelta(seconds=2)


@pytest.mark.azurite
def test_a_window_in_three_minutes_is_told_of_when_it_may_have_machines_and_opens_to_the_second(house: House) -> None:
    """A script writes the configuration first and then who is assigned: nobody is left out."""
    (machine,) = healthy(house, 1)
    begun = house.now
    configuration = soon(house, 3)
    start = saved(house, configuration)
    house.tend()
    later(house, 0.5)
    house.store.assignments.save(Assignment(id=on_machine(address_of(machine), "a"), configuration=configuration.id))
    later(house, 200)
    assert begun + timedelta(minutes=1) <= at(published(house, PRE)[0]) <= begun + timedelta(seconds=62)
    (sent,) = house.posts(machine["id"])
    assert start + CLOCK_GUARD <= at(sent) <= start + timedelta(seconds=5)
    assert len(published(house, POST)) == 1


def test_without_a_topic_nothing_is_published_and_nothing_waits(build: Build) -> None:
    house = build()
    (machine,) = healthy(house, 1)
    start = saved(house, soon(house, 60), machine)
    later(house, 200)
    assert published(house) == []
    assert loaded(house, start).run.outcome is RunOutcome.SUCCEEDED
    assert not any(isinstance(each.message, SendEvents) for each in house.handled)


def test_what_the_pre_event_found_is_the_run_whatever_changes_afterwards(house: House) -> None:
    """The configuration is deleted, one machine is taken away, another one comes: handlers heard of the run of then."""
    first, second = healthy(house, 2)
    configuration = soon(house, 60)
    start = saved(house, configuration, first)
    later(house, 30)
    assert [each.machine for each in loaded(house, start).machines] == [first["id"]]
    delete_configuration(house.store, ADDRESS, Condition())
    house.store.assignments.save(Assignment(id=on_machine(address_of(second), "a"), configuration=configuration.id))
    later(house, 200)
    assert len(house.posts(first["id"])) == 1
    assert house.posts(second["id"]) == []
    assert loaded(house, start).run.outcome is RunOutcome.SUCCEEDED
    assert part(house, start, first).vm_id


def test_until_the_pre_event_an_edit_counts(house: House) -> None:
    (machine,) = healthy(house, 1)
    start = saved(house, soon(house, 60), machine)
    later(house, 10)
    delete_configuration(house.store, ADDRESS, Condition())
    later(house, 200)
    house.tend()
    assert published(house) == []
    assert house.store.runs.run(run_id(ADDRESS, start)) is None
    assert list(house.store.agenda.items()) == []


def test_a_listed_machine_that_may_not_be_patched_at_the_start_is_left_out_with_its_reason(house: House) -> None:
    machine, other = healthy(house, 2)
    start = saved(house, soon(house, 60), machine, other)
    later(house, 30)
    house.change("delete", machine)
    house.inventory_now()
    later(house, 200)
    assert code(part(house, start, machine)) == "Deleted"
    assert len(house.posts(other["id"])) == 1


def test_a_run_that_is_asked_for_now_sends_its_events_too(house: House) -> None:
    (machine,) = healthy(house, 1)
    saved(house, soon(house, 600), machine)
    run = run_now(house.store, ADDRESS, "r-1", WHO, house.now)
    later(house, 150)
    (sent,) = house.posts(machine["id"])
    pre, post = published(house)
    assert at(pre) <= at(sent) <= at(post)
    assert pre["published"]["data"]["cancellationCutOffDateTime"] == f"{run.start:%Y-%m-%dT%H:%M:%SZ}"
