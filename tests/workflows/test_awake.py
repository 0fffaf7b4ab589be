"""A window opens to the second although the Functions host looks at an idle queue only now and then."""

from collections import defaultdict

from shared.domain.messages import AdvanceRun, Message, StartInstallation
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
