"""Machines as the app shows them: how they are read, chosen, and what they are asked."""

import msgspec
import pytest

from infra.local.fleet import Expected, Guest, Look, Row, Why, truth
from infra.local.job import is_attended, request
from infra.local.verdict import Ended

ROW = Row(
    id="/subscriptions/S/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/Web-01",
    name="Web-01",
    kind="AzureVM",
    os="Windows",
    subscription="S",
    tags={"ring": "attended"},
    pending={"Security Updates": 2, "Critical Updates": 1},
    last_assessment=Look("Succeeded", "2026-01-01T00:00:00Z"),
)
OFF = msgspec.structs.replace(ROW, pending=None, last_assessment=None, reason=Why("PoweredOff", "It is off."))
PATCHED = msgspec.structs.replace(ROW, last_installation=Look("Failed", "t", Why("InstallationFailed", "It broke.")))


def test_the_attended_ring_is_asked_for_where_something_is_pending() -> None:
    assert is_attended(ROW)


@pytest.mark.parametrize(
    "row",
    [
        msgspec.structs.replace(ROW, tags={"ring": "pilot"}),
        msgspec.structs.replace(ROW, tags={}),
        msgspec.structs.replace(ROW, pending={"Security Updates": 0}),
        msgspec.structs.replace(ROW, last_assessment=Look("Failed", "t", Why("AssessmentFailed"))),
        OFF,
    ],
)
def test_others_are_not(row: Row) -> None:
    assert not is_attended(row)


def test_everything_is_asked_for_and_an_owner_may_forbid_the_reboot() -> None:
    body = request(msgspec.structs.replace(ROW, os="Linux", tags={"reboot": "never"}))
    assert body == {
        "maximumDuration": "PT2H",
        "rebootSetting": "Never",
        "linuxParameters": {"classificationsToInclude": ["Critical", "Security", "Other"]},
    }
    assert request(ROW)["rebootSetting"] == "IfRequired"
    assert "windowsParameters" in request(ROW)


def test_what_a_row_says_of_itself() -> None:
    assert ROW.told(False).assessment == Ended("Succeeded")
    assert ROW.told(False).pending == 3
    assert OFF.told(False).assessment == Ended("Skipped", "PoweredOff")
    assert PATCHED.told(True).installation == Ended("Failed", "InstallationFailed")


def test_a_machine_is_settled_when_assessed_or_left_alone_for_good() -> None:
    busy = msgspec.structs.replace(OFF, reason=Why("MachineBusy"))
    assert [row.settled for row in (ROW, OFF, busy)] == [True, True, False]


def test_the_outcome_is_the_installations_where_one_was_asked_for() -> None:
    assert ROW.outcome(chosen=False) == ("Succeeded", "")
    assert OFF.outcome(chosen=False) == ("Skipped", "PoweredOff: It is off.")
    assert PATCHED.outcome(chosen=True) == ("Failed", "InstallationFailed: It broke.")
    assert ROW.outcome(chosen=True)[0] == "Unknown"


def test_what_is_right_in_a_window_is_not_what_is_right_on_request() -> None:
    left = Ended("Skipped", "PatchedByPlatform")
    guest = Guest("/s/a", "AzureVM", "healthy", False, ["x"], Expected(Ended("Succeeded"), Ended("Succeeded")), left)
    assert truth(guest, guest).installation == Ended("Succeeded")
    assert truth(guest, guest, in_window=True).installation == left


def test_a_busy_machine_may_be_asked_again_and_one_that_is_left_alone_may_not() -> None:
    assert msgspec.structs.replace(ROW, reason=None).may_be_asked
    for passing in ("MachineBusy", "PlatformSilent", "AssessmentFailed"):
        assert msgspec.structs.replace(ROW, reason=Why(passing)).may_be_asked
    assert not msgspec.structs.replace(ROW, reason=Why("PoweredOff")).may_be_asked
