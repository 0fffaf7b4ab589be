"""A window opens to the second although the Functions host looks at an idle queue only now and then."""

from collections import defaultdict

from shared.domain.messages import AdvanceRun, Message, OpenRun, StartInstallation
from shared.domain.opening import WAKE_RUNS, WAKE_STARTS, run_id
from shared.domain.run import CLOCK_GUARD
from tests.domain.maintenance import ADDRESS
from tests.workflows.house import House
from tests.workflows.windows import healthy, save, soon


def test_both_queues_are_awake_when_a_window_opens(house: House) -> None:
    """An idle queue is looked at every two seconds only; one that had a message a second ago much more often."""
    (machine,) = healthy(house, 1)
    start = save(house, soon(house), machine)
    opening = start + CLOCK_GUARD
    house.run(until=lambda: house.store.runs.load(run_id(ADDRESS, start)) is not None)
    due = defaultdict[type[Message], list[float]](list)
    while not house.posts(machine["id"]):
        letter = house.step()
        due[type(letter.message)].append((letter.due - opening).total_seconds())
    assert [round(each) for each in due[AdvanceRun]] == [-WAKE_RUNS, 0]
    assert [round(each) for each in due[StartInstallation]] == [-WAKE_STARTS, 0]
    assert min(times[-1] for times in due.values()) >= 0


def test_who_dies_after_the_machines_are_written_down_costs_no_second(house: House) -> None:
    """The message comes again, and sets the run's alarm again."""
    (machine,) = healthy(house, 1)
    start = save(house, soon(house), machine)
    house.run(until=lambda: house.store.runs.load(run_id(ADDRESS, start)) is not None)
    house.lose()
    house.deliver(OpenRun(configuration=str(ADDRESS), start=start))
    house.run(until=lambda: bool(house.posts(machine["id"])))
    assert house.posts(machine["id"])
    assert house.now - (start + CLOCK_GUARD) < CLOCK_GUARD
