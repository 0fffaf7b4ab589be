"""Which machines the planner asks for, case by case."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from shared.domain.assessment import PLAN_LIFE, PLATFORM_TOLERANCE, REFUSAL_PAUSE, Due, is_stale, plan_assessment
from shared.domain.machine import Kind, Machine, Outcome, PatchSettings, Record, Refusal, Watch
from shared.domain.operation import ASSESSMENT_PATIENCE
from shared.domain.reason import reason
from shared.domain.results import LIST_PATIENCE, OVERLAP, SWEEP_LIFE
from tests.domain.samples import ARC, NOW, assessment, installation, machine, minutes, record

DAY = timedelta(hours=24)
TICK = timedelta(microseconds=1)


def due(of: Record, now: datetime = NOW) -> bool:
    return plan_assessment(of, DAY, now).due


def test_a_machine_never_looked_at_is_due() -> None:
    assert plan_assessment(record(), DAY, NOW) == Due(due=True)


@pytest.mark.parametrize(("age", "expected"), [(DAY - TICK, False), (DAY, True), (DAY + TICK, True)])
@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.WARNINGS, Outcome.FAILED])
def test_the_age_of_the_last_look_decides(age: timedelta, outcome: Outcome, *, expected: bool) -> None:
    """A failed look counts as a look: it is not repeated at once."""
    assert due(record(assessment=assessment(outcome, ended=NOW - age))) is expected


@pytest.mark.parametrize(
    ("outcome", "patched"),
    [
        (Outcome.SUCCEEDED, True),
        (Outcome.FAILED, True),
        (Outcome.WARNINGS, True),
        (Outcome.UNKNOWN, True),
        (Outcome.NOT_STARTED, False),
    ],
)
def test_a_machine_patched_since_is_due(outcome: Outcome, *, patched: bool) -> None:
    """Also where it is not known whether it was patched; an installation that never started patched nothing."""
    looked = assessment(ended=NOW - minutes(60))
    assert due(record(assessment=looked, installation=installation(outcome, ended=NOW - minutes(30)))) is patched
    assert not due(record(assessment=looked, installation=installation(outcome, ended=NOW - minutes(90))))


UNREACHABLE = [
    (machine(connection="deallocated"), "PoweredOff", "PowerState/deallocated"),
    (machine(connection="stopped"), "PoweredOff", "PowerState/stopped"),
    (machine(connection="starting"), "PoweredOff", "PowerState/starting"),
    (machine(ARC, kind=Kind.ARC, connection="Disconnected"), "Disconnected", "Disconnected"),
    (machine(ARC, kind=Kind.AWS, connection="Error"), "Disconnected", "Error"),
    (machine(ARC, kind=Kind.AZURE_LOCAL_NODE, connection="Connected"), "UpdatedThroughCluster", ""),
]


@pytest.mark.parametrize(("of", "code", "detail"), UNREACHABLE)
def test_an_unreachable_machine_is_left_out_with_its_reason(of: Machine, code: str, detail: str) -> None:
    plan = plan_assessment(record(of), DAY, NOW)
    assert plan == Due(due=False, reason=reason(code, detail))


@pytest.mark.parametrize(
    "of",
    [
        machine(connection="running"),
        machine(connection=""),
        machine(ARC, kind=Kind.ARC, connection="Connected"),
        machine(ARC, kind=Kind.AZURE_LOCAL_VM, connection="Connected"),
        machine(ARC, kind=Kind.VMWARE, connection=""),
    ],
)
def test_a_reachable_machine_is_due(of: Machine) -> None:
    """Without a word of Azure's on its connection it is tried."""
    assert plan_assessment(record(of), DAY, NOW) == Due(due=True)


def test_a_deleted_machine_is_not_planned() -> None:
    assert not due(replace(record(), deleted=NOW - minutes(1)))


