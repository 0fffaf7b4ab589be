"""The app's own state, read from real rows: what stands still is named, and the answer stays small."""

import pytest

from shared.domain.agenda import HEAL_EVERY, Item, ItemKind
from shared.domain.health import MOST_TOLD, STUCK_GRACE, STUCK_HINTS, TIMERS, Check
from shared.domain.operation import ASSESSMENT_DEADLINE, INSTALLATION_GRACE
from shared.workflows.health import MOST_PARKED, MOST_SHOWN, Health, read_health
from shared.workflows.poison import discard_message, park_message
from shared.workflows.release import release_operation
from tests.cloud.world import Json, address_of
from tests.domain.samples import NOW, VM
from tests.workflows.house import House

pytestmark = pytest.mark.azurite


def health(house: House) -> Health:
    return read_health(house.store, house.now)


def codes(house: House, check: Check) -> list[str]:
    return [problem.code for problem in health(house).problems if problem.check is check]


def tick(house: House, minutes: int) -> None:
    """The agenda's timer runs, and every message is lost."""
    for _ in range(minutes):
        house.clock.advance(60)
        house.tend()
        house.lose()


def test_a_young_app_is_healthy_once_a_timer_ran(house: House) -> None:
    assert codes(house, Check.TIMERS) == ["TimersNeverRan"]
    house.store.fleet.timer_ran("agenda_timer", house.now)
    assert health(house).problems == ()
    assert [each.check for each in health(house).checks] == list(Check)
    house.clock.advance(4 * 3600)
    late = {problem.target for problem in health(house).problems if problem.code == "TimerLate"}
    assert late == set(TIMERS)


def test_an_assessment_that_nothing_moves_is_stuck_after_ten_minutes_and_released_by_one_call(house: House) -> None:
    machine = house.know(house.one(vm=True))
    operation = house.assess(machine)
    tick(house, 8)
    assert health(house).stuck == ()
    tick(house, 4)
    (stuck,) = health(house).stuck
    assert (stuck.id, stuck.machine, stuck.hints >= STUCK_HINTS) == (operation.attempt, machine["id"], True)
    assert codes(house, Check.OPERATIONS) == ["OperationStuck"]
    release_operation(house.azure, house.store, address_of(machine), operation.attempt, "ann", "hangs")
    tick(house, 3)
    assert health(house).stuck == ()
    assert house.posts(machine["id"]) == []


def test_what_moves_again_is_stuck_no_more(house: House) -> None:
    machine = house.know(house.one(vm=True))
    house.assess(machine)
    tick(house, 14)
    assert len(health(house).stuck) == 1
    house.live(6)
    assert health(house).stuck == ()
    assert house.in_flight(machine) is None


def test_the_lines_of_healthy_work_carry_its_own_deadline(house: House) -> None:
    one, other = house.one(os="Windows", vm=True), house.one(os="Linux", vm=True)
    house.know(one, other)
    assessed, installed = house.assess(one), house.install(other)
    items = house.store.agenda.first(10).items
    closes = {item.id: item.closes_by for item in items}
    assert closes == {assessed.attempt: assessed.deadline, installed.attempt: installed.deadline}
    assert assessed.deadline - assessed.claimed >= ASSESSMENT_DEADLINE
    assert installed.deadline - installed.claimed > INSTALLATION_GRACE
    house.live(2)
    assert health(house).stuck == ()


def test_a_run_that_outlives_its_deadline_is_stuck(house: House) -> None:
    machine = house.know(house.one(vm=True))
    operation = house.install(machine)
    house.clock.now = operation.deadline + STUCK_GRACE
    assert codes(house, Check.OPERATIONS) == ["RunStuck"]


def test_a_throttle_that_azure_closed_is_told_until_it_opens(house: House) -> None:
    machine: Json = house.know(house.one(vm=True))
    house.fault(429, "/assessPatches", headers={"Retry-After": "120"})
    house.assess(machine)
    house.step()
    (closed,) = health(house).throttled
    assert closed.subscription == machine["subscription"]
    assert closed.region == house.record(machine).machine.location
    assert codes(house, Check.BUCKETS) == ["Throttled"]
    house.clock.now = closed.until
    assert codes(house, Check.BUCKETS) == []


@pytest.mark.parametrize("count", [MOST_PARKED, MOST_PARKED + 1])
def test_a_thousand_parked_messages_are_cut(house: House, count: int) -> None:
    for number in range(count):
        park_message(house.store, "runs", b"%d" % number, house.now)
    told = [problem for problem in health(house).problems if problem.check is Check.POISON]
    assert len(told) == MOST_TOLD + 1
    more = "at least 80 more" if count > MOST_PARKED else "And 80 more"
    assert more in told[-1].message
    assert len(health(house).poison) == MOST_SHOWN


def test_a_discarded_message_is_no_problem_any_more(house: House) -> None:
    park_message(house.store, "runs", b"x", house.now)
    (shown,) = health(house).poison
    discard_message(house.store, "runs", shown.id, ("ann", "nobody needs it"), house.now)
    assert health(house).poison == ()
    assert codes(house, Check.POISON) == []


def test_a_thousand_open_items_are_read_and_the_stuck_one_is_found(house: House) -> None:
    for number in range(1000):
        item = Item(kind=ItemKind.RUN, id=f"run-{number}", since=NOW, closes_by=house.now)
        house.store.agenda.add(item, house.now + HEAL_EVERY)
    old = Item(kind=ItemKind.ASSESSMENT, id="old", machine=VM, since=NOW, hints=STUCK_HINTS)
    house.store.agenda.add(old, house.now + 2 * HEAL_EVERY)
    assert [item.id for item in health(house).stuck] == ["old"]
    sentence = next(each.message for each in health(house).checks if each.check is Check.OPERATIONS)
    assert sentence == "1001 assessments and runs are open."
