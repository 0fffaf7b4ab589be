"""What installPatches takes and refuses, and which updates it then chooses."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.local.sandbox.guests import PendingUpdate
from infra.local.sandbox.http import Refusal
from infra.local.sandbox.installs import InstallRequest, read_install
from infra.local.sandbox.selection import Selection, fit, select
from tests.sandbox.world import World


def windows(**parameters: object) -> dict[str, Any]:
    given = parameters or {"classificationsToInclude": ["Security"]}
    return {"maximumDuration": "PT2H", "rebootSetting": "IfRequired", "windowsParameters": given}


def linux(**parameters: object) -> dict[str, Any]:
    given = parameters or {"classificationsToInclude": ["Security"]}
    return {"maximumDuration": "PT2H", "rebootSetting": "IfRequired", "linuxParameters": given}


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


WRONG = [
    ("rebootSetting", without(windows(), "rebootSetting"), "Windows", False),
    ("rebootSetting", {**windows(), "rebootSetting": "Sometimes"}, "Windows", False),
    ("maximumDuration", without(linux(), "maximumDuration"), "Linux", True),
    ("maximumDuration", {**linux(), "maximumDuration": "2 hours"}, "Linux", False),
    ("maximumDuration", {**linux(), "maximumDuration": "PT0M"}, "Linux", False),
    ("maximumDuration", {**linux(), "maximumDuration": 120}, "Linux", False),
    ("linuxParameters", linux(), "Windows", False),
    ("windowsParameters", windows(), "Linux", False),
    ("windowsParameters", windows(classificationsToInclude=[]), "Windows", False),
    ("windowsParameters", windows(kbNumbersToExclude=["5034439"]), "Windows", False),
    ("windowsParameters", without(windows(), "windowsParameters"), "Windows", False),
    ("windowsParameters", {**windows(), "windowsParameters": []}, "Windows", False),
    ("windowsParameters.classificationsToInclude", windows(classificationsToInclude=["Other"]), "Windows", False),
    ("linuxParameters.classificationsToInclude", linux(classificationsToInclude=["Updates"]), "Linux", False),
    ("linuxParameters.packageNameMasksToInclude", linux(packageNameMasksToInclude=["a", ""]), "Linux", False),
    ("windowsParameters.kbNumbersToInclude", windows(kbNumbersToInclude="5034439"), "Windows", False),
    ("windowsParameters.patchNameMasksToInclude", windows(patchNameMasksToInclude=["<all>"]), "Windows", False),
    ("windowsParameters.maxPatchPublishDate", windows(maxPatchPublishDate="yesterday"), "Windows", False),
    ("windowsParameters.excludeKbsRequiringReboot", windows(excludeKbsRequiringReboot="yes"), "Windows", False),
    ("reboot", {**windows(), "reboot": "Never"}, "Windows", False),
    ("linuxParameters.kbNumbersToInclude", linux(kbNumbersToInclude=["1"]), "Linux", False),
    ("linuxParameters.maxPatchPublishDate", linux(maxPatchPublishDate="2026-01-01T00:00:00Z"), "Linux", False),
    ("linuxParameters.maintenanceRunId", linux(maintenanceRunId="run"), "Linux", True),
]


@pytest.mark.parametrize(("target", "body", "os", "arc"), WRONG)
def test_a_wrong_body_is_refused_by_the_members_name(target: str, body: dict[str, Any], os: str, arc: bool) -> None:
    with pytest.raises(Refusal) as refused:
        read_install(body, os=os, arc=arc)
    assert (refused.value.status, refused.value.target) == (400, target)
    assert target.split(".")[-1] in refused.value.message or target.endswith("Parameters")


@pytest.mark.parametrize("content", [b"{", b"[]", b'"x"'])
def test_a_body_that_is_no_object_is_refused(content: bytes) -> None:
    world = World()
    path = f"{world.one(vm=True)['id']}/installPatches?api-version=2025-04-01"
    answer = world.send("POST", path, content=content)
    assert answer.status == 400
    assert json.loads(answer.body)["error"]["code"] == "InvalidRequestContent"


def test_nothing_is_started_by_a_refused_body() -> None:
    world = World()
    machine = world.one(os="Windows", vm=True)
    assert world.post(machine, "installPatches", linux()).status == 400
    assert world.journal("operationAccepted") == []


def test_spelling_is_forgiven_where_azure_forgives_it() -> None:
    body = windows(classificationsToInclude=["SECURITY", "updaterollup"], kbNumbersToInclude=["KB5034439", "890830"])
    request = read_install({**body, "rebootSetting": "never"}, os="Windows", arc=False)
    assert request.classes == {"Security", "UpdateRollUp"}
    assert request.kbs_included == {"5034439", "890830"}
    assert request.reboot == "Never"


@pytest.mark.parametrize(
    ("text", "minutes"), [("PT2H", 120), ("PT120M", 120), ("PT3H55M", 235), ("P1DT1M", 1441), ("pt90m", 90)]
)
def test_durations(text: str, minutes: int) -> None:
    request = read_install({**linux(), "maximumDuration": text}, os="Linux", arc=True)
    assert request.maximum == timedelta(minutes=minutes)


def test_a_vm_needs_no_duration() -> None:
    assert read_install(without(linux(), "maximumDuration"), os="Linux", arc=False).maximum is None


def kb(number: str, classification: str, *, day: int = 1, reboot: str = "CanRequestReboot") -> PendingUpdate:
    published = datetime(2026, 10, day, tzinfo=UTC)
    name = f"2026-10 Update for Windows (KB{number})"
    return PendingUpdate(
        id=number, name=name, kb=number, classification=classification, published=published, reboot=reboot
    )


def package(name: str, version: str, classification: str) -> PendingUpdate:
    return PendingUpdate(id=f"{name}_{version}", name=name, version=version, classification=classification)


KBS = [
    kb("1", "Security", day=20),
    kb("2", "Critical", day=2),
    kb("3", "Definition", day=21, reboot="NeverReboots"),
    kb("4", "Updates", day=3, reboot="AlwaysRequiresReboot"),
]
PACKAGES = [
    package("kernel", "6.1", "Security"),
    package("kernel-tools", "6.1", "Critical"),
    package("libc6", "2.36-9", "Other"),
    package("vim", "9.0", "Other"),
]


def chosen(pending: list[PendingUpdate], body: dict[str, Any], os: str) -> Selection:
    return select(pending, read_install(body, os=os, arc=False))


def ids(updates: tuple[PendingUpdate, ...]) -> list[str]:
    return [update.id for update in updates]


@pytest.mark.parametrize(
    ("parameters", "selected", "excluded"),
    [
        ({"classificationsToInclude": ["Security", "Critical"]}, ["1", "2"], []),
        ({"classificationsToInclude": ["Security"], "kbNumbersToInclude": ["KB4"]}, ["1", "4"], []),
        ({"classificationsToInclude": ["Security"], "kbNumbersToExclude": ["1"]}, [], ["1"]),
        ({"kbNumbersToInclude": ["1", "2"], "kbNumbersToExclude": ["KB1"]}, ["2"], ["1"]),
        ({"patchNameMasksToInclude": ["*kb3*"]}, ["3"], []),
        ({"patchNameMasksToInclude": ["*"], "patchNameMasksToExclude": ["*KB??", "x"]}, [], ["1", "2", "3", "4"]),
        ({"kbNumbersToInclude": ["3", "4"], "excludeKbsRequiringReboot": True}, ["3"], ["1", "2", "4"]),
        ({"patchNameMasksToInclude": ["*"], "maxPatchPublishDate": "2026-10-03T00:00:00Z"}, ["2", "4"], []),
    ],
)
def test_windows_updates_are_chosen(parameters: dict[str, Any], selected: list[str], excluded: list[str]) -> None:
    result = chosen(KBS, windows(**parameters), "Windows")
    assert ids(result.selected) == selected
    assert ids(result.excluded) == excluded
    assert len(result.selected) + len(result.excluded) + len(result.not_selected) == len(KBS)


@pytest.mark.parametrize(
    ("parameters", "selected", "excluded"),
    [
        ({"classificationsToInclude": ["Security"]}, ["kernel_6.1", "kernel-tools_6.1"], []),
        ({"classificationsToInclude": ["Critical"]}, ["kernel_6.1", "kernel-tools_6.1"], []),
        ({"classificationsToInclude": ["Other"]}, ["libc6_2.36-9", "vim_9.0"], []),
        ({"packageNameMasksToInclude": ["kernel"]}, ["kernel_6.1"], []),
        ({"packageNameMasksToInclude": ["kernel*"]}, ["kernel_6.1", "kernel-tools_6.1"], []),
        ({"packageNameMasksToInclude": ["libc6=2.36*"]}, ["libc6_2.36-9"], []),
        ({"packageNameMasksToInclude": ["libc6=2.37*"]}, [], []),
        ({"packageNameMasksToInclude": ["vim"], "packageNameMasksToExclude": ["vim=1.0"]}, [], ["vim_9.0"]),
    ],
)
def test_packages_are_chosen(parameters: dict[str, Any], selected: list[str], excluded: list[str]) -> None:
    result = chosen(PACKAGES, linux(**parameters), "Linux")
    assert ids(result.selected) == selected
    assert ids(result.excluded) == excluded


def request(os: str, minutes: int, reboot: str) -> InstallRequest:
    return InstallRequest(os=os, maximum=timedelta(minutes=minutes), reboot=reboot, classes=frozenset({"Security"}))


@pytest.mark.parametrize(
    ("os", "minutes", "reboot", "arc", "started"),
    [
        ("Windows", 24, "IfRequired", False, 0),
        ("Windows", 25, "IfRequired", False, 1),
        ("Windows", 15, "Never", False, 1),
        ("Windows", 45, "IfRequired", False, 3),
        ("Linux", 19, "IfRequired", False, 0),
        ("Linux", 20, "IfRequired", False, 1),
        ("Linux", 5, "IfRequired", True, 1),
        ("Linux", 17, "Never", False, 4),
        ("Linux", 15, "Never", False, 3),
    ],
)
def test_only_what_fits_the_window_is_begun(os: str, minutes: int, reboot: str, arc: bool, started: int) -> None:
    """Figures of Azure's window arithmetic: 15 min to begin on Windows, 10 for its reboot; 5, then 2 min a package."""
    pending = [package(f"p{number}", "1", "Security") for number in range(4)]
    result = fit(pending, request(os, minutes, reboot), arc=arc)
    assert len(result.started) == started
    assert len(result.left) == 4 - started


def test_without_a_limit_everything_fits() -> None:
    unlimited = InstallRequest(os="Windows", maximum=None, reboot="IfRequired")
    assert len(fit(KBS * 40, unlimited, arc=False).started) == 160


def test_counters_say_excluded_not_selected_and_installed() -> None:
    world = World()
    machine = world.one(os="Linux", vm=True, pending=4)
    _, found = world.finish(world.post(machine, "assessPatches"))
    names = [patch["name"] for patch in found["availablePatches"]]
    body = linux(packageNameMasksToInclude=names[:2], packageNameMasksToExclude=[names[0]])
    _, result = world.finish(world.post(machine, "installPatches", body))
    counts = {
        name: result[f"{name}PatchCount"] for name in ("installed", "excluded", "notSelected", "pending", "failed")
    }
    rest = len(names) - 2
    assert counts == {"installed": 1, "excluded": 1, "notSelected": rest, "pending": 0, "failed": 0}
    states = {patch["name"]: patch["installationState"] for patch in result["patches"]}
    assert states == {names[0]: "Excluded", names[1]: "Installed", **dict.fromkeys(names[2:], "NotSelected")}
    assert len(world.get("/sandbox/fleet")[world.fleet.index(machine)]["pending"]) == len(names) - 1
