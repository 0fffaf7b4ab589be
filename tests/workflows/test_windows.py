"""Windows of configurations, from the line in the agenda to the last machine's end, by what Azure saw."""

from datetime import datetime, timedelta

import msgspec
import pytest

from shared.domain.assignment import Assignment, on_machine, on_scope
from shared.domain.dynamic_scope import Filter
from shared.domain.machine import Outcome
from shared.domain.messages import AdvanceRun, OpenRun, StartInstallation, StartPlanned
from shared.domain.opening import run_id
from shared.domain.phase import Phase, RunOutcome
from shared.domain.run import CLOCK_GUARD
from shared.workflows.maintenance import list_runs
from shared.workflows.openings import open_run, plan_openings, schedule
from tests.cloud.world import address_of
from tests.domain.maintenance import ADDRESS
from tests.workflows.house import House
from tests.workflows.windows import by_platform, code, healthy, loaded, part, permitted, save, soon

SECONDS = timedelta(seconds=1)


@pytest.mark.azurite
def test_a_window_patches_its_machines_once_to_the_second(house: House) -> None:
    machines = healthy(house, 3)
    start = save(house, soon(house), *machines)
    house.live(200)
    done = loaded(house, start)
    assert (done.run.phase, done.run.outcome) == (Phase.CLOSED, RunOutcome.SUCCEEDED)
    assert {each.outcome for each in done.machines} == {Outcome.SUCCEEDED}
    for machine in machines:
        (post,) = house.posts(machine["id"])
        sent = datetime.fromisoformat(post["time"])
        assert start + CLOCK_GUARD <= sent <= start + 5 * SECONDS
        (body,) = house.sent_bodies(machine["id"])
        block = body.get("windowsParameters") or body["linuxParameters"]
        assert block["classificationsToInclude"] == (
            ["Security"] if "windowsParameters" in body else ["Critical", "Security"]
        )
        assert body["maximumDuration"] == "PT119M"
    assert [each.kind for each in house.store.agenda.items()] == ["opening"]  # tomorrow's
    (listed,), _ = list_runs(house.store, ADDRESS, "", 10)
    assert (listed.outcome, listed.machines) == (RunOutcome.SUCCEEDED, {"Succeeded": 3})


def test_a_clock_that_the_last_look_corrects_starts_nothing_before_the_window(house: House) -> None:
    """The permit was granted by a clock that is a minute fast."""
    (machine,) = healthy(house, 1)
    start = save(house, soon(house), machine)
    house.run(until=lambda: permitted(house, start))
    house.skew = -60
    house.live(200)
    (post,) = house.posts(machine["id"])
    assert start + CLOCK_GUARD <= datetime.fromisoformat(post["time"]) <= start + 60 * SECONDS
    assert loaded(house, start).run.outcome is RunOutcome.SUCCEEDED


def test_tomorrow_it_opens_again(house: House) -> None:
    (machine,) = healthy(house, 1)
    start = save(house, soon(house), machine)
    house.live(200)
    house.clock.now = start + timedelta(days=1) - timedelta(minutes=10)
    house.live(200)
    assert len(house.posts(machine["id"])) == 2
    assert [run.start for run in list_runs(house.store, ADDRESS, "", 10)[0]] == [start + timedelta(days=1), start]


def test_every_message_twice_and_two_timers_fire_it_once(house: House) -> None:
    machines = healthy(house, 2)
    house.copies = 2
    start = save(house, soon(house), *machines)
    house.live(200)
    assert [len(house.posts(machine["id"])) for machine in machines] == [1, 1]
    assert loaded(house, start).run.outcome is RunOutcome.SUCCEEDED


def test_lost_messages_are_healed_by_the_agenda_in_time(house: House) -> None:
    (machine,) = healthy(house, 1)
    start = save(house, soon(house), machine)
    house.lose()
    house.clock.now = start - timedelta(minutes=3)
    house.tend()
    house.lose()  # the hint too
    house.clock.now = start - timedelta(minutes=1)
    house.live(60)
    (post,) = house.posts(machine["id"])
    assert datetime.fromisoformat(post["time"]) <= start + timedelta(minutes=3)


def test_a_line_of_the_agenda_that_was_lost_is_written_again(house: House) -> None:
    (machine,) = healthy(house, 1)
    configuration = soon(house)
    house.store.configurations.save(configuration)
    house.store.assignments.save(Assignment(id=on_machine(address_of(machine), "a"), configuration=configuration.id))
    assert plan_openings(house.store, house.now) == 1
    house.live(120)
    assert len(house.posts(machine["id"])) == 1


