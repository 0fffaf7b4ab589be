"""Reads the body of installPatches, refusing what Azure's schema does not know, by name."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from infra.local.sandbox.http import Json, Refusal

REBOOT_SETTINGS = ("IfRequired", "Never", "Always")
WINDOWS_CLASSES = (
    "Critical",
    "Security",
    "UpdateRollUp",
    "FeaturePack",
    "ServicePack",
    "Definition",
    "Tools",
    "Updates",
)
LINUX_CLASSES = ("Critical", "Security", "Other")

_MASK = re.compile(r"[A-Za-z0-9*?]+")
_DURATION = re.compile(r"^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$", re.IGNORECASE)


class InstallRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One installPatches body, spelling normalised: classes are Azure's enum words, KBs have no prefix."""

    os: str
    maximum: timedelta | None
    reboot: str
    classes: frozenset[str] = frozenset()
    kbs_included: frozenset[str] = frozenset()
    kbs_excluded: frozenset[str] = frozenset()
    masks_included: tuple[str, ...] = ()
    masks_excluded: tuple[str, ...] = ()
    never_reboots_only: bool = False
    published_until: datetime | None = None
    run_id: str = ""

    @property
    def reboot_allowed(self) -> bool:
        return self.reboot != "Never"


def read_install(body: Json, *, os: str, arc: bool) -> InstallRequest:
    """The request for a machine of this system; refuses with 400 and the member's path.

    Arc requires maximumDuration and has no maintenanceRunId (source: ComputeRP and HybridCompute specifications).
    """
    _only(body, ("maximumDuration", "rebootSetting", "windowsParameters", "linuxParameters"), "")
    own, other = (
        ("windowsParameters", "linuxParameters") if os == "Windows" else ("linuxParameters", "windowsParameters")
    )
    if body.get(other) is not None:
        raise invalid(other, f"'{other}' cannot be given for a {os} machine.")
    parameters = body.get(own) or {}
    if not isinstance(parameters, dict):
        raise invalid(own, f"'{own}' must be an object.")
    common = {"os": os, "maximum": _maximum(body, required=arc), "reboot": _reboot(body)}
    request = _windows(parameters, common) if os == "Windows" else _linux(parameters, common, arc=arc)
    if not (request.classes or request.kbs_included or request.masks_included):
        raise invalid(own, "At least one classification or one entry of an include list must be given.")
    return request


def invalid(target: str, message: str) -> Refusal:
    return Refusal(400, "InvalidParameter", message, target)


def _windows(parameters: Json, common: Mapping[str, Any]) -> InstallRequest:
    lists = ("kbNumbersToInclude", "kbNumbersToExclude", "patchNameMasksToInclude", "patchNameMasksToExclude")
    others = ("classificationsToInclude", "excludeKbsRequiringReboot", "maxPatchPublishDate")
    _only(parameters, (*lists, *others), "windowsParameters.")
    texts = _Texts(parameters, "windowsParameters")
    return InstallRequest(
        **common,
        classes=texts.classes(WINDOWS_CLASSES),
        kbs_included=frozenset(map(_bare_kb, texts.read("kbNumbersToInclude"))),
        kbs_excluded=frozenset(map(_bare_kb, texts.read("kbNumbersToExclude"))),
        masks_included=texts.masks("patchNameMasksToInclude"),
        masks_excluded=texts.masks("patchNameMasksToExclude"),
        never_reboots_only=_boolean(parameters, "excludeKbsRequiringReboot"),
        published_until=_moment(parameters, "maxPatchPublishDate"),
    )


