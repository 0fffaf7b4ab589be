"""From a body to a maintenance configuration: PUT, PATCH and import, checked field by field and normalised once.

Source of the fields: Microsoft.Maintenance MaintenanceConfigurations_CreateOrUpdate and the documentation of
maintenance configurations (guest scope). The bounds are Azure's; the block `properties.fleet` lifts them
(`fleet_block.py`). What could never be applied is refused here, when it is written, not ignored when a window opens.
"""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from shared.domain.configuration import Configuration, Properties, schedules_of, shape
from shared.domain.errors import RequestError, invalid
from shared.domain.fleet_block import DEFAULT_LEAD, Fleet, read_fleet, soaking
from shared.domain.install_patches import InstallPatches, read_install_patches, systems
from shared.domain.installation import START_ROOM, shortest
from shared.domain.location import region
from shared.domain.maintenance_id import ConfigurationId
from shared.domain.merge_patch import merged, read_object
from shared.domain.prepared import prepared
from shared.domain.reading import field_error
from shared.domain.recurrence import AZURE, FLEET, window_error
from shared.domain.window import AT as WINDOW
from shared.domain.window import (
    Window,
    check_expiration,
    check_start,
    check_windows,
    closest,
    read_window,
    show_duration,
)

SCOPE = "InGuestPatch"
OTHER_SCOPES = ("Host", "Resource", "OSImage", "Extension", "SQLDB", "SQLManagedInstance")
MODE = "InGuestPatchMode"
LARGEST_CONFIGURATION = 24 * 1024  # characters as it is kept; three quarters of what a property of storage holds
# Source: Azure Resource Manager, limits of tags.
MOST_TAGS, LONGEST_TAG_NAME, LONGEST_TAG_VALUE = 50, 512, 256


