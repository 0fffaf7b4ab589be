"""Planned assessments of which one machine's rows cannot be read: the others go on."""

import msgspec
import pytest

from shared.domain.agenda import HEAL_PLANNED
from shared.domain.messages import FollowOperation, FollowPlanned, StartPlanned
from shared.store.table import Merge, Row
from tests.cloud.world import address_of
from tests.workflows.conftest import Build
from tests.workflows.test_planned import healthy, planned


def test_a_machine_whose_row_cannot_be_read_keeps_no_other(build: Build) -> None:
    house = build(machines=60)
    (message, *_) = sorted(planned(house, healthy(house)), key=lambda each: len(each.machines), reverse=True)
    names = [each.machine for each in message.machines]
    assert len(names) > 2
    bad = address_of({"id": names[1]})
    house.store.machines._table.write(Merge(Row(partition=bad.scope, key=bad.row, values={"machine": "{"})))
    house.deliver(message)
    apart = [letter.message for letter in house.lose() if isinstance(letter.message, StartPlanned)]
    unreadable = next(each for each in apart if each.machines[0].machine == names[1])
    for each in apart:
        if each != unreadable:
            house.deliver(each)
    with pytest.raises(msgspec.DecodeError):
        house.deliver(unreadable)
    assert [len(house.posts(name)) for name in names] == [1, 0] + [1] * (len(names) - 2)
    house.live(30)
    assert all(house.record({"id": name}).assessment for name in names if name != names[1])


def test_an_operation_that_cannot_be_read_keeps_no_other(build: Build) -> None:
    """Found when its machine cannot be claimed, after others of the message have left."""
    house = build(machines=60)
    (message, *_) = sorted(planned(house, healthy(house)), key=lambda each: len(each.machines), reverse=True)
    names = [each.machine for each in message.machines]
    bad = address_of({"id": names[1]})
    house.store.operations._table.write(Merge(Row(partition=bad.key, key="inflight", values={"operation": "{"})))
    house.deliver(message)
    for each in [letter.message for letter in house.lose() if isinstance(letter.message, StartPlanned)]:
        if each.machines[0].machine != names[1]:
            house.deliver(each)
    assert [len(house.posts(name)) for name in names] == [1, 0] + [1] * (len(names) - 2)


def test_a_look_that_meets_an_unreadable_row_leaves_the_others_to_the_agenda(build: Build) -> None:
    house = build(machines=60)
    (message, *_) = sorted(planned(house, healthy(house)), key=lambda each: len(each.machines), reverse=True)
    house.deliver(message)
    names = [each.machine for each in message.machines]
    bad = address_of({"id": names[1]})
    house.store.machines._table.write(Merge(Row(partition=bad.scope, key=bad.row, values={"machine": "{"})))
    look = next(letter.message for letter in house.lose() if isinstance(letter.message, FollowPlanned))
    house.clock.advance(60)
    house.deliver(look)
    house.clock.advance(HEAL_PLANNED.total_seconds())
    house.tend()
    for _ in range(3):  # Resource Graph's quota is counted over seconds
        house.clock.advance(60)
        for each in [letter.message for letter in house.lose()]:
            if isinstance(each, FollowOperation) and each.machine != names[1]:
                house.deliver(each)
    assert all(house.record({"id": name}).assessment for name in names if name != names[1])
