"""What a sandbox is made from, and how long things take in it before the speed factor divides them."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random

import msgspec

from infra.local.sandbox.weather import Day

PAGE_SIZE = 10
"""Machines a page. Azure pages at several hundred; small here, so that every client must follow nextLink."""

RETRY_AFTER_SECONDS = 15.0
"""What a running operation asks pollers to wait, before division by speed (never under 1 s on the wire)."""

FOREIGN_OPERATION_SECONDS = 1200.0
"""How long somebody else's operation keeps a busy machine, from the first time it is asked: 10 s at speed 120."""

GRAPH_LAG_SECONDS = (120.0, 360.0)
"""How long the rows of an ended operation take to show in Resource Graph: 1-3 s at speed 120.

Azure promises nothing; Microsoft repositories quote 95 % under 30 s with no upper bound.
"""

PLATFORM_SECONDS = 24 * 3600.0
"""How often Azure assesses a machine by itself where its assessment mode says so: 12 minutes at speed 120.

Source: Update Manager, assessment options.
"""

APP_AUDIENCE = "api://open-update-manager"


class SandboxConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`speed` divides every duration inside machines; throttles are never scaled.

    `platform`: Azure assesses machines by itself where their assessment mode says so; False: none is in that mode.
    """

    seed: int = 1
    machines: int = 60
    speed: float = 120.0
    platform: bool = True
    app_audience: str = APP_AUDIENCE
    origin: str = "https://127.0.0.1"
    crowded: bool = False
    """All machines in one subscription and region, so that they share one throttle."""
    day: Day = Day()
    """Faults by seed; none unless it has a rate."""
    owner: str = ""
    """The deployment of the app that the subscriptions are marked with from the beginning; none unless given."""

    def scaled(self, seconds: float) -> timedelta:
        """A duration inside Azure as it passes here."""
        return timedelta(seconds=seconds / self.speed)

    @property
    def retry_after(self) -> int:
        return max(1, round(RETRY_AFTER_SECONDS / self.speed))

    @property
    def tenant(self) -> str:
        return seeded_guid(self.seed, "tenant")


@lru_cache(maxsize=65536)
def seeded_guid(seed: int, *words: str) -> str:
    """A guid that is the same for the same seed and words, shaped like a random one."""
    return guid(Random(":".join([str(seed), *words])).getrandbits(128))


def guid(bits: int) -> str:
    """Of 128 random bits, six of which give way to the marks of a random guid. Source: RFC 9562, version 4."""
    text = f"{bits & ~(0xF << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@lru_cache(maxsize=4096)
def azure_time(moment: datetime) -> str:
    """RFC 3339 in UTC with seven digits, as Compute and HybridCompute write it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "0Z"
