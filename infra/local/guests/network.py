"""Gives a root folder what its apt needs to reach the mirror as this machine does: sources, proxy, certificates, names.

Of the machine's apt, auth.conf and client keys are not copied: a mirror that wants those cannot serve the guest.
"""

import re
import shutil
from pathlib import Path

from infra.local.guests.commands import run
from infra.local.guests.mirror import Mirror

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
"""The machine's trusted authorities; the smallest Debian has none of its own."""

NAMES = (Path("/etc/resolv.conf"), Path("/etc/hosts"))

CARRIED = re.compile(
    r'^Acquire::(?:(?:https?|ftp)::.+|Retries|ForceIPv[46]|Check-Valid-Until|Check-Date) "[^"]+";$', re.IGNORECASE
)
"""Lines of `apt-config dump` about how to reach a mirror, and whether its dates are to be believed."""

NOT_CARRIED = re.compile(r"::(?:Proxy-?Auto-?Detect|SslCert|SslKey|CaPath|CrlFile|User-Agent)\b", re.IGNORECASE)
"""Programs, keys and folders of the machine that do not exist in the root."""

CONFIG_SECONDS = 30.0


def connect(root: Path, mirror: Mirror) -> None:
    """Writes it all into `root`, replacing what was there. Raises OSError."""
    keyring = _copied(root, mirror.keyring, Path("/etc/apt/keyrings") / f"mirror{mirror.keyring.suffix}")
    lines = [f"deb [signed-by={keyring}] {uri} {suite} main" for uri, suite in mirror.suites]
    (root / "etc/apt/sources.list").write_text("\n".join([*lines, ""]), encoding="utf-8")
    for path in (*NAMES, CERTIFICATES):
        if path.is_file():
            _copied(root, path, path)
    settings = [*_reach(root, run(["apt-config", "dump"], seconds=CONFIG_SECONDS).output), 'Acquire::Languages "none";']
    config = root / "etc/apt/apt.conf.d/90mirror"
    config.touch(mode=0o600)  # a proxy's address may hold a password
    config.write_text("\n".join([*settings, ""]), encoding="utf-8")


def carried(dump: str) -> list[str]:
    """The lines of `apt-config dump` that the guest needs too."""
    return [line for line in dump.splitlines() if CARRIED.match(line) and not NOT_CARRIED.search(line)]


def _reach(root: Path, dump: str) -> list[str]:
    lines = carried(dump)
    for line in lines:
        named = re.search(r'::CaInfo "(/[^"]+)"', line, re.IGNORECASE)
        if named and Path(named[1]).is_file():
            _copied(root, Path(named[1]), Path(named[1]))
    return lines


def _copied(root: Path, source: Path, place: Path) -> Path:
    """Copies a file to `place` inside the root; the path as the root sees it."""
    target = root / place.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # a link there would lead out of the root
    shutil.copyfile(source, target)
    return place
