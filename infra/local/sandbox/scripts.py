"""What a machine of the fleet is made to do, and how an assessment and an installation of it must therefore end."""

from enum import StrEnum

import msgspec


class Script(StrEnum):
    """One behaviour. All but HEALTHY, SLOW, BUSY and PLATFORM_SILENT keep a machine from ending as Succeeded."""

    HEALTHY = "healthy"
    SLOW = "slow"
    BUSY = "busy"
    POWERED_OFF = "poweredOff"
    DEALLOCATED = "deallocated"
    DISCONNECTED = "disconnected"
    CLUSTER_NODE = "clusterNode"
    ASSESSMENT_FAILS = "assessmentFails"
    INSTALLATION_FAILS = "installationFails"
    WINDOW_EXCEEDED = "windowExceeded"
    REBOOT_LEFT = "rebootLeft"
    PLATFORM_SILENT = "platformSilent"


SLOW_FACTOR = 4.0
"""How much longer everything takes inside a slow machine."""


class Verdict(msgspec.Struct, frozen=True):
    """An outcome and its reason code; "" for success."""

    outcome: str
    reason: str = ""


class Expectation(msgspec.Struct, frozen=True):
    """Judged for every class, PT2H, IfRequired (Never where the tag `reboot` says `never`)."""

    assessment: Verdict
    installation: Verdict


_DONE = Verdict("Succeeded")


def _left_out(reason: str) -> Expectation:
    return Expectation(Verdict("Skipped", reason), Verdict("Skipped", reason))


_EXPECTED = {
    Script.POWERED_OFF: _left_out("PoweredOff"),
    Script.DEALLOCATED: _left_out("PoweredOff"),
    Script.DISCONNECTED: _left_out("Disconnected"),
    Script.CLUSTER_NODE: _left_out("UpdatedThroughCluster"),
    Script.ASSESSMENT_FAILS: Expectation(
        Verdict("Failed", "AssessmentFailed"), Verdict("Failed", "InstallationFailed")
    ),
    Script.INSTALLATION_FAILS: Expectation(_DONE, Verdict("Failed", "InstallationFailed")),
    Script.WINDOW_EXCEEDED: Expectation(_DONE, Verdict("Failed", "WindowExceeded")),
    Script.REBOOT_LEFT: Expectation(_DONE, Verdict("CompletedWithWarnings", "RebootRequired")),
}


def expected(script: Script) -> Expectation:
    """How the app must report a machine of this script. Source of the outcomes: Update Manager's workflow page."""
    return _EXPECTED.get(script, Expectation(_DONE, _DONE))


def expected_in_window(script: Script, *, left_to_platform: bool) -> Verdict:
    """How a maintenance window must leave it: as an installation does, but what Azure patches by itself is left to it.

    Source: Update Manager documentation, "prerequisites for scheduled patching".
    """
    return Verdict("Skipped", "PatchedByPlatform") if left_to_platform else expected(script).installation
