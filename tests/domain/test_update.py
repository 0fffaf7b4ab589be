"""Updates: one word for each class however Azure spells it, one key for each update of a machine."""

import pytest

from shared.domain.update import Update, classification, count_by_classification

# Azure's count names (availablePatchCountByClassification) by the spellings of requests, results and Graph rows.
SPELLINGS = {
    "critical": ["Critical", "critical", "Critical Updates", "CriticalUpdates"],
    "security": ["Security", "security", "Security Updates"],
    "updateRollup": ["UpdateRollUp", "UpdateRollup", "Update Rollups", "updaterollup"],
    "featurePack": ["FeaturePack", "Feature Packs"],
    "servicePack": ["ServicePack", "Service Packs"],
    "definition": ["Definition", "Definition Updates"],
    "tools": ["Tools", "Tool"],
    "updates": ["Updates", "Update"],
    "other": ["Other", "Others", "other"],
}


@pytest.mark.parametrize(("word", "spelled"), [(word, each) for word, all_ in SPELLINGS.items() for each in all_])
def test_every_spelling_of_a_class(word: str, spelled: str) -> None:
    assert classification([spelled], windows=True) == word
    assert classification((spelled,), windows=False) == word


@pytest.mark.parametrize("names", [[], ["Drivers"], [""], ["Security-ESM"]])
def test_unknown_classes(names: list[str]) -> None:
    """As Update Manager shows them: `Updates` on Windows, `Others` on Linux."""
    assert classification(names, windows=True) == "updates"
    assert classification(names, windows=False) == "other"


def test_the_first_known_name_counts() -> None:
    assert classification(["Drivers", "Security Updates", "Critical Updates"], windows=True) == "security"


def update(**fields: str) -> Update:
    return Update(**{"id": "", "name": "n", "classification": "other", **fields})  # type: ignore[arg-type]


def test_counts_hold_only_classes_that_occur() -> None:
    given = (update(classification="critical"), update(classification="tools"), update(classification="critical"))
    assert count_by_classification(given) == {"critical": 2, "tools": 1}
    assert count_by_classification(()) == {}


def test_keys_tell_updates_of_one_machine_apart() -> None:
    """A Linux package recurs with another version, a KB with another patch id."""
    given = [
        update(id="GUID-1", name="2026-01 Cumulative Update", kb="5042881"),
        update(id="GUID-2", name="2026-01 Cumulative Update", kb="5042881"),
        update(name="libc6", version="2.36-9+deb12u8"),
        update(name="libc6", version="2.36-9+deb12u9"),
        update(name="libc6"),
        update(name="libc6/x"),
        update(name="libc6|x"),
    ]
    assert len({each.key for each in given}) == len(given)
    assert all(not set(each.key) & set("/\\#?|") for each in given)


def test_a_key_does_not_depend_on_casing_or_state() -> None:
    assert update(id="GUID-1").key == update(id="guid-1", state="Installed", name="other name").key
