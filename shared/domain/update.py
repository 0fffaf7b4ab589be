"""One patch pending on, or handled by, a machine; and the words Azure uses for its class."""

from datetime import datetime

import msgspec

from shared.domain.resource_id import encode_key

# Azure's count names (availablePatchCountByClassification) by every spelling seen in requests, results and Graph rows.
_CLASSES = {
    "critical": "critical",
    "criticalupdate": "critical",
    "security": "security",
    "securityupdate": "security",
    "updaterollup": "updateRollup",
    "featurepack": "featurePack",
    "servicepack": "servicePack",
    "definition": "definition",
    "definitionupdate": "definition",
    "tool": "tools",
    "update": "updates",
    "other": "other",
}


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """An update as Azure names it. `classification` is one of Azure's count names, `state` set by an installation."""

    id: str
    name: str
    kb: str = ""
    version: str = ""
    classification: str
    reboot: str = "Unknown"
    published: datetime | None = None
    state: str = ""

    @property
    def key(self) -> str:
        """Row key, unique on one machine: Azure's patch id, else name and version (a Linux name recurs)."""
        return encode_key(self.id or f"{self.name}={self.version}")


def classification(names: list[str] | tuple[str, ...], *, windows: bool) -> str:
    """Azure's count name of an update's classes; unknown ones are `updates` on Windows and `other` on Linux.

    Source: Update Manager documentation, update classifications.
    """
    for name in names:
        known = _CLASSES.get(name.replace(" ", "").lower().removesuffix("s"))
        if known:
            return known
    return "updates" if windows else "other"


def count_by_classification(updates: tuple[Update, ...]) -> dict[str, int]:
    """How many of each class, only classes that occur."""
    counts: dict[str, int] = {}
    for update in updates:
        counts[update.classification] = counts.get(update.classification, 0) + 1
    return counts
