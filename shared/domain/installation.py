"""What may be asked of one installation: Azure's installPatches body, checked field by field and normalised once.

Source of the fields: Microsoft.Compute VirtualMachines_InstallPatches and Microsoft.HybridCompute
Machines_InstallPatches. Spelling variants seen in documentation and in real use are accepted here and nowhere else.
"""

from datetime import UTC, datetime, timedelta

import msgspec

from shared.domain.errors import invalid
from shared.domain.machine import OperatingSystem
from shared.domain.reading import decode_body
from shared.domain.selection import (
    LINUX_WORDS,
    NAME_MASK,
    PACKAGE_MASK,
    WINDOWS_WORDS,
    kb_numbers,
    masks,
    reboot_word,
    require_selection,
    whole_security,
    words,
)

# Our own ceiling for one request; Azure publishes none for the API (its portal allows 235 minutes).
LONGEST_REQUEST = timedelta(hours=24)
# What an Azure VM gets when the caller leaves the duration out, which Azure allows for VMs only: the portal's cap.
DEFAULT_DURATION = timedelta(minutes=235)
# Time the smallest useful installation and a reboot need. Source: Update Manager documentation, "scheduled patching".
_USEFUL = {OperatingSystem.WINDOWS: timedelta(minutes=15), OperatingSystem.LINUX: timedelta(minutes=5)}
_REBOOT = {OperatingSystem.WINDOWS: timedelta(minutes=10), OperatingSystem.LINUX: timedelta(minutes=15)}
LARGEST_REQUEST = 16 * 1024  # characters of the whole request as it is kept; half of what a property holds
# Room to start within the window (ours): clock guards and time-out of one send (39 s, domain/run.py), a queue's wait.
START_ROOM = timedelta(minutes=2)