@pytest.mark.parametrize(("age", "expected"), [(timedelta(), False), (PLAN_LIFE - TICK, False), (PLAN_LIFE, True)])
def test_a_planned_machine_is_left_alone_for_a_while(age: timedelta, *, expected: bool) -> None:
    assert due(replace(record(), planned=NOW - age)) is expected


@pytest.mark.parametrize(
    ("age", "expected"), [(timedelta(), False), (REFUSAL_PAUSE - TICK, False), (REFUSAL_PAUSE, True)]
)
def test_after_a_refusal_there_is_a_pause(age: timedelta, *, expected: bool) -> None:
    refused = Refusal(at=NOW - age, reason=reason("StartRefused"))
    assert due(replace(record(), refusal=refused)) is expected


def test_a_plan_outlives_the_wait_for_a_busy_machine() -> None:
    assert PLAN_LIFE > ASSESSMENT_PATIENCE


def test_stale_says_the_same_without_the_plan() -> None:
    """A planned start asks again, when its message is taken, whether the look is still wanted."""
    planned = replace(record(), planned=NOW)
    assert is_stale(planned, DAY, NOW)
    assert not is_stale(record(assessment=assessment()), DAY, NOW)


def by_platform(**more: object) -> Record:
    settings = PatchSettings(assessment_mode="automaticByPlatform")
    return replace(record(replace(machine(), settings=settings)), **more)


def test_a_machine_that_azure_assesses_is_left_to_it() -> None:
    for age in (timedelta(), DAY, DAY + PLATFORM_TOLERANCE - TICK):
        plan = plan_assessment(by_platform(assessment=assessment(ended=NOW - age)), DAY, NOW)
        assert plan == Due(due=False), age


def test_results_that_stop_are_noticed_and_the_machine_is_driven() -> None:
    plan = plan_assessment(by_platform(assessment=assessment(ended=NOW - DAY - PLATFORM_TOLERANCE)), DAY, NOW)
    assert plan == Due(due=True, reason=reason("PlatformSilent"), watch=Watch(since=NOW, silent=NOW))


def test_a_silent_machine_is_driven_like_any_other_until_azure_is_back() -> None:
    silent = Watch(since=NOW, silent=NOW)
    ours = by_platform(watch=silent, assessment=assessment(ended=NOW))
    assert plan_assessment(ours, DAY, NOW + DAY - TICK) == Due(due=False, reason=reason("PlatformSilent"))
    assert plan_assessment(ours, DAY, NOW + DAY) == Due(due=True, reason=reason("PlatformSilent"))
    back = by_platform(watch=None, assessment=assessment(ended=NOW))
    assert plan_assessment(back, DAY, NOW + DAY) == Due(due=False)


def test_a_machine_without_any_result_has_its_time_from_the_first_sight() -> None:
    first = plan_assessment(by_platform(), DAY, NOW)
    assert first == Due(due=False, reason=reason("LeftToPlatform"), watch=Watch(since=NOW))
    seen = by_platform(watch=first.watch)
    assert not plan_assessment(seen, DAY, NOW + PLATFORM_TOLERANCE - TICK).due
    late = plan_assessment(seen, DAY, NOW + PLATFORM_TOLERANCE)
    assert (late.due, late.watch) == (True, Watch(since=NOW, silent=NOW + PLATFORM_TOLERANCE))


def test_a_patched_machine_is_looked_at_whoever_assesses_it() -> None:
    patched = by_platform(assessment=assessment(ended=NOW - minutes(9)), installation=installation(ended=NOW))
    assert plan_assessment(patched, DAY, NOW) == Due(due=True)


def test_a_machine_that_azure_does_not_assess_any_more_is_driven() -> None:
    """What was remembered of it when Azure did is no matter."""
    ours = replace(record(), watch=Watch(since=NOW, silent=NOW), assessment=assessment(ended=NOW - DAY))
    assert plan_assessment(ours, DAY, NOW) == Due(due=True)


def test_the_tolerance_leaves_the_sweeps_their_time() -> None:
    assert PLATFORM_TOLERANCE > OVERLAP + LIST_PATIENCE + SWEEP_LIFE
