"""`installPatches` of a maintenance configuration: which updates its runs ask for.

Azure's configurations know neither publish dates nor name masks for Windows; those stand in `properties.fleet` and are
put in when the request of one machine is made.
"""

from datetime import UTC, datetime, timedelta

import msgspec

from shared.domain.errors import invalid
from shared.domain.fleet_block import Fleet
from shared.domain.installation import LARGEST_REQUEST, InstallationRequest, LinuxParameters, WindowsParameters
from shared.domain.machine import OperatingSystem
from shared.domain.selection import (
    LINUX_WORDS,
    PACKAGE_MASK,
    WINDOWS_WORDS,
    kb_numbers,
    masks,
    reboot_word,
    require_selection,
    whole_security,
    words,
)

AT = "properties.installPatches"
FLEET_AT = "properties.fleet"
# The specification of configurations writes one word in another way than that of installPatches.
_WORDS = tuple("UpdateRollup" if word == "UpdateRollUp" else word for word in WINDOWS_WORDS)
_ANY_DAY = datetime(2000, 1, 1, tzinfo=UTC)  # a size is asked for, which does not depend on the day
DEFAULT_REBOOT = "IfRequired"  # Source: specification, InputPatchConfiguration


class _Block(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Written back without what was left out."""


class WindowsPatches(_Block, frozen=True):
    """KB numbers with or without their prefix, as they were written; exclusion wins."""

    classifications_to_include: tuple[str, ...] | None = None
    kb_numbers_to_include: tuple[str, ...] | None = None
    kb_numbers_to_exclude: tuple[str, ...] | None = None
    exclude_kbs_requiring_reboot: bool | None = None


class LinuxPatches(_Block, frozen=True):
    """Masks are `name` or `name=version` with wildcards; exclusion wins and ignores versions."""

    classifications_to_include: tuple[str, ...] | None = None
    package_name_masks_to_include: tuple[str, ...] | None = None
    package_name_masks_to_exclude: tuple[str, ...] | None = None


class InstallPatches(_Block, frozen=True):
    """A block for each operating system that the configuration patches; a machine with another one is left out."""

    reboot_setting: str | None = None
    windows_parameters: WindowsPatches | None = None
    linux_parameters: LinuxPatches | None = None


def read_install_patches(given: InstallPatches | None, fleet: Fleet | None) -> InstallPatches:
    """The block with every word in Azure's spelling.

    Raises RequestError 400 naming the field: unknown words, nothing selected, and what one of the operating systems
    could not apply.
    """
    given, fleet = given or InstallPatches(), fleet or Fleet()
    if given.windows_parameters is None and given.linux_parameters is None:
        raise invalid(AT, "Give windowsParameters, linuxParameters or both: without either no machine is ever patched.")
    _check_fleet(given, fleet)
    read = InstallPatches(
        reboot_setting=reboot_word(given.reboot_setting or DEFAULT_REBOOT, f"{AT}.rebootSetting"),
        windows_parameters=_windows(given.windows_parameters, fleet),
        linux_parameters=_linux(given.linux_parameters),
    )
    for system in OperatingSystem:
        request = request_of(read, fleet, system, _ANY_DAY)
        if request is not None and len(msgspec.json.encode(request)) > LARGEST_REQUEST:
            raise invalid(AT, f"All lists for {system} together may have at most {LARGEST_REQUEST} characters.")
    return read


def request_of(
    patches: InstallPatches, fleet: Fleet, system: OperatingSystem, start: datetime
) -> InstallationRequest | None:
    """What to ask of a machine in the window that opens at `start`; None: the configuration has no block for it.

    `maximum_duration` is left out: what remains of the window is known only when the request is sent.
    """
    if system is OperatingSystem.WINDOWS and patches.windows_parameters is not None:
        windows = _windows_request(patches.windows_parameters, fleet, start)
        return InstallationRequest(reboot_setting=patches.reboot_setting or "", windows_parameters=windows)
    if system is OperatingSystem.LINUX and patches.linux_parameters is not None:
        linux = _linux_request(patches.linux_parameters)
        return InstallationRequest(reboot_setting=patches.reboot_setting or "", linux_parameters=linux)
    return None


def systems(patches: InstallPatches) -> list[OperatingSystem]:
    """The operating systems that the configuration patches."""
    blocks = {
        OperatingSystem.WINDOWS: patches.windows_parameters,
        OperatingSystem.LINUX: patches.linux_parameters,
    }
    return [system for system, block in blocks.items() if block is not None]


def _check_fleet(given: InstallPatches, fleet: Fleet) -> None:
    """Refuses what is asked for an operating system that has no such thing."""
    if fleet.deferral_days and given.linux_parameters is not None:
        text = "Linux packages have no publish date, so they cannot be deferred; use a configuration of their own."
        raise invalid(f"{FLEET_AT}.deferralDays", text)
    if given.windows_parameters is not None:
        return
    named = {
        "patchNameMasksToInclude": fleet.patch_name_masks_to_include,
        "patchNameMasksToExclude": fleet.patch_name_masks_to_exclude,
    }
    for field, value in named.items():
        if value:
            raise invalid(f"{FLEET_AT}.{field}", f"{field} is for Windows; use linuxParameters.packageNameMasks.")


def _windows(given: WindowsPatches | None, fleet: Fleet) -> WindowsPatches | None:
    if given is None:
        return None
    at = f"{AT}.windowsParameters"
    read = WindowsPatches(
        classifications_to_include=words(given.classifications_to_include, _WORDS, f"{at}.classificationsToInclude"),
        kb_numbers_to_include=_kbs_as_written(given.kb_numbers_to_include, f"{at}.kbNumbersToInclude"),
        kb_numbers_to_exclude=_kbs_as_written(given.kb_numbers_to_exclude, f"{at}.kbNumbersToExclude"),
        exclude_kbs_requiring_reboot=given.exclude_kbs_requiring_reboot,
    )
    require_selection(
        at, read.classifications_to_include, read.kb_numbers_to_include, fleet.patch_name_masks_to_include
    )
    return read


def _kbs_as_written(given: tuple[str, ...] | None, target: str) -> tuple[str, ...] | None:
    """Checked, but with the prefix, which Azure keeps too; the request strips it. A number is kept once."""
    kb_numbers(given, target)
    kept: dict[object, str] = {}
    for text in given or ():
        kept.setdefault(kb_numbers((text,), target), text.strip())
    return tuple(kept.values()) or None


def _linux(given: LinuxPatches | None) -> LinuxPatches | None:
    """Keeps `Critical` alone, which the request widens: clients compare what they read with what they wrote."""
    if given is None:
        return None
    at = f"{AT}.linuxParameters"
    classes = words(given.classifications_to_include, LINUX_WORDS, f"{at}.classificationsToInclude")
    whole_security(classes, f"{at}.classificationsToInclude")
    include = masks(given.package_name_masks_to_include, PACKAGE_MASK, f"{at}.packageNameMasksToInclude")
    require_selection(at, classes, include)
    return LinuxPatches(
        classifications_to_include=classes,
        package_name_masks_to_include=include,
        package_name_masks_to_exclude=masks(
            given.package_name_masks_to_exclude, PACKAGE_MASK, f"{at}.packageNameMasksToExclude"
        ),
    )


def _windows_request(given: WindowsPatches, fleet: Fleet, start: datetime) -> WindowsParameters:
    return WindowsParameters(
        classifications_to_include=words(given.classifications_to_include, WINDOWS_WORDS, ""),
        kb_numbers_to_include=kb_numbers(given.kb_numbers_to_include, ""),
        kb_numbers_to_exclude=kb_numbers(given.kb_numbers_to_exclude, ""),
        exclude_kbs_requiring_reboot=given.exclude_kbs_requiring_reboot,
        max_patch_publish_date=start - timedelta(days=fleet.deferral_days) if fleet.deferral_days else None,
        patch_name_masks_to_include=fleet.patch_name_masks_to_include,
        patch_name_masks_to_exclude=fleet.patch_name_masks_to_exclude,
    )


def _linux_request(given: LinuxPatches) -> LinuxParameters:
    return LinuxParameters(
        classifications_to_include=whole_security(given.classifications_to_include, ""),
        package_name_masks_to_include=given.package_name_masks_to_include,
        package_name_masks_to_exclude=given.package_name_masks_to_exclude,
    )
