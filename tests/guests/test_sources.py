"""The machine's package sources are read in both of apt's formats, and the right mirror is chosen among them."""

from pathlib import Path

import pytest

from infra.local.guests.commands import GuestUnavailable
from infra.local.guests.mirror import choose_mirror
from infra.local.guests.sources import AptSource, machine_sources, parse_deb822, parse_one_line

ONE_LINE = """\
# the archive
deb [ arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg ] http://mirror.test/debian bookworm main contrib # ours
deb http://mirror.test/debian-security bookworm-security main
#deb http://mirror.test/debian bookworm-backports main
deb-src http://mirror.test/debian bookworm main
  deb\thttps://tools.test/apt\tstable\tmain
"""  # noqa: E501 - that is how long such lines are

DEB822 = """\
Types: deb deb-src
# a comment among the fields
URIs: http://mirror.test/debian
Suites: bookworm
 bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://other.test/debian
Suites: bookworm
Components: main
Enabled: no

types: deb
uris: http://keyed.test/apt
suites: bookworm
components: main
signed-by:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0srwuhlB6JKFkcf4HU4SSS/xcRfwEQWzr
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb-src
URIs: http://mirror.test/debian
Suites: bookworm
Components: main
"""

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def source(uri: str, suite: str, *components: str, signed_by: str = "") -> AptSource:
    return AptSource(uri=uri, suite=suite, components=components or ("main",), signed_by=signed_by)


def test_one_line_format() -> None:
    assert list(parse_one_line(ONE_LINE)) == [
        source("http://mirror.test/debian", "bookworm", "main", "contrib", signed_by=KEYRING),
        source("http://mirror.test/debian-security", "bookworm-security"),
        source("https://tools.test/apt", "stable"),
    ]


def test_deb822_format() -> None:
    assert list(parse_deb822(DEB822)) == [
        source("http://mirror.test/debian", "bookworm", signed_by=KEYRING),
        source("http://mirror.test/debian", "bookworm-updates", signed_by=KEYRING),
        source("http://keyed.test/apt", "bookworm"),
    ]


def test_all_files_of_a_machine_are_read_and_disabled_ones_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (tmp_path / "sources.list").write_text("deb http://a.test/debian bookworm main\n", encoding="utf-8")
    (folder / "b.list").write_text("deb http://b.test/debian bookworm main\n", encoding="utf-8")
    deb822 = "Types: deb\nURIs: http://c.test/debian\nSuites: bookworm\nComponents: main\n"
    (folder / "c.sources").write_text(deb822, encoding="utf-8")
    (folder / "d.list.disabled").write_text("deb http://d.test/debian bookworm main\n", encoding="utf-8")
    assert [found.uri for found in machine_sources(tmp_path)] == [f"http://{host}.test/debian" for host in "abc"]


def test_a_machine_without_any_source_has_none(tmp_path: Path) -> None:
    assert machine_sources(tmp_path) == ()


@pytest.fixture
def keyrings(tmp_path: Path) -> Path:
    (tmp_path / "debian-archive-keyring.gpg").write_bytes(b"")
    return tmp_path


def test_debians_own_archive_is_chosen_though_others_use_its_suite_names(keyrings: Path) -> None:
    foreign = [source("https://apt.tools.test", "bookworm"), source("https://browser.test/deb", "stable")]
    own = [source("http://m.test/debian/", "bookworm"), source("http://m.test/debian-security/", "bookworm-security")]
    mirror = choose_mirror([*foreign, *own, source("http://m.test/debian/", "bookworm-updates")], "bookworm", keyrings)
    assert mirror.suites == (
        ("http://m.test/debian/", "bookworm"),
        ("http://m.test/debian/", "bookworm-updates"),
        ("http://m.test/debian-security/", "bookworm-security"),
    )
    assert mirror.keyring == keyrings / "debian-archive-keyring.gpg"


def test_a_source_may_name_the_release_by_its_role(keyrings: Path) -> None:
    mirror = choose_mirror([source("http://m.test/debian", "oldstable")], "bookworm", keyrings)
    assert mirror.suites[0] == ("http://m.test/debian", "bookworm")


def test_security_is_looked_for_beside_the_archive_when_it_is_not_configured(keyrings: Path) -> None:
    mirror = choose_mirror([source("http://m.test/debian", "bookworm")], "bookworm", keyrings)
    assert mirror.suites[-1] == ("http://m.test/debian-security", "bookworm-security")


def test_a_keyring_that_the_source_names_goes_first_unless_it_is_armoured(keyrings: Path) -> None:
    own = keyrings / "company.gpg"
    own.write_bytes(b"")
    (keyrings / "company.asc").write_bytes(b"")
    named = choose_mirror([source("http://m.test/debian", "bookworm", signed_by=str(own))], "bookworm", keyrings)
    armoured = source("http://m.test/debian", "bookworm", signed_by=str(own.with_suffix(".asc")))
    assert named.keyring == own
    assert choose_mirror([armoured], "bookworm", keyrings).keyring.name == "debian-archive-keyring.gpg"


def test_no_mirror_of_the_release_and_no_keyring_are_said(tmp_path: Path) -> None:
    with pytest.raises(GuestUnavailable, match="no Debian mirror for bookworm"):
        choose_mirror([source("http://m.test/debian", "trixie")], "bookworm", tmp_path)
    with pytest.raises(GuestUnavailable, match=r"keyring of the Debian mirror http://m\.test/debian"):
        choose_mirror([source("http://m.test/debian", "bookworm")], "bookworm", tmp_path)
