"""The opening of a window: its name, its tolerance, and each machine's part in the run."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from shared.domain.configuration import Configuration, next_windows
from shared.domain.errors import RequestError
from shared.domain.machine import OperatingSystem, Outcome, Record
from shared.domain.occurrence import Occurrence
from shared.domain.opening import begin_by, begun, part_of, plan_for, run_id, stamp, start_of, window_at, window_now
from shared.domain.phase import Phase
from shared.domain.run import RunMachine, Step, last_send
from tests.domain.maintenance import ADDRESS, fleet, put
from tests.domain.samples import ARC, NOW, installation, machine, minutes, record

WINDOW = next_windows(put(fleet()), NOW, 1)[0]


def part(of: Configuration, known: Record, domain: int | None = None) -> RunMachine:
    return part_of(of, begun(of, WINDOW, "w"), known, domain, (), NOW)


def test_a_runs_name_is_its_start_in_utc() -> None:
    """The form of Azure's documentation: 20230509150000 for 15:00:00Z."""
    start = datetime(2023, 5, 9, 15, tzinfo=UTC)
    assert stamp(start) == "20230509150000"
    assert start_of("20230509150000") == start
    for wrong in ("2023050915000", "202305091500001", "20230230000000", "x", ""):
        with pytest.raises(RequestError) as refusal:
            start_of(wrong)
        assert refusal.value.status == 404


def test_one_window_has_one_run() -> None:
    other = replace(ADDRESS, name=ADDRESS.name.upper())
    assert run_id(ADDRESS, WINDOW.start) == run_id(other, WINDOW.start)
    assert run_id(ADDRESS, WINDOW.start) != run_id(ADDRESS, WINDOW.start + timedelta(seconds=1))
    assert run_id(ADDRESS, WINDOW.start) != run_id(replace(ADDRESS, name="other"), WINDOW.start)


@pytest.mark.parametrize(("length", "tolerated"), [(30, 5), (60, 10), (90, 10), (1440, 10)])
def test_how_late_a_window_may_be_opened(length: int, tolerated: int) -> None:
    assert begin_by(Occurrence(start=NOW, end=NOW + minutes(length))) == NOW + minutes(tolerated)


def test_only_a_window_of_the_configuration_is_one() -> None:
    of = put(fleet())
    assert window_at(of, WINDOW.start) == WINDOW
    assert window_at(of, WINDOW.start + timedelta(seconds=1)) is None
    assert window_at(put(fleet({"enabled": False})), WINDOW.start) is None


def test_a_window_now_begins_at_a_whole_second_and_is_as_long_as_the_first() -> None:
    of = put(fleet())
    window = window_now(of, NOW + timedelta(microseconds=1))
    assert (window.start, window.end - window.start) == (NOW + timedelta(seconds=1), timedelta(hours=3))
    assert window_now(of, NOW).start == NOW


def test_a_run_begins_without_machines() -> None:
    run = begun(put(fleet()), WINDOW, "w")
    assert (run.phase, run.request, run.closed) == (Phase.SELECTING, None, None)
    assert run.plan is not None
    assert run.plan.begin_by == WINDOW.start + minutes(10)


def test_shares_become_counts() -> None:
    of = put(fleet({"maxConcurrency": "20%", "maxFailures": "5%"}))
    plan = plan_for(of, begun(of, WINDOW, "w"), 50)
    assert (plan.concurrency, plan.failures) == (10, 2)
    few = plan_for(of, begun(of, WINDOW, "w"), 3)
    assert (few.concurrency, few.failures) == (1, 0)
    assert plan_for(put(fleet()), begun(of, WINDOW, "w"), 3).concurrency is None


@pytest.mark.parametrize(("os", "reserve"), [(OperatingSystem.WINDOWS, 25), (OperatingSystem.LINUX, 20)])
def test_a_machines_cut_off_is_that_of_its_system(os: OperatingSystem, reserve: int) -> None:
    of = put(fleet())
    found = part(of, record(machine(os=os)))
    assert found.cut_off == WINDOW.end - minutes(reserve)
    assert last_send(begun(of, WINDOW, "w"), found) < found.cut_off


@pytest.mark.parametrize(("took", "earlier"), [(10, 0), (25, 0), (45, 20), (600, 65)])
def test_a_slow_machine_must_start_earlier_but_is_never_left_out_for_ever(took: int, earlier: int) -> None:
    """By what its last good installation took beyond the usual, at most as if it were half of the window."""
    last = replace(installation(), started=NOW - minutes(took), counts={"installed": 3})
    of = put(fleet())
    usual, slow = part(of, record()).cut_off, part(of, record(installation=last)).cut_off
    assert usual is not None
    assert slow is not None
    assert usual - slow == minutes(earlier)
    failed = replace(last, outcome=Outcome.FAILED)
    assert part(of, record(installation=failed)).cut_off == usual


@pytest.mark.parametrize(
    ("known", "code", "aside"),
    [
        (replace(record(), deleted=NOW), "Deleted", False),
        (record(machine(os=OperatingSystem.UNKNOWN)), "UnknownSystem", False),
        (record(machine(os=OperatingSystem.LINUX)), "SystemNotPatched", True),
    ],
)
def test_a_machine_that_ends_at_once_says_why(known: Record, code: str, aside: bool) -> None:
    given = fleet()
    del given["properties"]["installPatches"]["linuxParameters"]
    found = part(put(given), known)
    assert (found.step, found.outcome, found.aside) == (Step.ENDED, Outcome.NOT_STARTED, aside)
    assert found.reason is not None
    assert found.reason.code == code


def test_wave_set_and_domain() -> None:
    of = put(fleet({"waves": [{"name": "a", "updateDomains": [1]}]}))
    member = replace(machine(), availability_set="/Sets/A")
    assert (part(of, record(member), 1).wave, part(of, record(member), 0).wave) == (0, 1)
    assert (part(of, record(member), 1).group, part(of, record(member), 1).domain) == ("/sets/a", "1")
    assert part(of, record(member)).domain != part(of, record(machine(ARC))).domain  # unknown: shared with no other
