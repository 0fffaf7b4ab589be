"""Chooses, among a machine's package sources, the Debian archive that the guest is made and updated from."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from infra.local.guests.commands import GuestUnavailable
from infra.local.guests.sources import AptSource

KEYRINGS = Path("/usr/share/keyrings")
ARCHIVE_KEYRINGS = ("debian-archive-keyring.pgp", "debian-archive-keyring.gpg")
"""Debian's own, as package debian-archive-keyring names it from release 13 on and before."""

BINARY_KEYRINGS = (".gpg", ".pgp")
"""What gpgv reads; an armoured .asc it does not."""

ALIASES = ("stable", "oldstable", "oldoldstable", "testing")
"""Words that a source may use in place of the release's code name."""


class Mirror(msgspec.Struct, frozen=True, kw_only=True):
    """Where the guest's packages come from. `suites`: pairs of address and suite, the first one is the base."""

    codename: str
    suites: tuple[tuple[str, str], ...]
    keyring: Path

    @property
    def uri(self) -> str:
        """The address of the base."""
        return self.suites[0][0]


def choose_mirror(sources: Sequence[AptSource], codename: str, keyrings: Path = KEYRINGS) -> Mirror:
    """The base, its updates where configured, and security. Raises GuestUnavailable when there is no Debian mirror."""
    bases = _named(sources, codename, "")
    if not bases:
        raise GuestUnavailable(f"no Debian mirror for {codename} is configured in the machine's package sources")
    base = bases[0]
    updates = [source.uri for source in _named(sources, codename, "-updates") if source.uri == base.uri]
    security = [source.uri for source in _named(sources, codename, "-security")] or _sibling(base.uri)
    suites = [
        (base.uri, codename),
        *((uri, f"{codename}-updates") for uri in updates[:1]),
        *((uri, f"{codename}-security") for uri in security[:1]),
    ]
    return Mirror(codename=codename, suites=tuple(suites), keyring=_keyring(base, keyrings))


def _named(sources: Sequence[AptSource], codename: str, ending: str) -> list[AptSource]:
    """Sources of this suite; those that are surely Debian's own first, for other archives use its suite names too."""
    suites = {f"{word}{ending}" for word in (codename, *ALIASES)}
    fitting = [source for source in sources if source.suite in suites and "main" in source.components]
    return sorted(fitting, key=lambda source: not _is_debians(source))


def _is_debians(source: AptSource) -> bool:
    return "debian-archive" in source.signed_by or source.uri.rstrip("/").endswith(("/debian", "/debian-security"))


def _sibling(uri: str) -> list[str]:
    """Where a full mirror keeps security updates: beside the archive."""
    return [f"{uri.rstrip('/')}-security"] if uri.rstrip("/").endswith("/debian") else []


def _keyring(base: AptSource, keyrings: Path) -> Path:
    own = Path(base.signed_by) if base.signed_by.endswith(BINARY_KEYRINGS) else None
    for path in [own, *(keyrings / name for name in ARCHIVE_KEYRINGS)]:
        if path is not None and path.is_file():
            return path
    raise GuestUnavailable(f"the keyring of the Debian mirror {base.uri} is not on this machine")