def _linux(parameters: Json, common: Mapping[str, Any], *, arc: bool) -> InstallRequest:
    known = ["classificationsToInclude", "packageNameMasksToInclude", "packageNameMasksToExclude"]
    _only(parameters, known if arc else [*known, "maintenanceRunId"], "linuxParameters.")
    texts = _Texts(parameters, "linuxParameters")
    run = parameters.get("maintenanceRunId") or ""
    if not isinstance(run, str):
        raise invalid("linuxParameters.maintenanceRunId", "'maintenanceRunId' must be a string.")
    return InstallRequest(
        **common,
        classes=texts.classes(LINUX_CLASSES),
        masks_included=texts.read("packageNameMasksToInclude"),
        masks_excluded=texts.read("packageNameMasksToExclude"),
        run_id=run,
    )


class _Texts:
    """Reads lists of strings out of one parameter block, naming the member in every refusal."""

    def __init__(self, parameters: Json, block: str) -> None:
        self._parameters = parameters
        self._block = block

    def read(self, name: str) -> tuple[str, ...]:
        value = self._parameters.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            raise invalid(f"{self._block}.{name}", f"'{name}' must be a list of strings that are not blank.")
        return tuple(value)

    def masks(self, name: str) -> tuple[str, ...]:
        """Name masks: letters, digits, `*` and `?`, nothing else (ComputeRP specification 2025-04-01)."""
        return self._each(name, lambda mask: _MASK.fullmatch(mask) is not None, "is not a valid mask")

    def classes(self, words: Sequence[str]) -> frozenset[str]:
        known = {word.lower(): word for word in words}
        expected = f"is not one of {', '.join(words)}"
        found = self._each("classificationsToInclude", lambda word: word.lower() in known, expected)
        return frozenset(known[word.lower()] for word in found)

    def _each(self, name: str, fits: Callable[[str], bool], complaint: str) -> tuple[str, ...]:
        values = self.read(name)
        for value in values:
            if not fits(value):
                raise invalid(f"{self._block}.{name}", f"'{value}' in '{name}' {complaint}.")
        return values


def _only(body: Json, known: Sequence[str], prefix: str) -> None:
    for name in body:
        if name not in known:
            raise invalid(f"{prefix}{name}", f"Could not find member '{name}' on the object. Path '{prefix}{name}'.")


def _maximum(body: Json, *, required: bool) -> timedelta | None:
    value = body.get("maximumDuration")
    if value is None:
        if required:
            raise invalid("maximumDuration", "Required parameter 'maximumDuration' is missing (null).")
        return None
    found = _DURATION.match(value) if isinstance(value, str) else None
    if found is None:
        raise invalid("maximumDuration", f"'{value}' in 'maximumDuration' is not an ISO 8601 duration such as PT2H.")
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not duration:
        raise invalid("maximumDuration", "'maximumDuration' must be longer than zero.")
    return duration


def _reboot(body: Json) -> str:
    value = body.get("rebootSetting")
    if value is None:
        raise invalid("rebootSetting", "Required parameter 'rebootSetting' is missing (null).")
    known = {word.lower(): word for word in REBOOT_SETTINGS}
    if not isinstance(value, str) or value.lower() not in known:
        raise invalid("rebootSetting", f"'{value}' in 'rebootSetting' is not one of {', '.join(REBOOT_SETTINGS)}.")
    return known[value.lower()]


def _boolean(parameters: Json, name: str) -> bool:
    value = parameters.get(name)
    if value is not None and not isinstance(value, bool):
        raise invalid(f"windowsParameters.{name}", f"'{name}' must be true or false.")
    return bool(value)


def _moment(parameters: Json, name: str) -> datetime | None:
    """An RFC 3339 instant; Azure's examples carry seven digits of a second, of which six are kept."""
    value = parameters.get(name)
    if value is None:
        return None
    text = re.sub(r"(\.\d{6})\d+", r"\1", value) if isinstance(value, str) else ""
    try:
        return msgspec.convert(text, datetime)
    except msgspec.ValidationError as error:
        raise invalid(f"windowsParameters.{name}", f"'{value}' in '{name}' is not an RFC 3339 time.") from error


def _bare_kb(text: str) -> str:
    """`KB5034439` and `5034439` name the same update."""
    return re.sub(r"^kb", "", text.strip(), flags=re.IGNORECASE)
