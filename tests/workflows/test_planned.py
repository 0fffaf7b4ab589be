"""Planned assessments: many by one message, each of them once; what no look together sees is seen by itself."""

from datetime import timedelta

import msgspec
import pytest

from shared.cloud import graph, patches
from shared.domain.agenda import HEAL_PLANNED
from shared.domain.bucket import SLOT_LIFE
from shared.domain.errors import RequestError
from shared.domain.machine import Outcome
from shared.domain.messages import FollowOperation, FollowPlanned, Planned, StartPlanned
from shared.domain.operation import SENDING_PATIENCE, State
from shared.domain.planned import claim, credited, line
from shared.store.table import Merge, Row
from shared.workflows.published import record_published
from tests.cloud.world import Json, address_of
from tests.domain.samples import installation
from tests.workflows.conftest import Build
from tests.workflows.house import House


def planned(house: House, machines: list[Json]) -> list[StartPlanned]:
    """These become known and are planned; the messages, taken off their queue."""
    house.know(*machines)
    house.lose()
    assert house.plan() == len(machines)
    return [letter.message for letter in house.lose() if isinstance(letter.message, StartPlanned)]


def healthy(house: House) -> list[Json]:
    return [each for each in house.fleet if each["script"] == "healthy"]


def test_a_message_that_comes_again_starts_nothing_twice(house: House) -> None:
    machines = healthy(house)
    for message in planned(house, machines):
        for _ in range(3):
            house.deliver(message)
    house.live(30)
    for machine in machines:
        assert [post["status"] for post in house.posts(machine["id"])] == [202], machine["id"]
        assert house.record(machine).assessment
        assert house.in_flight(machine) is None
    assert house.store.agenda.oldest() is None


def test_a_message_that_comes_again_when_all_is_over_asks_for_no_look(house: House) -> None:
    (machine, *_) = healthy(house)
    (message,) = planned(house, [machine])
    house.deliver(message)
    house.run()
    house.store.machines.set_installation(address_of(machine), installation(ended=house.now))  # due again
    assert house.in_flight(machine) is None
    house.deliver(message)
    assert house.lose() == []
    assert len(house.posts(machine["id"])) == 1


def test_machines_of_a_throttle_are_one_message_and_one_query(house: House) -> None:
    for message in planned(house, healthy(house)):
        groups = {address_of({"id": each.machine}).subscription for each in message.machines}
        assert len(groups) == 1
        before = len(house.sandbox.seen)
        house.deliver(message)
        assert len(house.sandbox.seen) - before == len(message.machines)


def test_a_message_that_is_late_waits_for_new_slots(house: House) -> None:
    (machine, *_) = healthy(house)
    (message,) = planned(house, [machine])
    house.clock.advance(SLOT_LIFE.total_seconds() + 1)
    subscription, region = address_of(machine).subscription, house.record(machine).machine.location
    house.store.buckets.block(subscription, region, 300, house.now)
    house.deliver(message)
    assert house.posts(machine["id"]) == []
    (later,) = house.waiting()
    assert later.due >= house.now + timedelta(seconds=300)
    house.run()
    assert [post["status"] for post in house.posts(machine["id"])] == [202]


def test_a_failed_one_is_asked_about_and_ends_with_azures_reason(house: House) -> None:
    machine = next(each for each in house.fleet if each["expected"]["assessment"]["outcome"] == "Failed")
    (message,) = planned(house, [machine])
    house.deliver(message)
    asked = []
    while house.waiting():
        asked.append(house.step().message)
    assert any(isinstance(each, FollowOperation) for each in asked)
    record = house.record(machine)
    assert record.assessment
    assert record.assessment.outcome is Outcome.FAILED
    assert record.assessment.reason
    assert record.assessment.reason.detail


def test_what_is_done_meanwhile_is_not_done_again(house: House) -> None:
    (machine, *_) = healthy(house)
    (message,) = planned(house, [machine])
    asked = house.assess(machine)
    house.run()
    assert house.attempt(machine, asked.attempt).state is State.ENDED
    house.deliver(message)
    assert len(house.posts(machine["id"])) == 1
    assert house.in_flight(machine) is None


