"""What cannot be asked of an installation is refused with Azure's code, a sentence, and the field to mend."""

import json
from typing import Any

import pytest

from shared.domain.errors import RequestError
from shared.domain.installation import InstallationRequest, read_installation
from shared.domain.machine import OperatingSystem
from shared.domain.selection import LONGEST_ENTRY, LONGEST_LIST

WINDOWS, LINUX = OperatingSystem.WINDOWS, OperatingSystem.LINUX
ONE_CLASS = {"classificationsToInclude": ["Security"]}


def body(system: OperatingSystem = WINDOWS, **changes: object) -> dict[str, Any]:
    """A good body with some fields changed; None takes a field out."""
    block = {"windowsParameters": ONE_CLASS} if system is WINDOWS else {"linuxParameters": ONE_CLASS}
    whole = {"maximumDuration": "PT2H", "rebootSetting": "IfRequired", **block, **changes}
    return {name: value for name, value in whole.items() if value is not None}


def read(given: object, system: OperatingSystem = WINDOWS, *, is_vm: bool = True) -> InstallationRequest:
    text = given if isinstance(given, bytes) else json.dumps(given).encode()
    return read_installation(text, system, is_vm=is_vm)


def refusal(given: object, system: OperatingSystem = WINDOWS, *, is_vm: bool = True) -> RequestError:
    with pytest.raises(RequestError) as refused:
        read(given, system, is_vm=is_vm)
    return refused.value


def on_windows(field: str, value: object) -> dict[str, Any]:
    return body(windowsParameters={**ONE_CLASS, field: value})


def on_linux(field: str, value: object) -> dict[str, Any]:
    return body(LINUX, linuxParameters={**ONE_CLASS, field: value})


WINDOWS_REFUSALS: list[tuple[dict[str, Any], str]] = [
    (body(rebootSetting=None), "rebootSetting"),
    (body(rebootSetting=""), "rebootSetting"),
    (body(rebootSetting="Sometimes"), "rebootSetting"),
    (body(rebootSetting=1), "rebootSetting"),
    (body(maximumDuration="two hours"), "maximumDuration"),
    (body(maximumDuration="02:00"), "maximumDuration"),
    (body(maximumDuration="P1M"), "maximumDuration"),
    (body(maximumDuration=120), "maximumDuration"),
    (body(maximumDuration=True), "maximumDuration"),
    (body(maximumDuration="PT0S"), "maximumDuration"),
    (body(maximumDuration="-PT2H"), "maximumDuration"),
    (body(maximumDuration="P1DT1S"), "maximumDuration"),
    (body(maximumDuration="PT25M"), "maximumDuration"),
    (body(maximumDuration="PT15M", rebootSetting="Never"), "maximumDuration"),
    (body(windowsParameters=None), "windowsParameters"),
    (body(windowsParameters={}), "windowsParameters"),
    (body(windowsParameters=[]), "windowsParameters"),
    (body(windowsParameters={"classificationsToInclude": []}), "windowsParameters"),
    (body(windowsParameters={"kbNumbersToExclude": ["1"], "patchNameMasksToExclude": ["a"]}), "windowsParameters"),
    (body(windowsParameters=None, linuxParameters=ONE_CLASS), "linuxParameters"),
    (body(linuxParameters=ONE_CLASS), "linuxParameters"),
    (body(duration="PT2H"), "duration"),
    (body(RebootSetting="Never"), "RebootSetting"),
    (on_windows("kbNumbers", ["1"]), "windowsParameters.kbNumbers"),
    (on_windows("maintenanceRunId", "1"), "windowsParameters.maintenanceRunId"),
    (on_windows("packageNameMasksToInclude", ["a"]), "windowsParameters.packageNameMasksToInclude"),
    (on_windows("classificationsToInclude", "Critical"), "windowsParameters.classificationsToInclude"),
    (on_windows("classificationsToInclude", ["Security", 3]), "windowsParameters.classificationsToInclude[1]"),
    (on_windows("classificationsToInclude", [None]), "windowsParameters.classificationsToInclude[0]"),
    (on_windows("classificationsToInclude", ["Security", "Other"]), "windowsParameters.classificationsToInclude[1]"),
    (on_windows("classificationsToInclude", [""]), "windowsParameters.classificationsToInclude[0]"),
    (on_windows("classificationsToInclude", ["s"]), "windowsParameters.classificationsToInclude[0]"),
    (on_windows("kbNumbersToInclude", ["KB"]), "windowsParameters.kbNumbersToInclude[0]"),
    (on_windows("kbNumbersToInclude", ["1", "5042881x"]), "windowsParameters.kbNumbersToInclude[1]"),
    (on_windows("kbNumbersToInclude", [5042881]), "windowsParameters.kbNumbersToInclude[0]"),
    (on_windows("kbNumbersToInclude", ["12345678901"]), "windowsParameters.kbNumbersToInclude[0]"),
    (on_windows("kbNumbersToInclude", ["٣"]), "windowsParameters.kbNumbersToInclude[0]"),
    (on_windows("kbNumbersToExclude", [""]), "windowsParameters.kbNumbersToExclude[0]"),
    (on_windows("excludeKbsRequiringReboot", "yes"), "windowsParameters.excludeKbsRequiringReboot"),
    (on_windows("maxPatchPublishDate", "31.01.2026"), "windowsParameters.maxPatchPublishDate"),
    (on_windows("maxPatchPublishDate", 1769817600), "windowsParameters.maxPatchPublishDate"),
    (on_windows("patchNameMasksToInclude", [""]), "windowsParameters.patchNameMasksToInclude[0]"),
    (on_windows("patchNameMasksToInclude", [" "]), "windowsParameters.patchNameMasksToInclude[0]"),
    (on_windows("patchNameMasksToInclude", ["*SQL*", "a b"]), "windowsParameters.patchNameMasksToInclude[1]"),
    (on_windows("patchNameMasksToInclude", ["*SQL*\n"]), "windowsParameters.patchNameMasksToInclude[0]"),
    (on_windows("patchNameMasksToExclude", ["über"]), "windowsParameters.patchNameMasksToExclude[0]"),
    (on_windows("kbNumbersToInclude", ["1"] * (LONGEST_LIST + 1)), "windowsParameters.kbNumbersToInclude"),
    (on_windows("patchNameMasksToExclude", ["a" * (LONGEST_ENTRY + 1)]), "windowsParameters.patchNameMasksToExclude"),
]
LINUX_REFUSALS: list[tuple[dict[str, Any], str]] = [
    (body(LINUX, maximumDuration="PT20M"), "maximumDuration"),
    (body(LINUX, maximumDuration="PT5M", rebootSetting="Never"), "maximumDuration"),
    (body(LINUX, linuxParameters=None), "linuxParameters"),
    (body(LINUX, linuxParameters={}), "linuxParameters"),
    (body(LINUX, linuxParameters={"packageNameMasksToExclude": ["a"]}), "linuxParameters"),
    (body(LINUX, linuxParameters=None, windowsParameters=ONE_CLASS), "windowsParameters"),
    (on_linux("kbNumbersToInclude", ["1"]), "linuxParameters.kbNumbersToInclude"),
    (on_linux("maxPatchPublishDate", "2026-01-31T00:00:00Z"), "linuxParameters.maxPatchPublishDate"),
    (on_linux("classificationsToInclude", ["Critical", "Other"]), "linuxParameters.classificationsToInclude"),
    (on_linux("classificationsToInclude", ["Security", "Others"]), "linuxParameters.classificationsToInclude"),
    (on_linux("classificationsToInclude", ["UpdateRollup"]), "linuxParameters.classificationsToInclude[0]"),
    (on_linux("packageNameMasksToInclude", [""]), "linuxParameters.packageNameMasksToInclude[0]"),
    (on_linux("packageNameMasksToInclude", ["ok", "rm -rf"]), "linuxParameters.packageNameMasksToInclude[1]"),
    (on_linux("packageNameMasksToExclude", ["a;b"]), "linuxParameters.packageNameMasksToExclude[0]"),
    (on_linux("packageNameMasksToExclude", ["a" * (LONGEST_ENTRY + 1)]), "linuxParameters.packageNameMasksToExclude"),
    (on_linux("packageNameMasksToInclude", ["a"] * (LONGEST_LIST + 1)), "linuxParameters.packageNameMasksToInclude"),
    (on_linux("maintenanceRunId", 7), "linuxParameters.maintenanceRunId"),
]
ARC_REFUSALS: list[tuple[dict[str, Any], str]] = [
    (body(LINUX, maximumDuration=None), "maximumDuration"),
    (on_linux("maintenanceRunId", "1"), "linuxParameters.maintenanceRunId"),
]
REFUSALS = [
    *((given, WINDOWS, True, field) for given, field in WINDOWS_REFUSALS),
    *((given, LINUX, True, field) for given, field in LINUX_REFUSALS),
    *((given, LINUX, False, field) for given, field in ARC_REFUSALS),
]


