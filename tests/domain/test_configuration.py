"""A maintenance configuration: read from Azure's bodies, normalised once, written back, and asked for its windows."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.configuration import latest_start, next_windows, request_for, schedules_of, shape
from shared.domain.configuration_body import import_configuration
from shared.domain.errors import RequestError
from shared.domain.installation import LinuxParameters, WindowsParameters
from shared.domain.machine import OperatingSystem
from tests.domain.maintenance import ADDRESS, WINDOW, body, fleet, patch, published, put, refusal, window
from tests.domain.samples import NOW

MODE = {"InGuestPatchMode": "User"}
WINDOWS, LINUX, UNKNOWN = OperatingSystem.WINDOWS, OperatingSystem.LINUX, OperatingSystem.UNKNOWN


def test_a_body_comes_back_in_azures_shape() -> None:
    assert shape(put(body())) == {
        "id": str(ADDRESS),
        "name": "nightly",
        "type": "Microsoft.Maintenance/maintenanceConfigurations",
        **body(location="westeurope"),
    }


def test_what_is_read_and_written_again_changes_nothing() -> None:
    whole = fleet(
        {
            "rules": [{"recurEvery": "Month day1", "duration": "05:00"}],
            "maxConcurrency": "20%",
            "waves": [{"name": "pilot", "tag": {"name": "ring", "values": ["0"]}, "soak": "PT30M"}],
            "preEventLead": "PT1H",
        }
    )
    once = put(whole)
    assert put(shape(once), once) == once
    assert shape(put(shape(once), once)) == shape(once)


def test_what_is_left_out_gets_azures_defaults() -> None:
    given = put(
        body(
            tags=...,
            properties__namespace=...,
            properties__visibility=...,
            properties__installPatches__rebootSetting=...,
            properties__maintenanceWindow__expirationDateTime=...,
            properties__maintenanceWindow__duration=...,
        )
    )
    shown = shape(given)["properties"]
    assert shown["visibility"] == "Custom"
    assert shown["installPatches"]["rebootSetting"] == "IfRequired"
    assert shown["maintenanceWindow"]["expirationDateTime"] == "9999-12-31 23:59:59"
    assert shown["maintenanceWindow"]["duration"] == "03:55"
    assert "namespace" not in shown
    assert given.tags == {}


def test_null_is_as_good_as_left_out() -> None:
    nulls = body(properties__namespace=None, properties__visibility=None, properties__fleet=None, tags=None)
    assert put(nulls) == put(body(properties__namespace=..., tags=...))


def test_spelling_variants_are_normalised_once() -> None:
    given = put(
        body(
            location="West Europe",
            properties__maintenanceScope="inguestpatch",
            properties__visibility="custom",
            properties__extensionProperties={"inguestpatchmode": "user"},
            properties__maintenanceWindow__startDateTime="2026-03-14T22:00:00",
            properties__maintenanceWindow__timeZone="w. europe standard time",
            properties__maintenanceWindow__duration="3:00:00",
            properties__maintenanceWindow__recurEvery=" Week  Saturday,Sunday ",
            properties__installPatches__rebootSetting="RebootIfRequired",
            properties__installPatches__windowsParameters={
                "classificationsToInclude": ["updaterollups", "update", "Critical Updates"],
                "kbNumbersToExclude": ["KB5042881", "5042881"],
            },
            properties__installPatches__linuxParameters={
                "classificationsToInclude": ["security", "critical", "Others"]
            },
        )
    )
    shown = shape(given)
    assert shown["location"] == "westeurope"
    properties = shown["properties"]
    assert (properties["maintenanceScope"], properties["visibility"]) == ("InGuestPatch", "Custom")
    assert properties["extensionProperties"] == {"InGuestPatchMode": "User"}
    assert properties["maintenanceWindow"] == body()["properties"]["maintenanceWindow"]
    assert properties["installPatches"] == {
        "rebootSetting": "IfRequired",
        "windowsParameters": {
            "classificationsToInclude": ["UpdateRollup", "Updates", "Critical"],
            "kbNumbersToExclude": ["KB5042881"],
        },
        "linuxParameters": {"classificationsToInclude": ["Security", "Critical", "Other"]},
    }


def test_what_only_azure_writes_is_taken_and_dropped() -> None:
    read_only = {"id": "/x", "name": "x", "type": "y", "systemData": {"createdBy": "z"}, "etag": "1"}
    assert put(read_only | body()) == put(body())


def test_a_put_without_our_block_keeps_it_and_null_removes_it() -> None:
    ours = put(fleet({"maxConcurrency": 5}, duration="06:00"))
    assert ours.properties.fleet is not None
    kept = put(window(duration="07:00"), ours)
    assert kept.properties.fleet == ours.properties.fleet
    assert shape(kept)["properties"]["fleet"] == {"maxConcurrency": 5}
    removed = put(body(properties__fleet=None), ours)
    assert removed.properties.fleet is None
    assert "fleet" not in shape(removed)["properties"]
    assert refusal(body(properties__fleet=None, properties__maintenanceWindow__duration="06:00"), ours).target == (
        f"{WINDOW}.duration"
    )


def test_a_patch_changes_what_it_names() -> None:
    before = put(fleet({"maxConcurrency": 5, "deferralDays": 0}))
    after = patch({"properties": {"maintenanceWindow": {"duration": "04:30"}}, "tags": {"env": "prod"}}, before)
    assert after.tags == {"team": "ops", "env": "prod"}
    assert after.properties.maintenance_window.duration == "04:30"
    assert after.properties.maintenance_window.recur_every == "Week Saturday,Sunday"
    assert after.properties.fleet == before.properties.fleet
    assert patch({}, before) == before
    only_windows = patch({"properties": {"installPatches": {"linuxParameters": None}}}, before)
    assert only_windows.properties.install_patches.linux_parameters is None
    assert only_windows.properties.install_patches.windows_parameters is not None


def test_a_patch_reaches_into_our_block_and_null_removes_it() -> None:
    before = put(fleet({"maxConcurrency": 5, "maxFailures": "10%"}))
    after = patch({"properties": {"fleet": {"maxFailures": None, "enabled": False}}}, before)
    assert shape(after)["properties"]["fleet"] == {"enabled": False, "maxConcurrency": 5}
    assert patch({"properties": {"fleet": None}}, before).properties.fleet is None


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ({"properties": {"maintenanceWindow": {"duration": "00:10"}}}, f"{WINDOW}.duration"),
        ({"properties": None}, "properties"),
        ({"properties": {"installPatches": []}}, "properties.installPatches"),
        ({"location": "uksouth"}, "location"),
        ({"location": None}, "location"),
    ],
)
def test_a_patch_is_checked_like_a_put(given: dict[str, Any], target: str) -> None:
    with pytest.raises(RequestError) as refused:
        patch(given, put(body()))
    assert refused.value.target == target


def test_a_bottomless_patch_is_refused() -> None:
    nested: dict[str, Any] = {}
    for _ in range(300):
        nested = {"properties": nested}
    with pytest.raises(RequestError) as refused:
        patch(nested, put(body()))
    assert (refused.value.status, refused.value.code) == (400, "InvalidRequestContent")


def test_next_windows() -> None:
    given = put(
        fleet({"rules": [{"recurEvery": "Month day1", "startDateTime": "2026-03-01 20:00", "duration": "00:30"}]})
    )
    found = [(f"{each.start:%m-%d %H:%M}", each.end - each.start) for each in next_windows(given, NOW, 7)]
    assert [start for start, _ in found] == [
        "03-14 21:00", "03-15 21:00", "03-21 21:00", "03-22 21:00", "03-28 21:00", "03-29 20:00", "04-01 18:00",
    ]  # fmt: skip
    assert found[-1][1] == timedelta(minutes=30)
    assert {schedule.zone for schedule in schedules_of(given)} == {"W. Europe Standard Time"}


def test_a_disabled_configuration_opens_no_window() -> None:
    given = put(fleet({"enabled": False}))
    assert not given.enabled
    assert next_windows(given, NOW, 3) == []
    assert len(schedules_of(given)) == 1


@pytest.mark.parametrize(
    ("reboot", "system", "minutes"),
    [("IfRequired", WINDOWS, 25), ("Never", WINDOWS, 15), ("Always", LINUX, 20), ("Never", LINUX, 5)],
)
def test_the_cut_off_keeps_time_for_one_update_and_its_reboot(
    reboot: str, system: OperatingSystem, minutes: int
) -> None:
    given = put(body(properties__installPatches__rebootSetting=reboot))
    first = next_windows(given, NOW, 1)[0]
    assert latest_start(given, first, system) == first.end - timedelta(minutes=minutes)


def test_what_is_asked_of_a_machine() -> None:
    given = put(
        body(
            properties__installPatches__rebootSetting="Never",
            properties__installPatches__windowsParameters={
                "classificationsToInclude": ["Security"],
                "kbNumbersToInclude": ["KB2", "2", "kb3"],
                "kbNumbersToExclude": ["KB1"],
                "excludeKbsRequiringReboot": True,
            },
            properties__installPatches__linuxParameters={
                "classificationsToInclude": ["Critical"],
                "packageNameMasksToExclude": ["kernel*"],
            },
        )
    )
    on_windows, on_linux = request_for(given, WINDOWS, NOW), request_for(given, LINUX, NOW)
    assert on_windows is not None
    assert on_windows.reboot_setting == "Never"
    assert on_windows.maximum_duration is None
    assert on_windows.windows_parameters == WindowsParameters(
        classifications_to_include=("Security",),
        kb_numbers_to_include=("2", "3"),
        kb_numbers_to_exclude=("1",),
        exclude_kbs_requiring_reboot=True,
    )
    assert on_linux is not None
    assert on_linux.linux_parameters == LinuxParameters(
        classifications_to_include=("Critical", "Security"), package_name_masks_to_exclude=("kernel*",)
    )
    assert request_for(given, UNKNOWN, NOW) is None
    assert request_for(put(body(properties__installPatches__linuxParameters=...)), LINUX, NOW) is None


def test_azures_two_spellings_of_a_word_are_kept_apart() -> None:
    """`UpdateRollup` in a configuration, `UpdateRollUp` in an installation."""
    given = put(body(properties__installPatches__windowsParameters={"classificationsToInclude": ["updateRollUps"]}))
    shown = shape(given)["properties"]["installPatches"]["windowsParameters"]
    assert shown == {"classificationsToInclude": ["UpdateRollup"]}
    request = request_for(given, WINDOWS, NOW)
    assert request is not None
    assert request.windows_parameters == WindowsParameters(classifications_to_include=("UpdateRollUp",))


def test_a_deferral_is_a_ceiling_reckoned_from_the_windows_start() -> None:
    block = {"deferralDays": 14, "patchNameMasksToExclude": ["*Preview*"]}
    given = put(body(properties__fleet=block, properties__installPatches__linuxParameters=...))
    request = request_for(given, WINDOWS, datetime(2026, 3, 14, 21, tzinfo=UTC))
    assert request is not None
    assert request.windows_parameters is not None
    assert request.windows_parameters.max_patch_publish_date == datetime(2026, 2, 28, 21, tzinfo=UTC)
    assert request.windows_parameters.patch_name_masks_to_exclude == ("*Preview*",)


def test_azures_examples_are_imported_or_refused_by_their_scope() -> None:
    """Azure's answers: a start long ago, a window of five hours, no patch mode; none of it matters at an import."""
    taken = 0
    for name, example in published("MaintenanceConfigurations"):
        properties = example["properties"]
        if properties.get("maintenanceScope") == "InGuestPatch":
            given = import_configuration(json.dumps(example).encode(), ADDRESS)
            assert not given.enabled, name
            shown = shape(given)["properties"]
            assert shown == properties | {"extensionProperties": MODE, "fleet": {"enabled": False}}, name
            taken += 1
        else:
            assert refusal(example).target == "properties.maintenanceScope", name
    assert taken == 3


def test_azures_examples_are_taken_by_a_put_with_our_block() -> None:
    for name, example in published("MaintenanceConfigurations_GetForResource_Guest"):
        error = refusal(example)
        assert error.target == "properties.extensionProperties.InGuestPatchMode", name
        example["properties"]["extensionProperties"] = {"InGuestPatchMode": "User"}
        assert refusal(example).target == f"{WINDOW}.duration", name
        example["properties"]["maintenanceWindow"]["duration"] = "03:55"
        assert refusal(example).target == f"{WINDOW}.startDateTime", name
        example["properties"]["maintenanceWindow"]["duration"] = "05:00"
        example["properties"]["fleet"] = {}
        given = put(example)
        assert len(next_windows(given, NOW, 3)) == 3, name


def test_a_configuration_is_small_enough_for_storage() -> None:
    many = [f"package-number-{index:04}-with-a-long-name" for index in range(200)]
    given = body(
        properties__installPatches__linuxParameters={
            "packageNameMasksToInclude": many,
            "packageNameMasksToExclude": many,
        },
        tags={f"tag{index}": "v" * 256 for index in range(50)},
    )
    error = refusal(given)
    assert error.target == "body"
    assert "characters" in error.message
