"""Bodies that Azure itself publishes, and the spellings its pages, tools and results use, are all understood."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.domain.installation import InstallationRequest, read_installation
from shared.domain.machine import OperatingSystem

WINDOWS, LINUX = OperatingSystem.WINDOWS, OperatingSystem.LINUX
CONTRACTS = Path(__file__).parents[3] / "shared" / "contracts"

# Azure REST API specifications, example VirtualMachine_InstallPatches (Microsoft.Compute 2025-04-01).
VM_EXAMPLE: dict[str, Any] = {
    "maximumDuration": "PT4H",
    "rebootSetting": "IfRequired",
    "windowsParameters": {
        "classificationsToInclude": ["Critical", "Security"],
        "maxPatchPublishDate": "2020-11-19T02:36:43.0539904+00:00",
        "patchNameMasksToInclude": ["*SQL*"],
        "patchNameMasksToExclude": ["*Windows*"],
    },
}
# The same, example Machine_InstallPatches (Microsoft.HybridCompute 2025-01-13).
ARC_EXAMPLE: dict[str, Any] = {
    "maximumDuration": "PT4H",
    "rebootSetting": "IfRequired",
    "windowsParameters": {
        "classificationsToInclude": ["Critical", "Security"],
        "maxPatchPublishDate": "2021-08-19T02:36:43.0539904+00:00",
    },
}


def read(body: dict[str, Any], system: OperatingSystem = WINDOWS, *, is_vm: bool = True) -> InstallationRequest:
    return read_installation(json.dumps(body).encode(), system, is_vm=is_vm)


def windows(**parameters: object) -> dict[str, Any]:
    return {"rebootSetting": "Never", "maximumDuration": "PT2H", "windowsParameters": parameters}


def linux(**parameters: object) -> dict[str, Any]:
    return {"rebootSetting": "Never", "maximumDuration": "PT2H", "linuxParameters": parameters}


def test_azures_example_for_a_vm() -> None:
    found = read(VM_EXAMPLE)
    assert (found.maximum_duration, found.reboot_setting) == (timedelta(hours=4), "IfRequired")
    parameters = found.windows_parameters
    assert parameters is not None
    assert parameters.classifications_to_include == ("Critical", "Security")
    assert parameters.max_patch_publish_date == datetime(2020, 11, 19, 2, 36, 43, 53990, tzinfo=UTC)
    assert parameters.patch_name_masks_to_include == ("*SQL*",)
    assert parameters.patch_name_masks_to_exclude == ("*Windows*",)
    assert parameters.kb_numbers_to_include is None
    assert parameters.exclude_kbs_requiring_reboot is None


def test_azures_example_for_an_arc_machine() -> None:
    found = read(ARC_EXAMPLE, is_vm=False)
    assert found.maximum_duration == timedelta(hours=4)
    assert found.windows_parameters is not None
    assert found.windows_parameters.max_patch_publish_date == datetime(2021, 8, 19, 2, 36, 43, 53990, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "is_vm"),
    [
        ("Microsoft.Compute/*/examples/**/VirtualMachine_InstallPatches.json", True),
        ("Microsoft.HybridCompute/*/examples/**/Machine_InstallPatches.json", False),
    ],
)
def test_examples_as_published(pattern: str, *, is_vm: bool) -> None:
    found = sorted(CONTRACTS.glob(pattern))
    if not found:
        pytest.skip(f"Azure's published examples are not beside the project ({pattern}).")
    for path in found:
        body = json.loads(path.read_text(encoding="utf-8"))["parameters"]["installPatchesInput"]
        assert read(body, is_vm=is_vm).maximum_duration == timedelta(hours=4), path


def test_every_field_of_a_windows_request() -> None:
    """Fields of Microsoft.Compute's WindowsParameters; a KB number loses its prefix, whichever way it was written."""
    given = windows(
        classificationsToInclude=["Definition"],
        kbNumbersToInclude=["KB5042881", "kb2267602", " 890830 "],
        kbNumbersToExclude=["5042881"],
        excludeKbsRequiringReboot=True,
        maxPatchPublishDate="2026-01-31T00:00:00Z",
        patchNameMasksToInclude=["*SQL*", "Update?"],
        patchNameMasksToExclude=["*"],
    )
    found = read(given).windows_parameters
    assert found is not None
    assert found.kb_numbers_to_include == ("5042881", "2267602", "890830")
    assert found.kb_numbers_to_exclude == ("5042881",)
    assert found.exclude_kbs_requiring_reboot is True
    assert found.max_patch_publish_date == datetime(2026, 1, 31, tzinfo=UTC)
    assert found.patch_name_masks_to_include == ("*SQL*", "Update?")
    assert found.patch_name_masks_to_exclude == ("*",)


