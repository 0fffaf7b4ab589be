"""Runs of configurations: many machines in waves, at a pace, within a budget; case by case."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from shared.domain.advance import advance
from shared.domain.bucket import SLOT_LIFE
from shared.domain.machine import Outcome
from shared.domain.messages import StartInstallation
from shared.domain.operation import Accepted, Refused, Unanswered, answered, sending, with_slot
from shared.domain.permit import MOST_UNUSED, pace
from shared.domain.phase import Phase, RunOutcome
from shared.domain.reason import reason
from shared.domain.run import (
    MOST_CHANGES,
    PERMIT_LIFE,
    Plan,
    Run,
    RunMachine,
    Step,
    cancelled,
    claim_for,
    last_send,
    may_start,
    selected,
)
from shared.domain.wave import Stage
from tests.domain.samples import NOW, minutes, run, run_machine

BEGIN_BY = NOW + minutes(10)
OPEN = NOW + minutes(1)
ANSWERS = (
    Accepted(url="u", result_url="", retry_after=1),
    Accepted(url="u", result_url="", retry_after=1),
    Refused(status=409, code="Conflict", message="Busy."),
    Refused(status=403, code="Forbidden", message="No."),
    Unanswered(detail="time-out"),
)


def planned(**changes: object) -> Run:
    plan = replace(Plan(begin_by=BEGIN_BY), **changes)
    return selected(replace(run(), request=None, configuration="c", phase=Phase.SELECTING), plan)


def several(count: int, **changes: object) -> tuple[RunMachine, ...]:
    return tuple(replace(run_machine(number), **changes) for number in range(count))


def permitted(of: Run, machines: tuple[RunMachine, ...], now: datetime = OPEN) -> list[str]:
    decided = advance(of, machines, {}, now)
    return [each.machine for each in decided.messages if isinstance(each, StartInstallation)]


def ended(machine: RunMachine, outcome: Outcome, at: datetime = NOW) -> RunMachine:
    why = None if outcome is Outcome.SUCCEEDED else reason("InstallationFailed")
    return replace(machine, step=Step.ENDED, outcome=outcome, ended=at, reason=why)


def test_without_a_limit_all_start_at_once_as_with_azure() -> None:
    assert len(permitted(planned(), several(50))) == 50


def test_one_transaction_grants_at_most_ninety_nine_and_goes_on_at_once() -> None:
    machines = several(250)
    decided = advance(planned(), machines, {}, OPEN)
    assert (len(decided.machines), len(decided.messages), decided.wake) == (MOST_CHANGES, MOST_CHANGES, 0)
    many = replace(planned(), stopped_because=reason("WindowMissed"))
    decided = advance(many, machines, {}, OPEN)
    assert (len(decided.machines), decided.run, decided.wake) == (MOST_CHANGES, None, 0)


def elsewhere(machine: RunMachine) -> RunMachine:
    """The same in another subscription."""
    return replace(machine, machine=machine.machine.replace("/subscriptions/", "/subscriptions/b"))


def test_of_one_subscription_no_more_are_permitted_than_azure_takes_in_a_permits_life() -> None:
    live = several(MOST_UNUSED, step=Step.PERMITTED, permit_until=OPEN + PERMIT_LIFE)
    waiting = several(MOST_UNUSED + 9)[MOST_UNUSED:]
    seen = frozenset(each.machine for each in live)
    assert permitted(planned(), (*live, *waiting)) == []
    assert advance(planned(), (*live, *waiting), {}, OPEN, seen).wake == 10 + 2 + 1
    assert permitted(planned(), (*live[1:], *waiting)) == [waiting[0].machine]
    others = tuple(map(elsewhere, waiting))
    assert permitted(planned(), (*live, *waiting, *others)) == [each.machine for each in others]


@pytest.mark.parametrize(
    ("paced", "why", "room"), [(True, None, False), (False, None, True), (True, "PoweredOff", True)]
)
def test_only_who_waits_for_a_slot_of_azures_throttle_keeps_others_waiting(
    paced: bool, why: str | None, room: bool
) -> None:
    """Not who waits because it is busy, or away: that may last."""
    because = reason(why) if why else None
    run_out = several(MOST_UNUSED, step=Step.PERMITTED, permit_until=OPEN - minutes(1), reason=because)
    claim = replace(claim_for(planned(), "", NOW), not_before=OPEN + minutes(5), paced=paced, reason=because)
    claims = {each.machine: replace(claim, machine=each.machine) for each in run_out}
    new = run_machine(MOST_UNUSED)
    decided = advance(planned(), (*run_out, new), claims, OPEN)
    assert [each for each in decided.messages if isinstance(each, StartInstallation)] == (
        [StartInstallation(run=planned().id, machine=new.machine)] if room else []
    )


def test_whoever_does_not_look_at_a_permit_that_ran_out_waits_for_the_alarm_and_grants_no_other() -> None:
    run_out = several(MOST_UNUSED, step=Step.PERMITTED, permit_until=OPEN - minutes(1))
    machines = (*run_out, run_machine(MOST_UNUSED))
    decided = advance(planned(), machines, {}, OPEN, frozenset(each.machine for each in run_out))
    assert decided.messages == ()
    assert decided.machines == ()


def test_whoever_has_a_slot_is_first_only_while_it_may_be_used() -> None:
    """One that cannot be looked at never uses its slot: the others would wait for it until the cut-off."""
    stuck = replace(run_machine(0), step=Step.PERMITTED, permit_until=OPEN - minutes(1))
    claim, other = with_slot(claim_for(planned(), stuck.machine, NOW), OPEN), run_machine(1)
    for after, first in ((timedelta(), stuck), (SLOT_LIFE, stuck), (SLOT_LIFE + timedelta(seconds=1), other)):
        decided = advance(planned(concurrency=1), (stuck, other), {stuck.machine: claim}, OPEN + after)
        assert [each.machine for each in decided.messages if isinstance(each, StartInstallation)] == [first.machine]


def test_a_throttle_that_is_closed_keeps_no_other_region_waiting() -> None:
    run_out = several(MOST_UNUSED, step=Step.PERMITTED, permit_until=OPEN - minutes(1), region="one")
    claim = replace(claim_for(planned(), "", NOW), not_before=OPEN + minutes(10), paced=True)
    claims = {each.machine: replace(claim, machine=each.machine) for each in run_out}
    there, here = replace(run_machine(500), region="one"), replace(run_machine(501), region="other")
    decided = advance(planned(), (*run_out, there, here), claims, OPEN)
    assert [each.machine for each in decided.messages if isinstance(each, StartInstallation)] == [here.machine]


@pytest.mark.parametrize(
    ("limit", "good", "expected"), [(None, 0, 20), (1, 0, 1), (1, 5, 1), (8, 0, 2), (8, 1, 3), (8, 9, 8), (10, 0, 3)]
)
def test_slow_start(limit: int | None, good: int, expected: int) -> None:
    done = tuple(ended(machine, Outcome.SUCCEEDED) for machine in several(20)[:good])
    machines = (*done, *several(20)[good:])
    assert pace(limit, machines) == expected
    granted = permitted(planned(concurrency=limit), machines)
    assert len(granted) == min(expected, 20 - good)


@pytest.mark.parametrize(("budget", "failed", "stops"), [(None, 9, False), (0, 1, True), (2, 1, False), (2, 2, True)])
def test_the_failure_budget(budget: int | None, failed: int, stops: bool) -> None:
    machines = (*(ended(each, Outcome.FAILED) for each in several(9)[:failed]), *several(12)[9:])
    decided = advance(planned(failures=budget), machines, {}, OPEN)
    assert decided.run is not None
    assert (decided.run.stopped_because is not None) is stops
    if stops:
        assert {each.reason and each.reason.code for each in decided.machines} == {"FailureBudgetUsed"}
        assert (decided.run.phase, decided.run.outcome) == (Phase.CLOSED, RunOutcome.FAILED)


def test_what_was_never_started_uses_no_budget() -> None:
    machines = (*(ended(each, Outcome.NOT_STARTED) for each in several(9)), run_machine(20))
    assert len(permitted(planned(failures=1), machines)) == 1


def test_a_used_up_budget_lets_running_ones_finish() -> None:
    running = replace(run_machine(5), step=Step.RUNNING)
    going = answered(sending(claim_for(planned(), running.machine, OPEN), OPEN), ANSWERS[0], OPEN)[0]
    machines = (ended(run_machine(1), Outcome.FAILED), running, run_machine(6))
    decided = advance(planned(failures=1), machines, {running.machine: going}, OPEN)
    assert [each.machine for each in decided.machines] == [run_machine(6).machine]
    assert decided.run is not None
    assert decided.run.closed is None


def test_waves_follow_each_other_with_soak_and_threshold() -> None:
    stages = (Stage(name="first", soak=minutes(20), success_threshold=50), Stage(name="second"))
    of = planned(waves=stages)
    first, second, rest = run_machine(1), replace(run_machine(2), wave=1), replace(run_machine(3), wave=2)
    assert permitted(of, (first, second, rest)) == [first.machine]
    done = ended(first, Outcome.SUCCEEDED, OPEN)
    soaking = advance(of, (done, second, rest), {}, OPEN + minutes(19))
    # Without an earlier step the run would have been missed by then; here it is open already.
    opened = replace(of, phase=Phase.OPEN)
    soaking = advance(opened, (done, second, rest), {}, OPEN + minutes(19))
    assert (soaking.machines, soaking.wake) == ((), 61)
    assert permitted(opened, (done, second, rest), OPEN + minutes(20)) == [second.machine]
    failed = ended(first, Outcome.FAILED, OPEN)
    stopped = advance(opened, (failed, second, rest), {}, OPEN + minutes(20))
    assert {each.reason and each.reason.code for each in stopped.machines} == {"WaveBelowThreshold"}


def test_a_wave_of_machines_set_aside_holds_nothing_up() -> None:
    stages = (Stage(name="first", soak=minutes(20), success_threshold=100),)
    aside = replace(ended(run_machine(1), Outcome.NOT_STARTED), aside=True)
    assert permitted(planned(waves=stages), (aside, replace(run_machine(2), wave=1))) == [run_machine(2).machine]


def test_availability_sets_go_one_update_domain_at_a_time() -> None:
    sets = [replace(run_machine(n), group="a" if n < 4 else "b", domain=str(n % 2)) for n in range(6)]
    assert permitted(planned(), tuple(sets)) == [sets[n].machine for n in (0, 2, 4)]
    busy = replace(sets[1], step=Step.RUNNING)
    going = answered(sending(claim_for(planned(), busy.machine, OPEN), OPEN), ANSWERS[0], OPEN)[0]
    machines = (sets[0], busy, *sets[2:])
    decided = advance(planned(), machines, {busy.machine: going}, OPEN)
    assert {each.machine for each in decided.machines} == {sets[3].machine, sets[4].machine}


def test_one_that_waits_for_its_machine_does_not_keep_the_others_from_starting() -> None:
    """A permit that was not used goes to those who had none before it comes round again."""
    first = replace(run_machine(1), step=Step.PERMITTED, permit_until=OPEN)
    of = replace(planned(concurrency=1), phase=Phase.OPEN)
    assert permitted(of, (first, run_machine(2)), OPEN + timedelta(seconds=1)) == []
    assert permitted(of, (first, run_machine(2)), OPEN + timedelta(seconds=2)) == [run_machine(2).machine]


def test_a_window_that_is_not_opened_in_time_is_missed() -> None:
    late = advance(planned(), several(3), {}, BEGIN_BY + timedelta(seconds=1))
    assert late.run is not None
    assert (late.run.outcome, late.messages) == (RunOutcome.MISSED, ())
    assert {each.reason for each in late.machines} == {reason("WindowMissed")}
    assert len(permitted(planned(), several(3), BEGIN_BY)) == 3
    assert len(permitted(replace(planned(), phase=Phase.OPEN), several(3), BEGIN_BY + minutes(5))) == 3


def test_nothing_is_decided_while_machines_are_being_written_down() -> None:
    selecting = replace(planned(), phase=Phase.SELECTING)
    assert advance(selecting, several(3), {}, BEGIN_BY + minutes(60)).machines == ()
    assert not may_start(selecting, replace(run_machine(), step=Step.PERMITTED, permit_until=OPEN), OPEN - minutes(0.1))


def test_a_machine_has_a_cut_off_of_its_own() -> None:
    of, early = planned(), replace(run_machine(1), cut_off=NOW + minutes(30))
    assert last_send(of, early) == NOW + minutes(30) - timedelta(seconds=37)
    assert last_send(of, replace(early, cut_off=of.end)) == last_send(of)
    opened = replace(of, phase=Phase.OPEN)
    decided = advance(opened, (early, run_machine(2)), {}, NOW + minutes(30))
    assert [(each.step, each.reason and each.reason.code) for each in decided.machines] == [
        (Step.ENDED, "NoTimeLeft"),
        (Step.PERMITTED, None),
    ]


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((), RunOutcome.SUCCEEDED),
        ((Outcome.SUCCEEDED, Outcome.SUCCEEDED), RunOutcome.SUCCEEDED),
        ((Outcome.SUCCEEDED, Outcome.WARNINGS), RunOutcome.WARNINGS),
        ((Outcome.WARNINGS, Outcome.FAILED), RunOutcome.FAILED),
        ((Outcome.SUCCEEDED, Outcome.NOT_STARTED), RunOutcome.FAILED),
        ((Outcome.SUCCEEDED, Outcome.UNKNOWN), RunOutcome.FAILED),
    ],
)
def test_how_a_run_ends(outcomes: tuple[Outcome, ...], expected: RunOutcome) -> None:
    machines = tuple(ended(run_machine(n), outcome) for n, outcome in enumerate(outcomes))
    decided = advance(planned(), machines, {}, OPEN)
    assert decided.run is not None
    assert decided.run.outcome is expected
    stopped = advance(cancelled(planned(), reason("Cancelled"), OPEN), (*machines, run_machine(9)), {}, OPEN)
    assert stopped.run is not None
    assert stopped.run.outcome is RunOutcome.CANCELLED


def test_a_permit_lives_from_when_it_is_granted_however_long_the_attempts_took_to_read() -> None:
    granting = OPEN + timedelta(seconds=9)
    decided = advance(planned(), several(3), {}, OPEN, granting=granting)
    assert {each.permit_until for each in decided.machines} == {granting + PERMIT_LIFE}


def test_a_step_that_does_not_look_at_a_permit_sets_the_alarm_for_its_end() -> None:
    permit = {"step": Step.PERMITTED, "permit_until": OPEN + timedelta(seconds=7)}
    one, other = several(1, **permit)[0], replace(several(2)[1], **permit)
    decided = advance(planned(), (one, other), {}, OPEN, frozenset({one.machine, other.machine}))
    assert decided.wake == 7 + 2 + 1