@pytest.mark.parametrize("late", [9, 11, 300])
def test_an_outage_around_the_opening(house: House, late: float) -> None:
    """Up to ten minutes late it opens with what is left; later it is missed as a whole, and says so."""
    (machine,) = healthy(house, 1)
    start = save(house, soon(house), machine)
    letters = house.lose()
    house.clock.now = start + timedelta(minutes=late)
    for letter in letters:
        house.deliver(letter.message)
    house.live(120)
    done = loaded(house, start)
    if late < 10:
        assert len(house.posts(machine["id"])) == 1
        assert done.run.outcome is RunOutcome.SUCCEEDED
        return
    assert house.posts(machine["id"]) == []
    assert done.run.outcome is RunOutcome.MISSED
    assert [code(each) for each in done.machines] == ["WindowMissed"]
    last = house.record(machine).installation
    assert last is not None
    assert last.reason is not None
    assert last.reason.code == "WindowMissed"


def test_an_outage_after_the_machines_were_written_down_misses_the_window_too(house: House) -> None:
    (machine,) = healthy(house, 1)
    start = save(house, soon(house), machine)
    house.run(until=lambda: house.store.runs.load(run_id(ADDRESS, start)) is not None)
    assert loaded(house, start).run.phase is Phase.READY
    house.lose()
    house.clock.now = start + timedelta(minutes=11)
    house.live(60)
    assert house.posts(machine["id"]) == []
    assert loaded(house, start).run.outcome is RunOutcome.MISSED


def test_a_worker_that_died_between_the_machines_goes_on(house: House) -> None:
    machines = healthy(house, 3)
    configuration = soon(house)
    start = save(house, configuration, *machines)
    house.clock.now = start - timedelta(seconds=50)
    house.lose()
    open_run(house.azure, house.store, OpenRun(configuration=str(ADDRESS), start=start))
    done = loaded(house, start)
    # As if it had died before the last of its writes.
    selecting = msgspec.structs.replace(done.run, phase=Phase.SELECTING)
    house.store.runs.save(done, selecting, ())
    house.lose()
    house.live(200)
    assert [len(house.posts(machine["id"])) for machine in machines] == [1, 1, 1]
    assert loaded(house, start).run.outcome is RunOutcome.SUCCEEDED


def test_an_edit_counts_until_a_minute_before_the_start_and_not_after(house: House) -> None:
    (machine,) = healthy(house, 1)
    configuration = soon(house)
    start = save(house, configuration, machine)
    stored = house.store.configurations.get(ADDRESS)
    assert stored is not None
    never = msgspec.structs.replace(configuration.properties.install_patches, reboot_setting="Never")
    edited = msgspec.structs.replace(
        configuration, properties=msgspec.structs.replace(configuration.properties, install_patches=never)
    )
    etag = house.store.configurations.save(edited, stored.etag)
    house.run(until=lambda: house.store.runs.load(run_id(ADDRESS, start)) is not None)
    assert house.now == start - timedelta(seconds=60)
    house.store.configurations.save(configuration, etag)
    house.live(120)
    (body,) = house.sent_bodies(machine["id"])
    assert body["rebootSetting"] == "Never"


@pytest.mark.parametrize("how", ["deleted", "disabled", "moved"])
def test_before_it_is_frozen_a_configuration_can_be_taken_back(house: House, how: str) -> None:
    (machine,) = healthy(house, 1)
    configuration = soon(house)
    start = save(house, configuration, machine)
    stored = house.store.configurations.get(ADDRESS)
    assert stored is not None
    if how == "deleted":
        house.store.configurations.delete(stored)
    elif how == "disabled":
        house.store.configurations.save(soon(house, enabled=False), stored.etag)
    else:
        later = soon(house, 90)
        schedule(house.store, later, house.now, house.now)
        house.store.configurations.save(later, stored.etag)
    house.live(80)
    assert house.posts(machine["id"]) == []
    assert house.store.runs.load(run_id(ADDRESS, start)) is None
    house.live(200)
    assert len(house.posts(machine["id"])) == (1 if how == "moved" else 0)


