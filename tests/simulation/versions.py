"""The configuration as clients write it, version after version: each with the facts, reckoned by hand, that Azure
must then see."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from tests.domain.maintenance import fleet
from tests.simulation.nights import PLAIN, Night

MINUTE = timedelta(minutes=1)
NUMBER = "version"
"""The tag by which a stored configuration is told from those before and after it."""
SHORT, LONG = timedelta(minutes=30), timedelta(hours=2)
SECOND = timedelta(minutes=42)
"""A further rule opens a window so long after the first."""
_USEFUL = {"Windows": 15, "Linux": 5}
_REBOOT = {"Windows": 10, "Linux": 15}
"""Minutes between the cut-off and the window's end; Update Manager documentation, "scheduled patching"."""
_GIVEN = {
    False: {"Windows": ["Security"], "Linux": ["Security"]},
    True: {"Windows": ["Critical", "Security Updates"], "Linux": ["critical", "security", "others"]},
}
_ASKED = {
    False: {"Windows": ["Security"], "Linux": ["Critical", "Security"]},
    True: {"Windows": ["Critical", "Security"], "Linux": ["Critical", "Security", "Other"]},
}
_BLOCKS = {"Windows": "windowsParameters", "Linux": "linuxParameters"}


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """What one PUT says. `opens`: its windows, by hand; `block`: pace, budget and waves, which no edit changes."""

    number: int
    night: Night
    opens: tuple[datetime, ...]
    length: timedelta = SHORT
    wide: bool = False
    reboot: str = "IfRequired"
    systems: tuple[str, ...] = ("Windows", "Linux")
    enabled: bool = True
    expired: bool = False
    later: int = 0  # minutes by which its windows open later than the night's
    block: dict[str, Any] = {}

    @property
    def windows(self) -> tuple[datetime, ...]:
        """The starts at which a run must come into being."""
        return self.opens if self.enabled and not self.expired else ()

    def body(self) -> bytes:
        night, block = self.night, {**self.block, "enabled": self.enabled}
        start = _shifted(night.start, self.later)
        if len(self.opens) > len(night.opens):
            block["rules"] = [{"recurEvery": "1Day", "startDateTime": _shifted(start, SECOND // MINUTE)}]
        hours, minutes = divmod(self.length // MINUTE, 60)
        window = {"startDateTime": start, "timeZone": night.zone, "recurEvery": night.every,
                  "expirationDateTime": self._expiration(), "duration": f"{hours:02}:{minutes:02}"}  # fmt: skip
        whole = fleet(block, **window)
        whole["tags"] = {NUMBER: str(self.number)}
        patches = whole["properties"]["installPatches"]
        patches["rebootSetting"] = self.reboot
        for system, name in _BLOCKS.items():
            patches[name] = {"classificationsToInclude": _GIVEN[self.wide][system]} if system in self.systems else None
        whole["properties"]["installPatches"] = {name: value for name, value in patches.items() if value}
        return msgspec.json.encode(whole)

    def asked(self, system: str) -> dict[str, Any]:
        """The request that Azure must see for a machine, but for its duration."""
        return {"rebootSetting": self.reboot, _BLOCKS[system]: {"classificationsToInclude": _ASKED[self.wide][system]}}

    def cut_off(self, start: datetime, system: str) -> datetime:
        """The last instant at which a machine may be started in the window that opens at `start`."""
        reserve = _USEFUL[system] + (0 if self.reboot == "Never" else _REBOOT[system])
        return start + self.length - timedelta(minutes=reserve)

    def _expiration(self) -> str:
        """An expired one ends at the very start of its window, which then does not exist."""
        return _shifted(PLAIN.start, 24 * 60) if self.expired else self.night.expires


def _shifted(local: str, minutes: int) -> str:
    return f"{datetime.fromisoformat(local) + timedelta(minutes=minutes):%Y-%m-%d %H:%M}"
