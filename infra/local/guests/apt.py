"""Understands what apt and dpkg print, and decides which selected updates can be installed without any other change."""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import msgspec

CHANGE = re.compile(
    r"^Inst (?P<name>\S+) (?:\[(?P<old>[^\]]+)\] )?\((?P<version>\S+) (?P<origins>.*)\[(?P<arch>[^\]]+)\]\)"
)
"""A line of `apt-get --simulate`: name, installed version unless new, (candidate, its archives, [architecture])."""

REMOVAL = re.compile(r"^(?:Remv|Purg) (?P<name>\S+)")

SECURITY_LABEL = "Debian-Security:"
SECURITY_SUITE = re.compile(r"/\S+-security$")


class Upgrade(msgspec.Struct, frozen=True, kw_only=True):
    """An installed package for which apt has a newer version. `security`: a security archive offers that version."""

    name: str
    version: str
    architecture: str
    security: bool

    @property
    def id(self) -> str:
        """Package names and versions have no underscore (Debian policy 5.6.1, 5.6.12): the pair can be read back."""
        return f"{self.name}_{self.version}"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What apt would do: the upgrades, and the names of packages it would add or remove."""

    upgrades: tuple[Upgrade, ...]
    others: tuple[str, ...]

    @property
    def touched(self) -> frozenset[str]:
        """Every package that would change."""
        return frozenset([*(upgrade.name for upgrade in self.upgrades), *self.others])


def read_plan(output: str) -> Plan:
    """Reads the output of `apt-get --simulate`; its order is apt's."""
    upgrades, others = [], []
    for line in output.splitlines():
        change = CHANGE.match(line)
        if change and change["old"]:
            upgrades.append(_upgrade(change))
        elif found := change or REMOVAL.match(line):
            others.append(found["name"])
    return Plan(upgrades=tuple(upgrades), others=tuple(others))


def _upgrade(change: re.Match[str]) -> Upgrade:
    origins = [origin.strip() for origin in change["origins"].split(",")]
    security = any(origin.startswith(SECURITY_LABEL) or SECURITY_SUITE.search(origin) for origin in origins)
    return Upgrade(name=change["name"], version=change["version"], architecture=change["arch"], security=security)


def read_versions(output: str) -> dict[str, str]:
    """Reads lines of `dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\\n'`: fully installed ones only."""
    words = [line.split() for line in output.splitlines()]
    return {line[0]: line[1] for line in words if len(line) == 3 and line[2] == "ii"}


def self_contained(needs: Mapping[str, AbstractSet[str]]) -> frozenset[str]:
    """The largest choice of packages that changes nothing outside itself.

    `needs`: package -> everything that changes when it alone is installed, itself included.
    """
    chosen = frozenset(needs)
    while outside := {name for name in chosen if not needs[name] <= chosen}:
        chosen -= outside
    return chosen
