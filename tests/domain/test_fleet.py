"""The status of a machine and the counts of a fleet; what is not known is never shown as up to date."""

from itertools import product

import pytest
from msgspec.structs import replace

from shared.domain.fleet import Status, status_of, summarise
from shared.domain.machine import Kind, OperatingSystem, Outcome, PatchSettings, Record, Refusal, Watch
from shared.domain.reason import reason
from tests.domain.samples import ARC, NOW, SUBSCRIPTION, VM, assessment, machine, record

REFUSED = Refusal(at=NOW, reason=reason("StartRefused"))


def looked(
    outcome: Outcome = Outcome.SUCCEEDED, *, counts: dict[str, int] | None = None, reboot: bool = False
) -> Record:
    return record(assessment=assessment(outcome, counts=counts, reboot=reboot))


@pytest.mark.parametrize(
    ("of", "status"),
    [
        (record(), Status.NO_DATA),
        (looked(), Status.UP_TO_DATE),
        (looked(counts={"critical": 1}), Status.UPDATES),
        (looked(counts={"other": 0}), Status.UP_TO_DATE),
        (looked(reboot=True), Status.REBOOT),
        (looked(counts={"critical": 1}, reboot=True), Status.REBOOT),
        (looked(Outcome.FAILED, counts={"critical": 1}), Status.FAILED),
        (looked(Outcome.WARNINGS, counts={"critical": 1}), Status.UPDATES),
    ],
)
def test_status(of: Record, status: Status) -> None:
    assert status_of(of)[0] is status


@pytest.mark.parametrize(("outcome", "reboot", "refused"), list(product(Outcome, (True, False), (None, REFUSED))))
def test_unknown_is_never_up_to_date(outcome: Outcome, refused: Refusal | None, *, reboot: bool) -> None:
    """Up to date is said of a machine that Azure looked at, to the end, and found nothing on."""
    status, _ = status_of(replace(looked(outcome, reboot=reboot), refusal=refused))
    seen = outcome in (Outcome.SUCCEEDED, Outcome.WARNINGS)
    assert (status is Status.UP_TO_DATE) == (seen and not reboot)


def test_no_data_says_why() -> None:
    assert status_of(record()) == (Status.NO_DATA, None)
    assert status_of(replace(record(), refusal=REFUSED)) == (Status.NO_DATA, REFUSED.reason)
    off = replace(record(machine(connection="deallocated")), refusal=REFUSED)
    assert status_of(off) == (Status.NO_DATA, reason("PoweredOff", "PowerState/deallocated"))


def test_an_old_look_keeps_its_status_and_says_why_there_is_no_newer_one() -> None:
    off = record(machine(connection="stopped"), assessment=assessment(counts={"security": 2}))
    assert status_of(off) == (Status.UPDATES, reason("PoweredOff", "PowerState/stopped"))


def test_a_failed_look_says_why() -> None:
    failed = replace(assessment(Outcome.FAILED), reason=reason("AssessmentFailed", "detail"))
    assert status_of(record(assessment=failed)) == (Status.FAILED, reason("AssessmentFailed", "detail"))


def test_a_machine_that_azure_assesses_says_what_is_waited_for() -> None:
    settings = PatchSettings(assessment_mode="AutomaticByPlatform")
    waiting = replace(record(replace(machine(), settings=settings)), watch=Watch(since=NOW))
    assert status_of(waiting) == (Status.NO_DATA, reason("LeftToPlatform"))
    refused = replace(waiting, refusal=Refusal(at=NOW, reason=reason("StartRefused")))
    assert status_of(refused) == (Status.NO_DATA, reason("StartRefused"))
    silent = replace(waiting, watch=Watch(since=NOW, silent=NOW))
    assert status_of(silent) == (Status.NO_DATA, reason("PlatformSilent"))
    assert status_of(replace(silent, assessment=assessment())) == (Status.UP_TO_DATE, reason("PlatformSilent"))
    assert status_of(replace(silent, machine=machine())) == (Status.NO_DATA, None), "not in that mode any more"


def test_the_counts_of_a_fleet() -> None:
    linux = machine(ARC, kind=Kind.ARC, os=OperatingSystem.LINUX, connection="Disconnected")
    fleet = [
        looked(counts={"critical": 2, "tools": 1}),
        looked(counts={"critical": 1}),
        looked(),
        record(linux),
        replace(looked(counts={"critical": 99}), deleted=NOW),
        record(machine(VM.replace(SUBSCRIPTION, "S2"))),
    ]
    summary = summarise(iter(fleet), NOW)
    assert (summary.at, summary.machines) == (NOW, 5)
    assert summary.by_status == {Status.UPDATES: 2, Status.UP_TO_DATE: 1, Status.NO_DATA: 2}
    assert summary.by_kind == {"AzureVM": 4, "Arc": 1}
    assert summary.by_os == {"Windows": 4, "Linux": 1}
    assert summary.by_subscription == {SUBSCRIPTION: 4, "s2": 1}
    assert summary.pending_by_classification == {"critical": 3, "tools": 1}
    assert summary.reasons == {"Disconnected": 1}


def test_every_count_adds_up() -> None:
    fleet = [looked(outcome) for outcome in Outcome] + [record()]
    summary = summarise(fleet, NOW)
    parts = (summary.by_status, summary.by_kind, summary.by_os, summary.by_subscription)
    assert [sum(part.values()) for part in parts] == [len(fleet)] * 4


def test_an_empty_fleet() -> None:
    assert summarise([], NOW).machines == 0
