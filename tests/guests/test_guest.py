"""The real guest for real: Debian's mirror, apt, dpkg. Needs root and a Debian machine, else says why it cannot run."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from infra.local.guests.base import UNFINISHED
from infra.local.guests.commands import GuestUnavailable, run
from infra.local.guests.debian import DebianGuest, make_root, open_guest
from infra.local.guests.debootstrap import build, find_debootstrap
from infra.local.guests.mirror import Mirror
from infra.local.places import GUEST
from infra.local.sandbox.guests import GuestFailure, PendingUpdate
from tests.guests.archive import Package, install_old, offer

pytestmark = [pytest.mark.guest, pytest.mark.timeout(600)]

UNREACHABLE = "http://127.0.0.1:1/debian"
"""Port 1 (tcpmux): nothing listens there."""


class DpkgLog:
    """Which packages dpkg has upgraded since the last look, from its own log."""

    def __init__(self, root: Path) -> None:
        self._path = root / "var/log/dpkg.log"
        self._seen = len(self._lines())

    def upgraded(self) -> set[str]:
        lines = self._lines()
        new, self._seen = lines[self._seen :], len(lines)
        words = [line.split() for line in new]
        assert not [line for line in words if line[2] in ("install", "remove", "purge")]
        return {line[3].partition(":")[0] for line in words if line[2] == "upgrade"}

    def _lines(self) -> list[str]:
        return self._path.read_text(encoding="utf-8").splitlines()


def install_first_that_goes_alone(guest: DebianGuest, log: DpkgLog, updates: Sequence[PendingUpdate]) -> PendingUpdate:
    """Tries one after the other; each either changes exactly itself, or nothing and says why."""
    for update in updates:
        installation = guest.install([update.id])
        if installation.states == {update.id: "Installed"}:
            assert log.upgraded() == {update.name}
            assert installation.error == ""
            return update
        assert installation.states == {update.id: "Failed"}
        assert update.id in installation.error
        assert log.upgraded() == set()
    pytest.skip("none of the updates that the mirror offers now can be installed alone")


def test_debians_real_security_updates_are_listed_and_exactly_the_selected_ones_installed(root: Path) -> None:
    guest, log = open_guest(root), DpkgLog(root)
    before = guest.assess().pending
    security = [update for update in before if update.classification == "Security"]
    if not security:
        pytest.skip("the mirror offers no security update beyond a fresh root right now")
    assert {update.classification for update in before} <= {"Security", "Other"}
    chosen = install_first_that_goes_alone(guest, log, security)

    rest = guest.assess().pending
    assert [update.id for update in rest] == [update.id for update in before if update.id != chosen.id]

    installation = guest.install([update.id for update in rest])
    assert installation.states == {update.id: "Installed" for update in rest}
    assert log.upgraded() == {update.name for update in rest}
    assert guest.assess().pending == ()


def archive_guest(root: Path, *old: Package, main: Sequence[Package], security: Sequence[Package] = ()) -> DebianGuest:
    """A guest to which only these packages are offered, whatever the mirror has today."""
    install_old(root, *old)
    lines = offer(root, "main", "Debian", "oldstable", *main)
    lines += offer(root, "security", "Debian-Security", "oldstable-security", *security)
    (root / "etc/apt/sources.list").write_text(lines, encoding="utf-8")
    return open_guest(root)


def versions(name: str, fields: Mapping[str, str] | None = None) -> tuple[Package, Package]:
    """An old and a new version of a package; `fields` are the new one's. Names are used by one test only."""
    return Package(name=name, version="1.0"), Package(name=name, version="2.0", fields=fields or {})


def test_security_is_told_apart_by_its_archive(shared_root: Path) -> None:
    (tool, new_tool), (lib, new_lib) = versions("oum-plain"), versions("oum-secure")
    guest = archive_guest(shared_root, tool, lib, main=[new_tool], security=[new_lib])
    pending = {update.name: (update.version, update.classification) for update in guest.assess().pending}
    assert pending == {"oum-plain": ("2.0", "Other"), "oum-secure": ("2.0", "Security")}


def test_what_would_change_more_than_was_selected_is_left_alone_with_its_reason(shared_root: Path) -> None:
    (tool, new_tool), (lib, new_lib) = versions("oum-tool", {"Depends": "oum-lib (>= 2.0)"}), versions("oum-lib")
    other, new_other = versions("oum-other")
    guest = archive_guest(shared_root, tool, lib, other, main=[new_tool, new_lib, new_other])
    log = DpkgLog(shared_root)
    guest.assess()

    partly = guest.install(["oum-tool_2.0", "oum-other_2.0"])
    assert partly.states == {"oum-tool_2.0": "Failed", "oum-other_2.0": "Installed"}
    assert partly.error == "oum-tool_2.0 was left alone: apt would change oum-lib with it."
    assert log.upgraded() == {"oum-other"}

    both = guest.install(["oum-tool_2.0", "oum-lib_2.0"])
    assert both.states == {"oum-tool_2.0": "Installed", "oum-lib_2.0": "Installed"}
    assert log.upgraded() == {"oum-tool", "oum-lib"}


