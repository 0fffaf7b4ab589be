"""The real guest of a run: a copy of the cached Debian root, and what its own dpkg says happened in it."""

import re
from collections.abc import Callable
from pathlib import Path

from infra.local.guests.debian import GuestUnavailable, clone_root, make_root
from infra.local.places import GUEST

ADDRESS = re.compile(r"\b[a-z]+://\S+")
"""A machine's own mirror may be private: its address is not shown."""

UPGRADE = re.compile(r"\S+ \S+ upgrade (?P<name>[^: ]+)(:\S+)? (?P<old>\S+) (?P<new>\S+)$")
"""dpkg.log: date, time, `upgrade`, package:architecture, version before, version after (dpkg(1))."""


def prepare(target: Path, say: Callable[[str], None]) -> Path | None:
    """A fresh root in `target`, made from the cached base; None, having said why, where it cannot be made."""

    def told(line: str) -> None:
        say(ADDRESS.sub("the machine's Debian mirror", line))

    try:
        return clone_root(make_root(GUEST, told), target)
    except GuestUnavailable as reason:
        told(f"Going on without the real guest: {reason}")
        return None


def upgraded(root: Path) -> frozenset[str]:
    """Ids (package_version) of the updates that the guest's own dpkg wrote down."""
    log = root / "var" / "log" / "dpkg.log"
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    found = [match for line in lines if (match := UPGRADE.match(line))]
    # Making the base unpacks some packages twice, which dpkg calls an upgrade to the same version.
    return frozenset(f"{match['name']}_{match['new']}" for match in found if match["old"] != match["new"])


def story(name: str, changed: frozenset[str]) -> str:
    """One line for the person who watches."""
    if not changed:
        return f"{name} is a real Debian root; nothing was upgraded in it."
    packages = ", ".join(sorted(id_.replace("_", " ", 1) for id_ in changed))
    return f"{name} is a real Debian root; apt really upgraded {len(changed)} packages in it: {packages}."


def doubts(name: str, changed: frozenset[str], written: frozenset[str]) -> list[str]:
    """Where the sandbox's journal and the guest's dpkg log name different updates."""
    if changed == written:
        return []
    differing = ", ".join(sorted(changed ^ written))
    return [f"{name}: the journal and the guest's own dpkg log differ about {differing}"]