def test_a_machine_that_is_held_is_left_alone(house: House) -> None:
    (machine, *_) = healthy(house)
    (message,) = planned(house, [machine])
    asked = house.assess(machine)
    house.deliver(message)
    held = house.in_flight(machine)
    assert held
    assert held.attempt == asked.attempt
    assert house.posts(machine["id"]) == []


def test_lost_looks_are_made_by_the_agenda(house: House) -> None:
    (machine, *_) = healthy(house)
    (message,) = planned(house, [machine])
    house.deliver(message)
    (look,) = house.lose()
    assert isinstance(look.message, FollowPlanned)
    house.live(HEAL_PLANNED.total_seconds() / 60 + 60)
    assert house.record(machine).assessment
    assert house.in_flight(machine) is None
    assert len(house.posts(machine["id"])) == 1


def test_resource_graph_failing_delays_the_look(house: House) -> None:
    (machine, *_) = healthy(house)
    (message,) = planned(house, [machine])
    house.deliver(message)
    house.fault(429, "/providers/Microsoft.ResourceGraph", times=1)
    house.live(40)
    assert house.record(machine).assessment
    assert house.in_flight(machine) is None


def test_somebody_who_is_turned_away_brings_the_end_forward(house: House) -> None:
    (machine, *_) = healthy(house)
    (message,) = planned(house, [machine])
    house.deliver(message)
    house.lose()
    with pytest.raises(RequestError) as refusal:
        house.install(machine)
    assert refusal.value.status == 409
    assert any(isinstance(letter.message, FollowOperation) for letter in house.waiting())


def test_one_machine_that_azure_refuses_keeps_no_other(house: House) -> None:
    machines = healthy(house)
    messages = planned(house, machines)
    house.fault(403, f"{address_of(machines[0]).name}/assessPatches", times=1)
    for message in messages:
        house.deliver(message)
    house.live(30)
    refused = house.record(machines[0])
    assert refused.refusal
    assert refused.refusal.reason.code == "StartRefused"
    assert all(house.record(each).assessment for each in machines[1:])


def test_a_resource_group_that_cannot_be_read_keeps_no_other(house: House) -> None:
    """Not even those of its subscription that waited to go together with its machines."""
    machines = healthy(house)
    house.know(*machines)
    house.lose()
    bad = house.store.fleet.scopes()[-2]
    house.store.machines._table.write(Merge(Row(partition=bad, key="vm|bad", values={"machine": "{"})))
    with pytest.raises(msgspec.DecodeError):
        house.plan()
    messages = [letter.message for letter in house.waiting() if isinstance(letter.message, StartPlanned)]
    sent = {each.machine for message in messages for each in message.machines}
    assert sent == {each["id"] for each in machines if address_of(each).scope != bad}
    assert len({address_of(each).subscription for each in machines if address_of(each).scope < bad}) > 1


def test_no_slot_is_used_before_its_time(house: House) -> None:
    """A queue keeps no message back for longer than an hour."""
    (machine, *_) = healthy(house)
    (message,) = planned(house, [machine])
    house.clock.advance(SLOT_LIFE.total_seconds() + 1)
    subscription, region = address_of(machine).subscription, house.record(machine).machine.location
    house.store.buckets.block(subscription, region, 9000, house.now)
    opens = house.now + timedelta(seconds=9000)
    house.deliver(message)
    house.run(until=lambda: bool(house.posts(machine["id"])))
    assert len(house.posts(machine["id"])) == 1
    assert opens <= house.now < opens + timedelta(minutes=1)


def dies(house: House, message: StartPlanned) -> Planned:
    """The worker that takes the message gets as far as Azure with its first machine."""
    first = message.machines[0]
    house.store.agenda.add_all([line(first, house.now)], message.due)
    assert house.store.operations.claim(claim(first, message.requested_by, house.now))
    patches.assess(house.azure, address_of({"id": first.machine}), first.attempt, house.now + SLOT_LIFE)
    return first


def test_one_whose_sender_died_is_looked_for_though_azure_does_not_answer_at_first(house: House) -> None:
    machine = next(each for each in healthy(house) if each["kind"] == "AzureVM")
    (message,) = planned(house, [machine])
    sent = dies(house, message)
    house.run(0)
    house.clock.advance(HEAL_PLANNED.total_seconds())
    house.fault(500, f"{address_of(machine).name}", method="GET", times=4)
    house.live(30)
    done = house.attempt(machine, sent.attempt)
    assert (done.state, done.outcome) == (State.ENDED, Outcome.SUCCEEDED)
    assert len(house.posts(machine["id"])) == 1