class WindowsParameters(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which Windows updates; KB numbers without prefix, exclusion wins."""

    classifications_to_include: tuple[str, ...] | None = None
    kb_numbers_to_include: tuple[str, ...] | None = None
    kb_numbers_to_exclude: tuple[str, ...] | None = None
    exclude_kbs_requiring_reboot: bool | None = None
    max_patch_publish_date: datetime | None = None
    patch_name_masks_to_include: tuple[str, ...] | None = None
    patch_name_masks_to_exclude: tuple[str, ...] | None = None


class LinuxParameters(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which packages; masks are `name` or `name=version` with wildcards, exclusion wins and ignores versions."""

    classifications_to_include: tuple[str, ...] | None = None
    package_name_masks_to_include: tuple[str, ...] | None = None
    package_name_masks_to_exclude: tuple[str, ...] | None = None
    maintenance_run_id: str | None = None


class InstallationRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Azure's installPatches body. `maximum_duration` is the length of the window, not yet what is sent."""

    reboot_setting: str
    maximum_duration: timedelta | None = None
    windows_parameters: WindowsParameters | None = None
    linux_parameters: LinuxParameters | None = None


def read_installation(body: bytes, system: OperatingSystem, *, is_vm: bool) -> InstallationRequest:
    """The normalised request in a POST body.

    Raises RequestError 400 naming the field: malformed JSON, unknown or mistyped fields, unknown words, a block for
    another operating system, nothing selected, a duration that leaves no time for one installation.
    """
    request = decode_body(body, InstallationRequest)
    reboot = reboot_word(request.reboot_setting, "rebootSetting")
    windows, linux = _parameters(request, system, is_vm=is_vm)
    duration = _duration(request.maximum_duration, is_vm=is_vm)
    least = shortest(system, reboot) + START_ROOM
    if duration < least:
        text = f"maximumDuration must be at least {_minutes(least)}: one update and its reboot need that long."
        raise invalid("maximumDuration", text)
    read = InstallationRequest(
        reboot_setting=reboot, maximum_duration=duration, windows_parameters=windows, linux_parameters=linux
    )
    if len(msgspec.json.encode(read)) > LARGEST_REQUEST:
        raise invalid("body", f"All lists together may have at most {LARGEST_REQUEST} characters.")
    return read


def shortest(system: OperatingSystem, reboot_setting: str) -> timedelta:
    """Window end minus cut-off: the smallest useful installation plus the time kept for a reboot, if one may happen."""
    return _USEFUL[system] + (timedelta() if reboot_setting == "Never" else _REBOOT[system])


def _parameters(
    request: InstallationRequest, system: OperatingSystem, *, is_vm: bool
) -> tuple[WindowsParameters | None, LinuxParameters | None]:
    if system is OperatingSystem.WINDOWS:
        if request.linux_parameters is not None:
            raise invalid("linuxParameters", "The machine runs Windows; use windowsParameters.")
        return _windows(request.windows_parameters), None
    if request.windows_parameters is not None:
        raise invalid("windowsParameters", "The machine runs Linux; use linuxParameters.")
    return None, _linux(request.linux_parameters, is_vm=is_vm)


def _windows(given: WindowsParameters | None) -> WindowsParameters:
    if given is None:
        raise invalid("windowsParameters", "windowsParameters is required for a Windows machine.")
    at = "windowsParameters"
    classes = words(given.classifications_to_include, WINDOWS_WORDS, f"{at}.classificationsToInclude")
    include = kb_numbers(given.kb_numbers_to_include, f"{at}.kbNumbersToInclude")
    names = masks(given.patch_name_masks_to_include, NAME_MASK, f"{at}.patchNameMasksToInclude")
    require_selection(at, classes, include, names)
    published = given.max_patch_publish_date
    return WindowsParameters(
        classifications_to_include=classes,
        kb_numbers_to_include=include,
        kb_numbers_to_exclude=kb_numbers(given.kb_numbers_to_exclude, f"{at}.kbNumbersToExclude"),
        exclude_kbs_requiring_reboot=given.exclude_kbs_requiring_reboot,
        max_patch_publish_date=published.replace(tzinfo=UTC) if published and published.tzinfo is None else published,
        patch_name_masks_to_include=names,
        patch_name_masks_to_exclude=masks(
            given.patch_name_masks_to_exclude, NAME_MASK, f"{at}.patchNameMasksToExclude"
        ),
    )


def _linux(given: LinuxParameters | None, *, is_vm: bool) -> LinuxParameters:
    if given is None:
        raise invalid("linuxParameters", "linuxParameters is required for a Linux machine.")
    at = "linuxParameters"
    classes = words(given.classifications_to_include, LINUX_WORDS, f"{at}.classificationsToInclude")
    include = masks(given.package_name_masks_to_include, PACKAGE_MASK, f"{at}.packageNameMasksToInclude")
    require_selection(at, classes, include)
    if given.maintenance_run_id is not None and not is_vm:
        raise invalid(f"{at}.maintenanceRunId", "maintenanceRunId exists for Azure VMs only.")
    exclude = masks(given.package_name_masks_to_exclude, PACKAGE_MASK, f"{at}.packageNameMasksToExclude")
    return LinuxParameters(
        classifications_to_include=whole_security(classes, f"{at}.classificationsToInclude"),
        package_name_masks_to_include=include,
        package_name_masks_to_exclude=exclude,
        maintenance_run_id=given.maintenance_run_id,
    )


def _duration(given: timedelta | None, *, is_vm: bool) -> timedelta:
    if given is None and not is_vm:
        raise invalid("maximumDuration", "maximumDuration is required for an Arc machine, for example PT2H.")
    duration = DEFAULT_DURATION if given is None else given
    if not timedelta() < duration <= LONGEST_REQUEST:
        raise invalid("maximumDuration", f"maximumDuration must be positive and at most {_minutes(LONGEST_REQUEST)}.")
    return duration


def _minutes(span: timedelta) -> str:
    return f"PT{int(span.total_seconds() // 60)}M"
