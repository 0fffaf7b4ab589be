"""Writing a run's machines down, where there are many, or Azure takes long to tell of them."""

from datetime import timedelta

import pytest

from shared.domain.messages import OpenRun
from shared.domain.phase import Phase
from shared.domain.run import MOST_CHANGES
from shared.workflows.openings import SELECT_TIME, open_run
from tests.cloud.world import address_of
from tests.domain.maintenance import ADDRESS
from tests.workflows.conftest import Build
from tests.workflows.house import House
from tests.workflows.windows import loaded, part, save, soon


def test_what_takes_long_to_write_down_goes_on_by_another_message(build: Build) -> None:
    """What is written stays: a function that gave up would begin again, until the window was missed."""
    house = build(machines=MOST_CHANGES + 30)
    house.inventory()
    start = save(house, soon(house), *house.fleet)
    message = OpenRun(configuration=str(ADDRESS), start=start)
    house.lose()
    house.clock.now = start - timedelta(seconds=59)
    vm = next(each for each in sorted(house.fleet, key=lambda each: each["id"].lower()) if each["availability_set"])
    house.sandbox.beforehand[vm["id"].lower()] = lambda: house.clock.advance(SELECT_TIME.total_seconds() + 1)
    open_run(house.azure, house.store, message)
    assert (loaded(house, start).run.phase, len(loaded(house, start).machines)) == (Phase.SELECTING, MOST_CHANGES)
    assert [letter.message for letter in house.lose()] == [message]
    open_run(house.azure, house.store, message)
    run = loaded(house, start)
    assert run.run.phase is Phase.READY
    assert len({each.machine for each in run.machines}) == len(house.fleet)


def test_the_update_domains_of_many_are_asked_for_together(build: Build) -> None:
    house = build(machines=400)
    together = [each for each in house.fleet if each["availability_set"]]
    house.inventory()
    start = save(house, soon(house), *together)
    house.lose()
    house.clock.now = start - timedelta(seconds=59)
    open_run(house.azure, house.store, OpenRun(configuration=str(ADDRESS), start=start))
    told = {each.machine.lower(): each.domain for each in loaded(house, start).machines}
    assert told == {each["id"].lower(): str(each["update_domain"]) for each in together}
    assert len(together) > 33


@pytest.mark.parametrize(("before", "waits"), [(59, True), (-30, False)])
def test_a_throttle_is_waited_for_while_there_is_time_before_the_window(
    house: House, before: float, waits: bool
) -> None:
    vm = next(each for each in house.fleet if each["availability_set"])
    house.know(vm)
    start = save(house, soon(house), vm)
    house.lose()
    house.clock.now = start - timedelta(seconds=before)
    house.fault(429, address_of(vm).name, method="GET", times=1)
    open_run(house.azure, house.store, OpenRun(configuration=str(ADDRESS), start=start))
    assert loaded(house, start).run.phase is (Phase.SELECTING if waits else Phase.READY)
    house.live(1)
    own = str(vm["update_domain"]) if waits else vm["id"].lower()  # of its own, as far as anybody knows
    assert part(house, start, vm).domain == own


def test_a_throttle_is_waited_for_no_longer_than_to_the_opening(house: House) -> None:
    vm = next(each for each in house.fleet if each["availability_set"])
    house.know(vm)
    start = save(house, soon(house), vm)
    message = OpenRun(configuration=str(ADDRESS), start=start)
    house.lose()
    house.clock.now = start - timedelta(seconds=20)
    house.fault(429, address_of(vm).name, method="GET", times=2, retry_after=300)
    open_run(house.azure, house.store, message)
    (again,) = [letter for letter in house.waiting() if letter.message == message]
    assert again.due == start
    house.live(1)
    assert part(house, start, vm).domain == vm["id"].lower()
