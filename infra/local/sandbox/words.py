"""Azure's words for one thing in several places: classifications in requests, results and counts."""

# Request enum word -> what Windows Update calls it, as Azure's VM results and Resource Graph rows show it.
_WINDOWS_NAMES = {
    "Critical": "Critical Updates",
    "Security": "Security Updates",
    "UpdateRollUp": "Update Rollups",
    "FeaturePack": "Feature Packs",
    "ServicePack": "Service Packs",
    "Definition": "Definition Updates",
    "Tools": "Tools",
    "Updates": "Updates",
}

# Request enum word -> member of availablePatchCountByClassification (HybridCompute specification).
COUNT_NAMES = {
    "Security": "security",
    "Critical": "critical",
    "Definition": "definition",
    "UpdateRollUp": "updateRollup",
    "FeaturePack": "featurePack",
    "ServicePack": "servicePack",
    "Tools": "tools",
    "Updates": "updates",
    "Other": "other",
}


def display_class(word: str, os: str) -> str:
    """How a result body writes a classification: Windows Update's own names, the enum words on Linux."""
    return _WINDOWS_NAMES.get(word, "Updates") if os == "Windows" else word


def graph_class(word: str, os: str) -> str:
    """How a Resource Graph row writes it: as a result, but `Others` for `Other` (Update Manager's query pages)."""
    return "Others" if word == "Other" else display_class(word, os)
