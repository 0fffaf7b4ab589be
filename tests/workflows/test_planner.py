"""A plan reads every machine's row: where the index was made of those very rows, it is not made again.

What is planned, and when, stands in test_assessment.py.
"""

import zlib
from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from shared.cloud.clock import Clock
from shared.domain.assessment import PLAN_TIME
from shared.domain.index import begin
from shared.domain.machine import PatchSettings, Record, Refusal
from shared.domain.messages import CountFleet
from shared.domain.owner import Mark
from shared.domain.reason import reason
from shared.domain.resource_id import MachineId, parse_machine_id
from shared.store.table import Delete, Merge, Row
from shared.workflows.fleet import read_summary
from shared.workflows.index import SHARE, count_fleet
from shared.workflows.planner import plan_assessments
from tests.domain.samples import machine
from tests.store.test_index import strange
from tests.workflows.reading import GROUPS, Reading, ids, number, vm

DAY = timedelta(hours=24)
SECOND = timedelta(seconds=1)
BETWEEN = 600
"""Seconds from plan to plan."""


def plan(reading: Reading, clock: Clock | None = None) -> CountFleet | None:
    """What a plan asks of the index."""
    plan_assessments(reading.store, DAY, clock or reading.clock, iter(map(str, range(10**6))).__next__)
    asked = reading.message()
    assert reading.message() is None
    return asked


def assert_shown(reading: Reading) -> None:
    """A plan has the index made again, after which the next one finds all rows in it."""
    assert plan(reading) == CountFleet()
    reading.rebuild()
    reading.later(BETWEEN)
    assert plan(reading) is None


def left_to_azure(reading: Reading) -> MachineId:
    """A machine more, which Azure assesses by itself."""
    left = replace(machine(vm(5, "c")), settings=PatchSettings(assessment_mode="AutomaticByPlatform"))
    reading.store.machines.settle(left.address.scope, [Record(machine=left)])
    return left.address


@pytest.fixture
def reading(quick_reading: Reading) -> Reading:
    """Machines of which each has its slot already, and an index that says so."""
    quick_reading.add(*(vm(each, group) for group in GROUPS for each in range(3)))
    assert plan(quick_reading) == CountFleet()
    quick_reading.rebuild()
    quick_reading.later(BETWEEN)
    return quick_reading


def test_an_index_of_the_same_rows_is_not_made_again(reading: Reading) -> None:
    """It is as new as the plan; and again, for as long as nothing changes."""
    shown, generation = reading.shown(), number(reading)
    while reading.message():  # a reader of an index ten minutes old asks for another
        pass
    for _ in range(3):
        assert plan(reading) is None
        summary = read_summary(reading.store, reading.now)
        assert summary is not None
        assert (reading.page().as_of, summary.at) == (reading.now, reading.now)
        assert (number(reading), ids(reading.page().records)) == (generation, shown)
        reading.later(BETWEEN)


def _change(reading: Reading) -> None:
    record = reading.store.machines.get(parse_machine_id(vm(1, "b")))
    assert record is not None
    reading.store.machines.save(record.machine.address.scope, [replace(record.machine, tags={"env": "prod"})])


def _write_the_same(reading: Reading) -> None:
    """Nobody compares what rows hold."""
    reading.store.machines.mark_planned(parse_machine_id(vm(1, "b")).scope, [(machine(vm(1, "b")), reading.now)])


def _forget(reading: Reading) -> None:
    address = parse_machine_id(vm(2, "e"))
    reading.store.machines._table.write(Delete(Row(partition=address.scope, key=address.row, values={})))


def _refuse(reading: Reading) -> None:
    reading.store.machines.set_refusal(
        parse_machine_id(vm(0, "a")), Refusal(at=reading.now, reason=reason("PoweredOff"))
    )


def _swap(reading: Reading) -> None:
    """Two machines change in the same way."""
    for each in (0, 1):
        reading.add(vm(each, "a"))


@pytest.mark.parametrize(
    "change",
    [
        _change,
        _write_the_same,
        _forget,
        _refuse,
        _swap,
        lambda reading: reading.add(vm(9, "c")),
        lambda reading: reading.add(vm(0, "z")),
        lambda reading: reading.remove(vm(0, "c")),
    ],
)
def test_a_row_that_came_went_or_changed_is_shown(reading: Reading, change: Callable[[Reading], None]) -> None:
    change(reading)
    assert_shown(reading)


def test_what_the_plan_itself_writes_is_shown(reading: Reading) -> None:
    """A day later each machine is due, with a new slot."""
    reading.later(DAY.total_seconds())
    assert plan(reading) == CountFleet()