def test_the_message_that_comes_again_has_it_looked_for_soon(house: House) -> None:
    (machine, *_) = healthy(house)
    (message,) = planned(house, [machine])
    sent = dies(house, message)
    house.deliver(message)
    house.run(SENDING_PATIENCE.total_seconds() / 60 + 2)
    assert house.attempt(machine, sent.attempt).outcome is Outcome.SUCCEEDED
    assert len(house.posts(machine["id"])) == 1


def test_what_azure_accepted_before_the_message_came_again_ends_by_the_look_at_all(house: House) -> None:
    """Its sender died before it asked for that look, and the slots of the message are too old meanwhile."""
    machines = [each for each in healthy(house) if each["kind"] == "AzureVM"]
    for message in planned(house, machines):
        house.deliver(message)
        assert house.lose()
        heard = max(held.retry_after for each in machines if (held := house.in_flight(each)))
        house.clock.advance(SLOT_LIFE.total_seconds() + 1)
        house.deliver(message)
        house.run(until=lambda: any(isinstance(each.message, FollowPlanned) for each in house.waiting()))
        (look,) = [each.message for each in house.waiting() if isinstance(each.message, FollowPlanned)]
        assert look.unit == heard
        house.deliver(look)
        assert not any(house.in_flight({"id": each.machine}) for each in message.machines)
        house.lose()
    assert all(len(house.posts(each["id"])) == 1 for each in machines)


@pytest.mark.parametrize("ours", [True, False])
def test_a_look_ends_what_another_has_written_down_and_died(house: House, ours: bool) -> None:
    """What a sweep has written down is the agenda's, which asks Azure itself."""
    (machine, *_) = healthy(house)
    (message,) = planned(house, [machine])
    house.deliver(message)
    (look,) = [letter.message for letter in house.lose() if isinstance(letter.message, FollowPlanned)]
    house.clock.advance(120)
    found = graph.assessments_of(house.azure, [address_of(machine)])
    held = house.in_flight(machine)
    assert held
    written = [credited(held, each) for each in found] if ours else found
    assert list(record_published(house.azure, house.store, written))
    house.deliver(look)
    assert (house.in_flight(machine) is None) is ours
    if ours:
        assert house.attempt(machine, look.first).assessment == house.record(machine).assessment


def test_somebody_who_is_turned_away_by_a_dead_sender_has_it_looked_for(house: House) -> None:
    (machine, *_) = healthy(house)
    (message,) = planned(house, [machine])
    sent = dies(house, message)
    house.clock.advance(SENDING_PATIENCE.total_seconds() + 1)
    with pytest.raises(RequestError):
        house.install(machine)
    house.run(2)
    assert house.attempt(machine, sent.attempt).outcome is Outcome.SUCCEEDED


def test_a_throttle_that_azure_closes_moves_the_others_of_it_alone(build: Build) -> None:
    """A message may start machines of several throttles."""
    house = build(machines=60)
    machines = {each["id"]: each for each in healthy(house)}
    messages = planned(house, list(machines.values()))
    message = max(messages, key=lambda each: len(regions(house, machines, each)))
    closed, *others = regions(house, machines, message)
    assert others
    house.fault(429, "/assessPatches", times=1)
    house.deliver(message)
    names = {each.machine: house.record(machines[each.machine]).machine.location for each in message.machines}
    refused = [name for name, region in names.items() if region == closed]
    assert [len(house.posts(name)) for name in refused] == [1] + [0] * (len(refused) - 1)
    assert all([post["status"] for post in house.posts(name)] == [202] for name in names if name not in refused)
    house.live(40)
    accepted = [[post["status"] for post in house.posts(name)] for name in refused]
    assert accepted == [[429, 202]] + [[202]] * (len(refused) - 1)
    assert house.store.agenda.oldest() is None


def regions(house: House, machines: dict[str, Json], message: StartPlanned) -> list[str]:
    """In the order in which their first machine starts."""
    return list(dict.fromkeys(house.record(machines[each.machine]).machine.location for each in message.machines))
