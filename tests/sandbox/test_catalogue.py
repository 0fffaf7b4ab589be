"""The catalogue is well formed, and where the public data sets are at hand every fact in it really stands there."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from infra.local.sandbox.catalogue import CatalogueEntry, load_catalogue

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FIRST, LAST = date(2024, 8, 1), date(2026, 7, 31)
FEWEST_ENTRIES = 140
MOST_CVES = 4

# VMGuestPatchClassification_Windows / _Linux and rebootBehavior of Azure's compute API.
CLASSIFICATIONS = {
    "Windows": {
        "Critical", "Security", "UpdateRollUp", "FeaturePack", "ServicePack", "Definition", "Tools", "Updates",
    },
    "Linux": {"Critical", "Security", "Other"},
}  # fmt: skip
REBOOTS = {"Unknown", "NeverReboots", "AlwaysRequiresReboot", "CanRequestReboot"}

# Display name in the data -> request word; a blank one becomes Updates, as Azure does with an unknown classification.
WINDOWS_WORDS = {
    "Security Updates": "Security",
    "Updates": "Updates",
    "Definition Updates": "Definition",
    "": "Updates",
}
LINUX_DISTROS = {
    "almalinux-8": "AlmaLinux 8",
    "almalinux-9": "AlmaLinux 9",
    "almalinux-10": "AlmaLinux 10",
    "debian-12": "Debian 12 (bookworm)",
    "ubuntu-20.04": "Ubuntu 20.04 LTS",
    "ubuntu-22.04": "Ubuntu 22.04 LTS",
    "ubuntu-24.04": "Ubuntu 24.04 LTS",
}
PUBLIC_SOURCES = {
    "AlmaLinux/osv-database": "AlmaLinux/osv-database",
    "bitsadmin/wesng (MSRC CVRF)": "bitsadmin/wesng",
    "canonical/ubuntu-security-notices": "canonical/ubuntu-security-notices",
    "dataplat/dbatools build list": "dataplat/dbatools",
    "Debian package changelog": "package changelog in the Debian archive",
    "jyonke/windows-update-history": "jyonke/windows-update-history",
    "MicrosoftDocs/defender-docs": "MicrosoftDocs/defender-docs",
    "OSDeploy/OSDSUS (WSUS)": "OSDeploy/OSDSUS",
}


def test_ids_are_unique_and_fit_a_url_segment() -> None:
    ids = [entry.id for entry in load_catalogue()]
    assert len(ids) >= FEWEST_ENTRIES
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    assert [name for name in ids if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name)] == []


def test_words_are_azures() -> None:
    entries = load_catalogue()
    assert [e.id for e in entries if e.classification not in CLASSIFICATIONS[e.os]] == []
    assert [e.id for e in entries if e.reboot not in REBOOTS] == []


def test_windows_updates_have_a_kb_and_linux_ones_a_package_and_version() -> None:
    for entry in load_catalogue():
        if entry.os == "Windows":
            assert re.fullmatch(r"\d{6,7}", entry.kb), entry.id
            assert not entry.package, entry.id
        else:
            assert (bool(entry.package), bool(entry.version), entry.kb) == (True, True, ""), entry.id


def test_every_entry_is_dated_within_two_years_and_names_its_source() -> None:
    for entry in load_catalogue():
        assert FIRST <= entry.published <= LAST, entry.id
        name, _, identifier = entry.source.partition(": ")
        assert name.split(" (bookworm")[0] in PUBLIC_SOURCES, entry.id
        assert identifier, entry.id
        assert len(entry.cves) <= MOST_CVES, entry.id


def test_a_line_never_has_two_entries_of_one_day() -> None:
    days = Counter((e.family, e.line, e.published) for e in load_catalogue())
    assert [day for day, count in days.items() if count > 1] == []


def test_every_family_fills_a_machine() -> None:
    """A machine shows 3 to 25 pending updates when it misses the newest of every line that fits it."""
    lines = {(e.family, e.line) for e in load_catalogue()}
    families = Counter(family for family, _ in lines)
    shared = families.pop("windows")
    for family, count in families.items():
        if not family.startswith("sql-server"):
            assert 3 <= count + (shared if family.startswith("windows") else 0) <= 25, family


def _rows(name: str) -> Iterator[dict[str, str]]:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the public data set {name} is not at hand, facts not compared")
    with path.open(encoding="utf-8", newline="") as table:
        yield from csv.DictReader(table)


def _source_word(entry: CatalogueEntry) -> str:
    return PUBLIC_SOURCES[entry.source.partition(": ")[0].split(" (bookworm")[0]]


def _windows_row_states(entry: CatalogueEntry, row: dict[str, str]) -> bool:
    return (
        row["kb"] == entry.kb
        and (entry.version in (row["os_build"], "") or f"Version {entry.version})" in row["title"])
        and row["publish_date"] == entry.published.isoformat()
        and WINDOWS_WORDS.get(row["classification"]) == entry.classification
        and (row["reboot_behavior"] or "Unknown") == entry.reboot
        and set(entry.cves) <= set(row["cves"].split(";"))
        and row["source"].startswith(_source_word(entry))
    )


def _linux_row_states(entry: CatalogueEntry, row: dict[str, str]) -> bool:
    word = "Critical" if row["severity"] == "Critical" else row["classification"]
    return (
        (row["distro"], row["package"]) == (LINUX_DISTROS[entry.family], entry.package)
        and (row["fixed_version"], row["published"]) == (entry.version, entry.published.isoformat())
        and word == entry.classification
        and set(entry.cves) <= set(row["cves"].split(";"))
        and row["source"].startswith(_source_word(entry))
        and (row["notice_id"] or row["fixed_version"]) in entry.source
    )


def test_windows_facts_stand_in_the_public_data() -> None:
    rows = list(_rows("windows_updates.csv"))
    entries = [entry for entry in load_catalogue() if entry.os == "Windows"]
    assert [e.id for e in entries if not any(_windows_row_states(e, row) for row in rows)] == []


def test_linux_facts_stand_in_the_public_data() -> None:
    rows = list(_rows("linux_notices.csv"))
    entries = [entry for entry in load_catalogue() if entry.os == "Linux"]
    assert [e.id for e in entries if not any(_linux_row_states(e, row) for row in rows)] == []