def test_what_machines_are_told_of_another_deployment_is_shown(reading: Reading) -> None:
    subscription = parse_machine_id(vm(0)).subscription
    mark = Mark(subscription=subscription, owner="other", read=reading.now, reason=reason("OwnedElsewhere", "other"))
    reading.store.fleet.save_mark(mark)
    assert_shown(reading)


def test_what_is_remembered_of_a_machine_that_azure_assesses_is_shown(reading: Reading) -> None:
    left_to_azure(reading)
    reading.rebuild()
    assert_shown(reading)


def test_what_is_remembered_is_written_before_slots_are_leased(reading: Reading) -> None:
    """A throttle that cannot be read costs no memory of who was silent; nor is a slot taken that is then not used."""
    left = left_to_azure(reading)
    reading.later(DAY.total_seconds())
    place = Row(partition="guestPatch", key=f"{left.subscription}|westeurope", values={"bucket": "{"})
    reading.store.buckets._table.write(Merge(place))
    with pytest.raises(msgspec.DecodeError):
        plan(reading)
    record = reading.store.machines.get(left)
    assert record is not None
    assert record.watch is not None


def test_an_index_is_as_new_as_the_beginning_of_the_plan(reading: Reading) -> None:
    """What changed during it may have been read before."""
    began = reading.now
    assert plan(reading, Clock(lambda: reading.later(1) - SECOND)) is None
    assert reading.now > began
    assert reading.store.index.shown().as_of == began


def test_a_plan_that_ended_early_has_what_it_did_not_see_shown(reading: Reading) -> None:
    """Also where the index has nothing of it."""
    reading.add(vm(0, "z"))
    looks = 2 * len(GROUPS)  # at the clock, before that of group z
    clock = Clock(lambda: reading.later(PLAN_TIME.total_seconds() / looks))
    assert plan(reading, clock) == CountFleet()
    assert reading.store.fleet.planner().endswith("|z")


@pytest.mark.parametrize("group", ["b", "z"])
def test_a_plan_that_failed_has_what_it_did_not_see_shown(
    reading: Reading, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where the index has nothing of it. Why is said of each group, for only the first failure is raised."""
    reading.add(vm(0, group))
    address = parse_machine_id(vm(0, group))
    reading.store.machines._table.write(Merge(Row(partition=address.scope, key=address.row, values={"planned": "x"})))
    with pytest.raises(ValueError, match="isoformat"):
        plan(reading)
    assert reading.message() == CountFleet()
    assert [f"|{group}" in line and "isoformat" in line for line in caplog.messages if "not planned" in line] == [True]


def test_an_index_of_an_older_version_is_made_again(quick_reading: Reading) -> None:
    """It has no digest; that of no machine is 0."""
    index, now = quick_reading.store.index, quick_reading.now
    index.save(None, replace(begin(None, now), digest=None))
    quick_reading.handle(CountFleet(build=1, step=0))
    assert index.shown().head is not None
    assert_shown(quick_reading)


def test_an_index_that_cannot_be_read_is_made_again(reading: Reading) -> None:
    reading.store.index._table.write(Merge(Row(partition="fleet", key="head", values={"value": 1, "value0": b"?"})))
    with pytest.raises(zlib.error):
        reading.store.index.shown()
    assert plan(reading) == CountFleet()
    reading.rebuild()
    assert len(reading.shown()) == 3 * len(GROUPS)


def test_an_index_that_is_as_the_rows_were_before_is_made_again(reading: Reading) -> None:
    """Its rebuild had read a machine before that changed."""
    reading.wish()
    while (message := reading.step()) and message.step in (None, 0, 1):
        pass
    _refuse(reading)
    while reading.step():
        pass
    assert plan(reading) == CountFleet()


def test_a_machine_that_a_full_pack_has_no_room_for_counts_once(quick_reading: Reading) -> None:
    """It is read twice: by the step that stops there, and by the next."""
    for each in map(strange, range(40)):
        quick_reading.store.fleet.add_scopes([each.machine.address.scope])
        quick_reading.store.machines.settle(each.machine.address.scope, [each])
    plan(quick_reading)
    quick_reading.wish()
    while message := quick_reading.message():
        count_fleet(quick_reading.store, message, quick_reading.clock, lambda: "x", SHARE)
    head = quick_reading.store.index.shown().head
    assert head is not None
    assert len(head.packs) > 1
    quick_reading.later(BETWEEN)
    assert plan(quick_reading) is None
