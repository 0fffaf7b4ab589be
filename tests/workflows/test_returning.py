"""Windows with machines that are off or disconnected at their turn, and switched on later, or never."""

from datetime import datetime, timedelta

import pytest

from shared.domain.machine import Outcome
from shared.domain.returning import WAITS
from shared.domain.run import Step
from tests.cloud.world import Json, is_vm
from tests.workflows.conftest import Build
from tests.workflows.house import House
from tests.workflows.windows import by_platform, code, healthy, loaded, part, save, soon


def stopped(house: House, vm: bool) -> Json:
    kind = [each for each in house.fleet if each["script"] == "healthy" and each["pending"] and is_vm(each) is vm]
    house.know(*kind)
    return house.change("stop", next(each for each in kind if not by_platform(house, each)))


@pytest.mark.parametrize(("vm", "why"), [(True, "PoweredOff"), (False, "Disconnected")])
def test_one_that_comes_back_within_the_window_is_patched_once(house: House, vm: bool, why: str) -> None:
    machine = stopped(house, vm)
    start = save(house, soon(house, lookAgain=True), machine)
    house.clock.now = start - timedelta(seconds=50)
    house.live(4)
    waiting = part(house, start, machine)
    assert (code(waiting), waiting.is_ended) == (why, False)
    machine = house.change("start", machine)
    house.live(200, until=lambda: loaded(house, start).run.closed is not None)
    (post,) = house.posts(machine["id"])
    assert datetime.fromisoformat(post["time"]) >= start + WAITS[0]
    done = part(house, start, machine)
    assert (done.outcome, done.reason) == (Outcome.SUCCEEDED, None)
    assert loaded(house, start).run.closed
    assert house.in_flight(machine) is None


def test_one_that_never_comes_back_ends_with_its_reason_before_the_window_does(house: House) -> None:
    machine = stopped(house, vm=True)
    start = save(house, soon(house, lookAgain=True), machine)
    house.clock.now = start - timedelta(seconds=50)
    house.run(200)
    run = loaded(house, start).run
    assert run.closed is not None
    done = part(house, start, machine)
    assert code(done) == "PoweredOff"
    assert done.cut_off is not None
    assert done.cut_off - timedelta(minutes=5) <= run.closed <= done.cut_off
    assert house.posts(machine["id"]) == []
    assert house.in_flight(machine) is None
    looks = [
        each for each in house.sandbox.seen if "$expand=instanceView" in each.url or "expand=instanceView" in each.url
    ]
    assert 3 < len(looks) < 10


def test_without_the_field_it_ends_at_once_as_with_azure(house: House) -> None:
    machine = stopped(house, vm=True)
    start = save(house, soon(house), machine)
    house.clock.now = start - timedelta(seconds=50)
    house.live(4)
    assert loaded(house, start).run.closed
    assert code(part(house, start, machine)) == "PoweredOff"


def test_the_next_wave_does_not_wait_for_it(house: House) -> None:
    off = stopped(house, vm=True)
    other = next(each for each in healthy(house, 2) if each["id"] != off["id"])
    waves = [{"name": "first", "machines": [off["id"]]}, {"name": "second", "machines": [other["id"]]}]
    start = save(house, soon(house, lookAgain=True, waves=waves), off, other)
    house.clock.now = start - timedelta(seconds=50)
    house.live(4)
    assert len(house.posts(other["id"])) == 1
    assert not part(house, start, off).is_ended


def test_lost_messages_do_not_forget_it(house: House) -> None:
    machine = stopped(house, vm=True)
    start = save(house, soon(house, lookAgain=True), machine)
    house.clock.now = start - timedelta(seconds=50)
    house.live(3)
    house.lose()
    machine = house.change("start", machine)
    house.live(200, until=lambda: loaded(house, start).run.closed is not None)
    assert len(house.posts(machine["id"])) == 1
    assert loaded(house, start).run.closed


def test_one_that_came_back_and_is_installing_is_waited_for_though_only_anothers_end_is_told(build: Build) -> None:
    """Its own alarm is late: until it comes the run's row still says that it is away."""
    house = build(speed=5)
    off = stopped(house, vm=True)
    other, last = [each for each in healthy(house, 3) if each["id"] != off["id"]][:2]
    waves = [{"name": name, "machines": [each["id"]]} for name, each in (("a", off), ("b", other), ("c", last))]
    start = save(house, soon(house, lookAgain=True, waves=waves), off, other, last)
    house.run(until=lambda: bool(house.posts(other["id"])))
    house.change("start", off)
    house.run(until=lambda: bool(house.posts(off["id"])))
    back = part(house, start, off)
    assert (code(back), back.step, part(house, start, other).step) == ("PoweredOff", Step.PERMITTED, Step.RUNNING)
    for _ in range(100):
        for letter in house.lose():
            if getattr(letter.message, "machine", "").lower() == other["id"].lower():
                house.clock.now = max(house.now, letter.due)
                house.deliver(letter.message)
        if part(house, start, other).is_ended:
            break
    assert part(house, start, other).is_ended
    assert house.in_flight(off) is not None
    assert part(house, start, last).step is Step.WAITING
    house.live(200)
    assert [len(house.posts(each["id"])) for each in (off, other, last)] == [1, 1, 1]
    assert loaded(house, start).run.closed