def test_a_configuration_deleted_while_its_run_is_open_is_finished_as_frozen(house: House) -> None:
    machines = healthy(house, 2)
    start = save(house, soon(house, maxConcurrency=1), *machines)
    house.run(until=lambda: any(house.posts(machine["id"]) for machine in machines))
    stored = house.store.configurations.get(ADDRESS)
    assert stored is not None
    house.store.configurations.delete(stored)
    house.live(200)
    assert [len(house.posts(machine["id"])) for machine in machines] == [1, 1]
    assert loaded(house, start).run.outcome is RunOutcome.SUCCEEDED


def test_who_is_in_scope_is_decided_when_the_window_opens(house: House) -> None:
    """A dynamic scope, evaluated over the inventory then; a machine that two assignments take is patched once."""
    machines = healthy(house, 3)
    configuration = soon(house)
    start = save(house, configuration, machines[0])
    subscription = machines[0]["subscription"]
    scope = Assignment(id=on_scope(subscription, "", "s"), configuration=configuration.id, filter=Filter())
    house.store.assignments.save(scope)
    house.live(200)
    inside = [machine for machine in house.fleet if machine["subscription"] == subscription]
    known = [machine for machine in inside if house.store.machines.get(address_of(machine))]
    ids = {each.machine.lower() for each in loaded(house, start).machines}
    assert ids == {machine["id"].lower() for machine in known}
    assert max(len(house.posts(machine["id"])) for machine in known) == 1


def test_one_at_a_time(house: House) -> None:
    machines = healthy(house, 3)
    save(house, soon(house, maxConcurrency=1), *machines)
    for _ in range(400):
        if not house.waiting():
            break
        house.step()
        assert sum(house.in_flight(machine) is not None for machine in machines) <= 1
    assert [len(house.posts(machine["id"])) for machine in machines] == [1, 1, 1]


def test_a_machine_that_azure_patches_by_itself_or_is_off_is_left_alone_with_its_reason(house: House) -> None:
    house.inventory_now()
    off = house.one("poweredOff", pending=0)
    platform = [m for m in house.fleet if by_platform(house, m)]
    start = save(house, soon(house), off, *platform)
    house.live(200)
    assert code(part(house, start, off)) == "PoweredOff"
    for machine in platform:
        assert code(part(house, start, machine)) == "PatchedByPlatform"
        assert house.posts(machine["id"]) == []
    assert loaded(house, start).run.outcome is RunOutcome.FAILED


def test_a_machine_held_by_another_operation_waits_for_it_within_the_window(house: House) -> None:
    (machine,) = healthy(house, 1)
    start = save(house, soon(house, 3), machine)
    house.install(machine)
    house.live(200)
    first, second = house.posts(machine["id"])
    assert datetime.fromisoformat(first["time"]) < start < datetime.fromisoformat(second["time"])
    assert loaded(house, start).run.outcome is RunOutcome.SUCCEEDED


def test_nothing_leaves_after_the_cut_off(house: House) -> None:
    """An operation that holds the machine to the end: the reason names it."""
    (machine,) = healthy(house, 1)
    start = save(house, soon(house), machine)
    asked = house.install(machine)
    house.lose()
    schedule(house.store, soon(house), house.now, house.now)
    house.run(until=lambda: house.store.runs.load(run_id(ADDRESS, start)) is not None)
    for seconds in (*(120,) * 58, *(30,) * 60):  # closer and closer to the cut-off, and beyond it
        house.clock.now += timedelta(seconds=seconds)
        house.deliver(AdvanceRun(run=run_id(ADDRESS, start)))
        for letter in house.lose():
            if isinstance(letter.message, StartInstallation):
                house.deliver(letter.message)
    done = part(house, start, machine)
    assert (code(done), done.outcome) == ("MachineBusy", Outcome.NOT_STARTED)
    assert done.reason is not None
    assert asked.attempt in done.reason.detail
    assert house.posts(machine["id"]) == []


def test_a_planned_assessment_whose_end_nobody_looked_for_keeps_no_machine_from_its_window(house: House) -> None:
    """The looks at it are lost; the agenda comes for it later than a short window can wait."""
    (machine,) = healthy(house, 1)
    start = save(house, soon(house, 5), machine)
    house.clock.now = start - timedelta(minutes=2)
    house.plan()
    kept = [letter.message for letter in house.lose()]
    for message in kept:
        if isinstance(message, StartPlanned):
            house.deliver(message)
    assert house.lose()
    house.clock.now = start - timedelta(seconds=50)
    house.tend()
    house.live(30, until=lambda: bool(house.posts(machine["id"], "installPatches")))
    assert house.posts(machine["id"], "installPatches")
    assert house.now < start + timedelta(minutes=2)