def test_every_field_of_a_linux_request() -> None:
    masks = ["mysql", "libc=1.0.1.1", "kernel*", "libstdc++6", "python3.11-minimal", "gcc-12-base=12.2.0-14~deb12u1"]
    given = linux(
        packageNameMasksToInclude=masks, packageNameMasksToExclude=["openssl_3.0.11"], maintenanceRunId="2026-01-31"
    )
    found = read(given, LINUX).linux_parameters
    assert found is not None
    assert found.package_name_masks_to_include == tuple(masks)
    assert found.package_name_masks_to_exclude == ("openssl_3.0.11",)
    assert found.maintenance_run_id == "2026-01-31"
    assert found.classifications_to_include is None


# Spelling -> the word of the request enum. Request enums, Maintenance's UpdateRollup, display names of results, CLI.
WINDOWS_SPELLINGS = {
    "Critical": ("Critical", "critical", "CRITICAL", "Critical Updates", "CriticalUpdates", "criticalUpdate"),
    "Security": ("Security", "security", "Security Updates", "SecurityUpdates", "Security Update"),
    "UpdateRollUp": ("UpdateRollUp", "UpdateRollup", "updaterollup", "Update Rollups", "Update Rollup"),
    "FeaturePack": ("FeaturePack", "featurepack", "Feature Packs", "FeaturePacks"),
    "ServicePack": ("ServicePack", "servicePack", "Service Packs"),
    "Definition": ("Definition", "Definition Updates", "DefinitionUpdates", "definition update"),
    "Tools": ("Tools", "tools", "Tool"),
    "Updates": ("Updates", "updates", "Update", "update"),
}


@pytest.mark.parametrize(
    ("word", "spelled"), [(word, each) for word, all_of_it in WINDOWS_SPELLINGS.items() for each in all_of_it]
)
def test_spellings_of_windows_classes(word: str, spelled: str) -> None:
    found = read(windows(classificationsToInclude=[spelled])).windows_parameters
    assert found is not None
    assert found.classifications_to_include == (word,)


@pytest.mark.parametrize("spelled", ["Other", "Others", "other", "OTHERS"])
def test_spellings_of_the_other_linux_class(spelled: str) -> None:
    found = read(linux(classificationsToInclude=[spelled]), LINUX).linux_parameters
    assert found is not None
    assert found.classifications_to_include == ("Other",)


REBOOT_SPELLINGS = {
    "IfRequired": ("IfRequired", "ifrequired", "RebootIfRequired", " IfRequired "),
    "Never": ("Never", "never", "NeverReboot"),
    "Always": ("Always", "ALWAYS", "AlwaysReboot"),
}


@pytest.mark.parametrize(
    ("word", "spelled"), [(word, each) for word, all_of_it in REBOOT_SPELLINGS.items() for each in all_of_it]
)
def test_spellings_of_the_reboot_setting(word: str, spelled: str) -> None:
    assert read({**VM_EXAMPLE, "rebootSetting": spelled}).reboot_setting == word


def test_doubles_after_normalising_are_dropped_and_order_is_kept() -> None:
    found = read(windows(classificationsToInclude=["Updates", "critical", "Update", "Critical Updates"]))
    assert found.windows_parameters is not None
    assert found.windows_parameters.classifications_to_include == ("Updates", "Critical")


def test_an_empty_list_is_no_list() -> None:
    found = read(windows(classificationsToInclude=["Critical"], kbNumbersToInclude=[], patchNameMasksToExclude=[]))
    assert found.windows_parameters is not None
    assert found.windows_parameters.kb_numbers_to_include is None
    assert found.windows_parameters.patch_name_masks_to_exclude is None


@pytest.mark.parametrize("parameters", [{"kbNumbersToInclude": ["1"]}, {"patchNameMasksToInclude": ["*"]}])
def test_one_include_list_is_a_selection(parameters: dict[str, Any]) -> None:
    assert read(windows(**parameters)).windows_parameters is not None


def test_a_published_date_without_zone_is_utc() -> None:
    found = read(windows(classificationsToInclude=["Critical"], maxPatchPublishDate="2026-01-31T08:00:00"))
    assert found.windows_parameters is not None
    assert found.windows_parameters.max_patch_publish_date == datetime(2026, 1, 31, 8, tzinfo=UTC)


def test_a_normalised_request_reads_as_itself() -> None:
    """What is kept in a run's row is read back as the same, and as a body it is accepted again."""
    first = read(VM_EXAMPLE)
    text = msgspec.json.encode(first)
    assert msgspec.json.decode(text, type=InstallationRequest) == first
    assert read_installation(text, WINDOWS, is_vm=True) == first
