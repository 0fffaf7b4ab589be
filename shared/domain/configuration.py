"""The maintenance configuration: the rule by which machines are patched, and the questions that a run asks of it.

It keeps Azure's fields in Azure's shape and spelling. How a body becomes one: `configuration_body.py`.
"""

from datetime import datetime
from typing import Any

import msgspec

from shared.domain.fleet_block import Fleet
from shared.domain.install_patches import InstallPatches, request_of
from shared.domain.installation import InstallationRequest, shortest
from shared.domain.machine import OperatingSystem
from shared.domain.maintenance_id import CONFIGURATION_TYPE, PROVIDER, ConfigurationId
from shared.domain.occurrence import Occurrence, Schedule, next_occurrences
from shared.domain.recurrence import AZURE, FLEET
from shared.domain.window import Window, schedules


class Properties(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a configuration says, every field in Azure's spelling."""

    namespace: str | None = None
    extension_properties: dict[str, str]
    maintenance_scope: str
    maintenance_window: Window
    visibility: str
    install_patches: InstallPatches
    fleet: Fleet | None = None


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """A maintenance configuration as it is remembered."""

    id: ConfigurationId
    location: str
    tags: dict[str, str] = {}
    properties: Properties

    @property
    def enabled(self) -> bool:
        return self.properties.fleet is None or self.properties.fleet.enabled


def shape(configuration: Configuration) -> dict[str, Any]:
    """Azure's JSON of a configuration, as plain values; a PUT of it changes nothing."""
    return {
        "id": str(configuration.id),
        "name": configuration.id.name,
        "type": CONFIGURATION_TYPE,
        "location": configuration.location,
        "tags": dict(configuration.tags),
        "properties": msgspec.json.decode(msgspec.json.encode(configuration.properties)),
    }


def schedules_of(configuration: Configuration) -> tuple[Schedule, ...]:
    """Its rules, whether enabled or not."""
    fleet = configuration.properties.fleet
    return schedules(
        configuration.properties.maintenance_window, fleet.rules if fleet else (), AZURE if fleet is None else FLEET
    )


def next_windows(configuration: Configuration, after: datetime, count: int) -> list[Occurrence]:
    """The next windows that open after an instant; none of a disabled configuration."""
    return next_occurrences(schedules_of(configuration), after, count) if configuration.enabled else []


def run_id(address: ConfigurationId, start: datetime) -> str:
    """The ARM id of the run whose window opens at an instant: Azure's `applyUpdates/{yyyyMMddHHmmss}`, in UTC."""
    return f"{address}/providers/{PROVIDER}/applyUpdates/{start:%Y%m%d%H%M%S}"


def request_for(configuration: Configuration, system: OperatingSystem, start: datetime) -> InstallationRequest | None:
    """What to ask of a machine with this system in the window that opens at `start`; None: it patches no such one."""
    properties = configuration.properties
    return request_of(properties.install_patches, properties.fleet or Fleet(), system, start)


def latest_start(configuration: Configuration, window: Occurrence, system: OperatingSystem) -> datetime:
    """The cut-off: the last instant at which an installation on this system may start in this window."""
    return window.end - shortest(system, configuration.properties.install_patches.reboot_setting or "")