@pytest.mark.parametrize(("given", "system", "is_vm", "field"), REFUSALS)
def test_a_refusal_names_its_field(given: dict[str, Any], system: OperatingSystem, field: str, *, is_vm: bool) -> None:
    refused = refusal(given, system, is_vm=is_vm)
    assert (refused.status, refused.code, refused.target) == (400, "InvalidParameter", field)
    assert refused.message.endswith(".")


@pytest.mark.parametrize("text", [b"{", b"\xff", b"{'a': 1}", b'{"rebootSetting": "Never"} {}', b"PT2H"])
def test_what_is_not_json(text: bytes) -> None:
    refused = refusal(text)
    assert (refused.status, refused.code, refused.target) == (400, "InvalidRequestContent", "body")


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b'"PT2H"', b"7"])
def test_what_is_json_but_no_object(text: bytes) -> None:
    refused = refusal(text)
    assert (refused.code, refused.target) == ("InvalidParameter", "body")


def test_a_refused_word_comes_with_the_words_to_use() -> None:
    message = refusal(on_linux("classificationsToInclude", ["Tools"]), LINUX).message
    assert "'Tools'" in message
    assert "Critical, Security, Other" in message


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (["Critical"], ("Critical", "Security")),
        (["Security"], ("Critical", "Security")),
        (["Security", "Critical"], ("Critical", "Security")),
        (["Other"], ("Other",)),
        (["Other", "Security", "Critical"], ("Other", "Security", "Critical")),
    ],
)
def test_critical_and_security_are_one_on_linux(given: list[str], sent: tuple[str, ...]) -> None:
    """Azure's Linux patch extension widens either alone to both, and reports either one with Other as invalid."""
    found = read(on_linux("classificationsToInclude", given), LINUX).linux_parameters
    assert found is not None
    assert found.classifications_to_include == sent


def test_either_class_alone_stays_alone_on_windows() -> None:
    found = read(on_windows("classificationsToInclude", ["Critical", "Tools"])).windows_parameters
    assert found is not None
    assert found.classifications_to_include == ("Critical", "Tools")