def test_what_would_bring_a_new_package_or_remove_one_is_left_alone(shared_root: Path) -> None:
    grows, new_grows = versions("oum-grows", {"Depends": "oum-new"})
    pushes, new_pushes = versions("oum-pushes", {"Conflicts": "oum-victim"})
    victim, _ = versions("oum-victim")
    new = Package(name="oum-new", version="1.0")
    guest = archive_guest(shared_root, grows, pushes, victim, main=[new_grows, new_pushes, new])
    log = DpkgLog(shared_root)
    assert "oum-grows_2.0" in {update.id for update in guest.assess().pending}
    installation = guest.install(["oum-grows_2.0", "oum-pushes_2.0"])
    assert installation.states == {"oum-grows_2.0": "Failed", "oum-pushes_2.0": "Failed"}
    assert "oum-grows_2.0 was left alone: apt would change oum-new with it." in installation.error
    assert "oum-pushes_2.0 was left alone: apt would change oum-victim with it." in installation.error
    assert log.upgraded() == set()


def test_a_package_held_by_its_owner_is_left_alone(shared_root: Path) -> None:
    (stuck, new_stuck), (free, new_free) = versions("oum-stuck"), versions("oum-free")
    guest, log = archive_guest(shared_root, stuck, free, main=[new_stuck, new_free]), DpkgLog(shared_root)
    guest.assess()
    assert run(["chroot", shared_root, "apt-mark", "hold", "oum-stuck"], seconds=60.0).code == 0
    installation = guest.install(["oum-stuck_2.0", "oum-free_2.0"])
    assert installation.states == {"oum-stuck_2.0": "Failed", "oum-free_2.0": "Installed"}
    assert installation.error == "oum-stuck_2.0 is not offered by apt."
    assert log.upgraded() == {"oum-free"}


def test_an_update_asked_for_again_is_installed_and_an_unknown_one_is_not(shared_root: Path) -> None:
    tool, new_tool = versions("oum-again")
    guest, log = archive_guest(shared_root, tool, main=[new_tool]), DpkgLog(shared_root)
    guest.assess()
    assert guest.install(["oum-again_2.0"]).states == {"oum-again_2.0": "Installed"}
    assert log.upgraded() == {"oum-again"}
    again = guest.install(["oum-again_2.0", "oum-again_3.0", "nosuch_1.0"])
    assert again.states == {"oum-again_2.0": "Installed", "oum-again_3.0": "Failed", "nosuch_1.0": "Failed"}
    assert again.error == "oum-again_3.0 is not offered by apt. nosuch_1.0 is not offered by apt."
    assert log.upgraded() == set()


def test_a_failing_package_script_is_reported_with_apts_last_lines(root: Path) -> None:
    tool, _ = versions("oum-broken")
    broken = Package(name=tool.name, version="2.0", scripts={"postinst": "#!/bin/sh\necho out of paper\nexit 9\n"})
    guest = archive_guest(root, tool, main=[broken])
    guest.assess()
    with pytest.raises(GuestFailure, match="oum-broken") as failure:
        guest.install(["oum-broken_2.0"])
    assert failure.value.code == "PACKAGE_MANAGER_FAILURE"


def test_changed_configuration_is_kept_and_nothing_is_asked(shared_root: Path) -> None:
    old, new = (
        Package(name="oum-settings", version=version, configuration={"/etc/oum-settings": f"from {version}\n"})
        for version in ("1.0", "2.0")
    )
    guest = archive_guest(shared_root, old, main=[new])
    (shared_root / "etc/oum-settings").write_text("ours\n", encoding="utf-8")
    guest.assess()
    assert guest.install(["oum-settings_2.0"]).states == {"oum-settings_2.0": "Installed"}
    assert (shared_root / "etc/oum-settings").read_text(encoding="utf-8") == "ours\n"


def test_a_reboot_is_pending_when_the_root_says_so(shared_root: Path) -> None:
    tool, _ = versions("oum-kernel")
    script = "#!/bin/sh\ntouch /var/run/reboot-required\n"
    guest = archive_guest(
        shared_root, tool, main=[Package(name=tool.name, version="2.0", scripts={"postinst": script})]
    )
    assert guest.assess().reboot_pending is False
    assert guest.install(["oum-kernel_2.0"]).reboot_required is True
    assert guest.assess().reboot_pending is True


def test_a_mirror_that_does_not_answer_is_a_failed_assessment(root: Path) -> None:
    (root / "etc/apt/sources.list").write_text(f"deb {UNREACHABLE} bookworm main\n", encoding="utf-8")
    (root / "etc/apt/apt.conf.d/99once").write_text('Acquire::Retries "0";\n', encoding="utf-8")
    with pytest.raises(GuestFailure, match=r"127\.0\.0\.1"):
        open_guest(root).assess()


def test_no_service_can_start_in_the_root(root: Path) -> None:
    assert run(["chroot", root, "/usr/sbin/policy-rc.d", "cron", "start"], seconds=10.0).code == 101


def test_what_an_interrupted_maker_left_is_removed_and_not_taken_for_the_base(base: Path) -> None:
    left = GUEST / f"{UNFINISHED}left"
    (left / "etc").mkdir(parents=True)
    assert make_root(GUEST, print) == base
    assert not left.exists()


def test_a_mirror_that_cannot_be_reached_makes_no_root_and_says_so_in_one_line(base: Path, tmp_path: Path) -> None:
    keyring = next((base / "usr/share/keyrings").glob("debian-archive-keyring.[gp]*"))
    mirror = Mirror(codename="bookworm", suites=((UNREACHABLE, "bookworm"),), keyring=keyring)
    with pytest.raises(GuestUnavailable, match=f"from {UNREACHABLE}: E: ") as reason:
        build(find_debootstrap(GUEST / "tools"), mirror, tmp_path / "root", GUEST / "tools")
    assert "\n" not in str(reason.value)


def test_the_command_prints_the_base(base: Path) -> None:
    command = [sys.executable, "-m", "infra.local.guests", "--cache", str(GUEST)]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    assert made.stdout == f"{base}\n"
