"""Runs as people ask for them: cancelled, started now, shown."""

from datetime import timedelta

import pytest

from shared.domain.errors import RequestError
from shared.domain.machine import Outcome
from shared.domain.opening import run_id, stamp
from shared.domain.operation import end
from shared.domain.phase import RunOutcome
from shared.domain.reason import reason
from shared.domain.run import CLOCK_GUARD, SEND_TIMEOUT, claim_for
from shared.workflows.maintenance import cancel_run, read_run, run_now, show_run
from tests.domain.maintenance import ADDRESS
from tests.workflows.house import House
from tests.workflows.windows import code, healthy, loaded, part, save, soon

SECONDS = timedelta(seconds=1)


def test_cancelled_before_it_begins_nothing_starts_and_everything_says_why(house: House) -> None:
    machines = healthy(house, 2)
    start = save(house, soon(house), *machines)
    assert read_run(house.store, ADDRESS, stamp(start)).status == "Pending"
    cancel_run(house.store, ADDRESS, stamp(start), "me", house.now)
    house.live(120)
    done = loaded(house, start)
    assert done.run.outcome is RunOutcome.CANCELLED
    assert [code(each) for each in done.machines] == ["Cancelled", "Cancelled"]
    assert [house.posts(machine["id"]) for machine in machines] == [[], []]
    house.clock.now = start + timedelta(days=1) - timedelta(minutes=10)
    house.live(120)
    assert [len(house.posts(machine["id"])) for machine in machines] == [1, 1]  # that one occurrence only


def test_cancelled_while_it_is_open_what_has_not_started_never_does(house: House) -> None:
    machines = healthy(house, 3)
    start = save(house, soon(house, maxConcurrency=1), *machines)
    house.run(until=lambda: any(house.posts(machine["id"]) for machine in machines))
    assert cancel_run(house.store, ADDRESS, stamp(start), "me", house.now).reason is not None
    house.live(200)
    assert sum(len(house.posts(machine["id"])) for machine in machines) == 1
    done = loaded(house, start)
    assert sorted(code(each) for each in done.machines) == ["", "Cancelled", "Cancelled"]
    assert (done.run.outcome, read_run(house.store, ADDRESS, stamp(start)).status) == ("Cancelled", "Cancelled")
    with pytest.raises(RequestError) as refusal:
        cancel_run(house.store, ADDRESS, stamp(start), "me", house.now)
    assert refusal.value.status == 409


def test_run_now_opens_one_window_however_often_it_is_asked_for(house: House) -> None:
    machines = healthy(house, 2)
    save(house, soon(house, 600), *machines)
    run = run_now(house.store, ADDRESS, "r-1", "me", house.now)
    house.clock.advance(20)
    assert run_now(house.store, ADDRESS, "r-1", "me", house.now).id == run.id
    with pytest.raises(RequestError) as refusal:
        run_now(house.store, ADDRESS, "r-2", "me", house.now)
    assert (refusal.value.status, refusal.value.code) == (409, "RunInFlight")
    house.live(200)
    assert [len(house.posts(machine["id"])) for machine in machines] == [1, 1]
    shown = show_run(house.store, run.id, "", 1)
    assert (shown.summary.outcome, len(shown.machines)) == (RunOutcome.SUCCEEDED, 1)
    assert show_run(house.store, run.id, shown.next, 1).next == ""
    assert run_now(house.store, ADDRESS, "r-1", "me", house.now).id == run.id
    assert run_now(house.store, ADDRESS, "r-2", "me", house.now).id != run.id


def test_run_now_sees_the_open_run_behind_those_that_were_begun_long_before_their_windows(house: House) -> None:
    """By a cancel, or for their pre-events."""
    (machine,) = healthy(house, 1)
    start = save(house, soon(house), machine)
    house.run(until=lambda: bool(house.posts(machine["id"])))
    for day in (1, 2):
        cancel_run(house.store, ADDRESS, stamp(start + timedelta(days=day)), "me", house.now)
    with pytest.raises(RequestError) as refusal:
        run_now(house.store, ADDRESS, "r-1", "me", house.now)
    assert (refusal.value.status, refusal.value.code) == (409, "RunInFlight")
    house.live(200)
    assert loaded(house, start).run.closed
    assert run_now(house.store, ADDRESS, "r-2", "me", house.now).id


def test_what_is_not_there(house: House) -> None:
    configuration = soon(house)
    start = save(house, configuration)
    for name in (stamp(start + SECONDS), "nonsense", "20260230000000", stamp(start)[:-1]):
        with pytest.raises(RequestError) as refusal:
            read_run(house.store, ADDRESS, name)
        assert refusal.value.status == 404
    house.live(120)
    assert loaded(house, start).run.outcome is RunOutcome.SUCCEEDED  # a configuration without machines
    assert SEND_TIMEOUT > CLOCK_GUARD


def test_a_worker_that_died_over_a_machines_end_does_not_keep_its_run_open(house: House) -> None:
    """Its attempt was ended, the run was not saved: the next step takes the end as it is."""
    machines = healthy(house, 2)
    start = save(house, soon(house), *machines)
    house.run(until=lambda: house.store.runs.load(run_id(ADDRESS, start)) is not None)
    run = loaded(house, start).run
    claim = claim_for(run, part(house, start, machines[0]).machine, house.now)
    assert house.store.operations.refuse(end(claim, Outcome.NOT_STARTED, reason("Cancelled"), house.now))
    cancel_run(house.store, ADDRESS, stamp(start), "me", house.now)
    house.live(20)
    done = loaded(house, start)
    assert done.run.outcome is RunOutcome.CANCELLED
    assert [house.posts(machine["id"]) for machine in machines] == [[], []]
