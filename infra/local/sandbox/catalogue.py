"""The updates that scripted machines can miss: a small table of real ones, read from catalogue/updates.csv.

Every row states facts only (product, KB or package and version, date, reboot behaviour, CVEs) and names its source.
"""

import csv
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files

import msgspec


class CatalogueEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One update.

    `family` says which machines it fits: `windows-server-2022`, `sql-server-2019`, `debian-12`, or `windows` for every
    Windows machine. Entries of one family and one `line` replace each other: a machine misses at most the newest.
    `classification` is a word of Azure's request enums, `reboot` one of its rebootBehavior values and `Unknown` where
    the source does not say. `version` is the package version, the build or the definition version; "" = not known.
    `cves` holds at most four, those known to be exploited first. Debian and Ubuntu packages are source packages.
    """

    id: str
    title: str
    os: str
    family: str
    line: str
    kb: str = ""
    package: str = ""
    version: str = ""
    classification: str
    published: date
    reboot: str
    cves: tuple[str, ...]
    source: str


@cache
def load_catalogue() -> tuple[CatalogueEntry, ...]:
    """Return every entry, Windows first, oldest first within a line. Raises msgspec.ValidationError on a bad row."""
    table = files("infra.local.sandbox").joinpath("catalogue", "updates.csv").read_text(encoding="utf-8")
    return tuple(_entry(row) for row in csv.DictReader(table.splitlines()))


def _entry(row: Mapping[str, str]) -> CatalogueEntry:
    cves = [cve for cve in row["cves"].split(";") if cve]
    return msgspec.convert({**row, "cves": cves}, CatalogueEntry)
