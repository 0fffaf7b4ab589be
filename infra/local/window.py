"""The demo's maintenance window, made as a team makes its own: over the app's API, in Azure's addresses and words.

The configuration is written disabled, so that its plan can be read before anything can start; enabling it gives it a
window that opens by itself some seconds later.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import msgspec

from infra.local.client import Client, patiently
from infra.local.waves import PILOT, RING, TAG, WAVES, Part, Previewed

API = "api-version=2023-04-01"
"""Of Microsoft.Maintenance."""

LEAD = timedelta(seconds=6)
"""From enabling the configuration to the opening: the machines in scope are written down meanwhile."""

LATER = timedelta(days=1)
"""How far away the window is while the configuration is disabled."""

DURATION = "02:00"
"""Of the window: as long as the demo's install requests allow, which is what the machines' scripts are judged by."""

SOAK = "PT2S"
"""Between the waves."""

WINDOWS = ["Critical", "Security", "UpdateRollup", "FeaturePack", "ServicePack", "Definition", "Tools", "Updates"]
LINUX = ["Critical", "Security", "Other"]
"""Every classification there is, so that everything pending is asked for."""


class Opening(msgspec.Struct, frozen=True):
    """One window of GET /fleet/occurrences; `id` is its run's address."""

    id: str
    start: datetime
    end: datetime


class _Named(msgspec.Struct, frozen=True):
    id: str


class _Status(msgspec.Struct, frozen=True):
    status: str


class _ApplyUpdate(msgspec.Struct, frozen=True):
    properties: _Status


class MaintenanceWindow:
    """One configuration with a dynamic scope in each of the subscriptions."""

    def __init__(self, app: Client, subscriptions: Collection[str]) -> None:
        self._app = app
        self._subscriptions = sorted(subscriptions)
        group = f"/subscriptions/{self._subscriptions[0]}/resourceGroups/rg-patching"
        self.id = f"{group}/providers/Microsoft.Maintenance/maintenanceConfigurations/pilot-ring"

    def prepare(self) -> list[Previewed]:
        """Writes the configuration, disabled, and its scopes; every machine, taken or why not. Raises Refused."""
        patiently(lambda: self._put(self.id, configuration(datetime.now(UTC) + LATER, enabled=False)))
        for subscription in self._subscriptions:
            scopes = f"/subscriptions/{subscription}/providers/Microsoft.Maintenance/configurationAssignments"
            self._put(f"{scopes}/pilot-ring", scope(self.id))
        return list(self._app.pages(f"/fleet/preview{self.id}", Previewed))

    def enable(self) -> Opening:
        """Lets it open in some seconds; when, and under which address its run will be found. Raises Refused."""
        return patiently(self._enable)

    def _enable(self) -> Opening:
        start = datetime.now(UTC) + LEAD
        self._put(self.id, configuration(start, enabled=True))
        before = f"{start - LEAD:%Y-%m-%dT%H:%M:%SZ}"
        return next(self._app.pages(f"/fleet/occurrences{self.id}?$top=1&after={before}", Opening))

    def parts(self) -> dict[str, Part]:
        """Its run's machines by id in lower case; none while there is no run."""
        for run in self._app.pages(f"/fleet/runs?configuration={self.id}", _Named):
            return {part.key: part for part in self._app.pages(f"/fleet/runs/{run.id}", Part)}
        return {}

    def status(self, opening: Opening) -> str:
        """Of its run, in Azure's words (applyUpdates)."""
        return self._app.get(f"{opening.id}?{API}", _ApplyUpdate).properties.status

    def _put(self, path: str, body: object) -> None:
        self._app.put(f"{path}?{API}", body)


def configuration(start: datetime, *, enabled: bool) -> dict[str, object]:
    """Azure's body: everything pending, every day from this second on; our block puts the machines into waves."""
    waves = [
        {"name": name, "tag": {"name": TAG, "values": list(values)}, "soak": SOAK} for name, values in WAVES.items()
    ]
    return {
        "location": "westeurope",
        "properties": {
            "maintenanceScope": "InGuestPatch",
            "extensionProperties": {"InGuestPatchMode": "User"},
            "maintenanceWindow": {
                "startDateTime": f"{start:%Y-%m-%d %H:%M:%S}",
                "duration": DURATION,
                "timeZone": "UTC",
                "recurEvery": "Day",
            },
            "installPatches": {
                "rebootSetting": "IfRequired",
                "windowsParameters": {"classificationsToInclude": WINDOWS},
                "linuxParameters": {"classificationsToInclude": LINUX},
            },
            "fleet": {"enabled": enabled, "waves": waves},
        },
    }


def scope(configuration_id: str) -> dict[str, object]:
    """Azure's body of a dynamic scope: the machines of the ring, whatever else they are."""
    tags = {"tags": {RING: [PILOT]}, "filterOperator": "All"}
    return {"properties": {"maintenanceConfigurationId": configuration_id, "filter": {"tagSettings": tags}}}