class _GivenProperties(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    namespace: str | None = None
    extension_properties: dict[str, str] | None = None
    maintenance_scope: str | None = None
    maintenance_window: Window | None = None
    visibility: str | None = None
    install_patches: InstallPatches | None = None
    fleet: Fleet | UnsetType | None = UNSET


class _Given(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The body; the fields that only Azure writes are taken, since clients send back what they read, and dropped."""

    location: str | None = None
    tags: dict[str, str] | None = None
    properties: _GivenProperties
    id: Any = None
    name: Any = None
    type: Any = None
    system_data: Any = None
    etag: Any = None


def read_configuration(
    body: bytes, address: ConfigurationId, now: datetime, before: Configuration | None = None
) -> Configuration:
    """What a PUT makes of a configuration; `before` is what it was. Without `properties.fleet` the block stays.

    Raises RequestError: 400 naming the field to mend, 409 for a location other than before.
    """
    return _read(read_object(body), address, now, before)


def patch_configuration(body: bytes, before: Configuration, now: datetime) -> Configuration:
    """What a PATCH makes of it: the body is merged into what it was (RFC 7396: null removes), then read like a PUT."""
    given = read_object(body)
    whole = merged(shape(before), given)
    if isinstance(whole.get("properties"), dict):
        whole["properties"].setdefault("fleet", None)
    return _read(whole, before.id, now, before)


def import_configuration(body: bytes, address: ConfigurationId) -> Configuration:
    """A configuration that Azure itself holds, disabled. Its past start and longer window are no mistakes any more."""
    given = read_object(body)
    properties = given.get("properties")
    if isinstance(properties, dict):
        properties["fleet"] = {"enabled": False}
        properties.setdefault("extensionProperties", {MODE: "User"})
    return _read(given, address, None, None)


def _read(
    plain: dict[str, Any], address: ConfigurationId, now: datetime | None, before: Configuration | None
) -> Configuration:
    """`now` None: nothing is asked of start and expiration."""
    try:
        given = msgspec.convert(plain, prepared(_Given))
    except msgspec.ValidationError as error:
        raise field_error(error) from error
    fleet = _fleet(given.properties.fleet, before)
    read = Configuration(
        id=address if before is None else before.id,
        location=_location(given.location, before),
        tags=_tags(given.tags),
        properties=_properties(given.properties, fleet),
    )
    _check_schedule(read, now, before)
    if len(msgspec.json.encode(read)) > LARGEST_CONFIGURATION:
        raise invalid("body", f"A configuration may have at most {LARGEST_CONFIGURATION} characters.")
    return read


def _fleet(given: Fleet | UnsetType | None, before: Configuration | None) -> Fleet | None:
    """Absent keeps the block, for clients that do not know it; null removes it."""
    if isinstance(given, UnsetType):
        return before.properties.fleet if before else None
    return None if given is None else read_fleet(given)


def _location(text: str | None, before: Configuration | None) -> str:
    if not text or not region(text):
        raise invalid("location", "location is required, for example westeurope.")
    if before is not None and region(text) != before.location:
        message = f"The configuration is in '{before.location}' and cannot be moved to '{region(text)}'."
        raise RequestError(409, "InvalidResourceLocation", message, "location")
    return region(text)


def _tags(given: dict[str, str] | None) -> dict[str, str]:
    tags = given or {}
    if len(tags) > MOST_TAGS:
        raise invalid("tags", f"At most {MOST_TAGS} tags are taken.")
    for name, value in tags.items():
        if not name or len(name) > LONGEST_TAG_NAME or len(value) > LONGEST_TAG_VALUE:
            text = f"A tag's name has 1 to {LONGEST_TAG_NAME} characters, its value at most {LONGEST_TAG_VALUE}."
            raise invalid(f"tags.{name}", text)
    return tags


def _properties(given: _GivenProperties, fleet: Fleet | None) -> Properties:
    _check_scope(given.maintenance_scope)
    if (given.visibility or "Custom").lower() != "custom":
        raise invalid("properties.visibility", "Only Custom is possible: public configurations are Microsoft's own.")
    return Properties(
        namespace=given.namespace,
        extension_properties=_extension(given.extension_properties),
        maintenance_scope=SCOPE,
        maintenance_window=read_window(given.maintenance_window, AZURE if fleet is None else FLEET),
        visibility="Custom",
        install_patches=read_install_patches(given.install_patches, fleet),
        fleet=fleet,
    )


def _check_scope(text: str | None) -> None:
    if text is None:
        raise invalid("properties.maintenanceScope", f"maintenanceScope is required; use {SCOPE}.")
    if text.lower() in {scope.lower() for scope in OTHER_SCOPES}:
        message = f"The scope '{text}' is maintained by the platform and not by updates in the guest; use {SCOPE}."
        raise invalid("properties.maintenanceScope", message)
    if text.lower() != SCOPE.lower():
        raise invalid("properties.maintenanceScope", f"'{text}' is not a maintenance scope; use {SCOPE}.")


def _extension(given: dict[str, str] | None) -> dict[str, str]:
    """Azure's map of free texts, of which guest patching needs one."""
    named = {name: MODE if name.lower() == MODE.lower() else name for name in given or {}}
    kept = {named[name]: value for name, value in (given or {}).items()}
    at = f"properties.extensionProperties.{MODE}"
    if MODE not in kept:
        raise invalid(at, f'{SCOPE} needs the patch mode: give extensionProperties {{"{MODE}": "User"}}.')
    if kept[MODE].lower() != "user":
        raise invalid(at, f"'{kept[MODE]}' is not a patch mode of a schedule; use User.")
    return kept | {MODE: "User"}


def _check_schedule(read: Configuration, now: datetime | None, before: Configuration | None) -> None:
    window, fleet = read.properties.maintenance_window, read.properties.fleet
    old = before.properties.maintenance_window if before else None
    rules = schedules_of(read)
    check_windows(rules)
    if now is not None:
        check_expiration(window, old, now)
        if fleet is None:
            check_start(window, old, now)
    _check_cut_off(read, min(rule.duration for rule in rules))
    if fleet and fleet.pre_event_lead != DEFAULT_LEAD:
        _check_lead(fleet.pre_event_lead, closest(rules))


def _check_cut_off(read: Configuration, length: timedelta) -> None:
    """Refuses a window in which nothing could start: one update, a reboot and the waves' soak times have to fit."""
    fleet, reboot = read.properties.fleet or Fleet(), read.properties.install_patches.reboot_setting or ""
    needed = max(shortest(system, reboot) for system in systems(read.properties.install_patches)) + START_ROOM
    if length - needed <= timedelta():
        text = f"One update and its reboot need {show_duration(needed)}, which {show_duration(length)} does not leave."
        raise window_error(f"{WINDOW}.duration", text)
    if length - needed <= soaking(fleet):
        text = f"The waves soak for {show_duration(soaking(fleet))}; the last would start after the cut-off."
        raise invalid("properties.fleet.waves", text)


def _check_lead(lead: timedelta, distance: timedelta | None) -> None:
    """Refuses a lead of one's own by which a window would be fixed before the one before it has opened."""
    if distance is not None and lead > distance:
        text = f"preEventLead must not be longer than {show_duration(distance)}, the shortest time between two windows."
        raise invalid("properties.fleet.preEventLead", text)
