"""What apt and dpkg print is understood, and a selection never changes more than itself."""

from infra.local.guests.apt import Upgrade, read_plan, read_versions, self_contained
from infra.local.guests.network import carried

SIMULATED = """\
NOTE: This is only a simulation!
Reading package lists...
Calculating upgrade...
The following packages will be upgraded:
  libssl3 perl-base tzdata
Remv old-tool [1.2-1]
Inst libssl3 [3.0.16-1~deb12u1] (3.0.17-1~deb12u3 Debian:12.12/oldstable, Debian-Security:12/oldstable-security [amd64])
Inst perl-base [5.36.0-7+deb12u2] (5.36.0-7+deb12u3 Debian:12.12/oldstable [amd64]) [perl-base:amd64 ]
Inst tzdata [2026b-0+deb12u1] (2026f-0+deb12u1 Debian-Security:12/oldstable-security [all])
Inst openssl (3.0.17-1~deb12u3 Debian-Security:12/oldstable-security [amd64])
Inst vendor-agent [1.0] (2:1.1 localhost [amd64])
Inst jammy-tool [1.0] (1.1 Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security [amd64])
Conf libssl3 (3.0.17-1~deb12u3 Debian-Security:12/oldstable-security [amd64])
"""


def test_a_simulation_is_read() -> None:
    plan = read_plan(SIMULATED)
    upgrades = [(u.name, u.version, u.architecture, u.security) for u in plan.upgrades]
    assert upgrades == [
        ("libssl3", "3.0.17-1~deb12u3", "amd64", True),
        ("perl-base", "5.36.0-7+deb12u3", "amd64", False),
        ("tzdata", "2026f-0+deb12u1", "all", True),
        ("vendor-agent", "2:1.1", "amd64", False),
        ("jammy-tool", "1.1", "amd64", True),
    ]
    assert plan.others == ("old-tool", "openssl")
    assert "old-tool" in plan.touched
    assert "libssl3" in plan.touched


def test_nothing_to_do_is_an_empty_plan() -> None:
    assert read_plan("0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n").touched == frozenset()


def test_an_update_is_known_by_package_and_version() -> None:
    upgrade = Upgrade(name="libssl3", version="3.0.17-1~deb12u3", architecture="amd64", security=True)
    assert upgrade.id == "libssl3_3.0.17-1~deb12u3"


def test_only_fully_installed_packages_have_a_version() -> None:
    printed = "apt 2.6.1 ii \nbroken 1.0 iF \ngone 1.0 rc \ndpkg-query: no packages found matching nosuch\n"
    assert read_versions(printed) == {"apt": "2.6.1"}


def test_a_choice_that_needs_something_else_is_left_out() -> None:
    assert self_contained({"apt": {"apt", "libapt"}, "tzdata": {"tzdata"}}) == {"tzdata"}


def test_packages_that_need_each_other_go_together() -> None:
    needs = {"apt": {"apt", "libapt"}, "libapt": {"apt", "libapt"}}
    assert self_contained(needs) == {"apt", "libapt"}


def test_leaving_one_out_leaves_out_what_needs_it() -> None:
    needs = {"a": {"a", "b"}, "b": {"b", "c"}, "c": {"c", "unselected"}, "d": {"d"}}
    assert self_contained(needs) == {"d"}


def test_of_the_machines_apt_settings_only_the_way_to_the_mirror_is_carried() -> None:
    dump = """\
APT::Architecture "amd64";
Acquire "";
Acquire::http "";
Acquire::http::Proxy "http://proxy.test:3128";
Acquire::http::Proxy::mirror.test "DIRECT";
Acquire::http::Proxy-Auto-Detect "/usr/local/bin/find-proxy";
Acquire::https::CaInfo "/etc/ssl/company.pem";
Acquire::https::SslKey "/etc/ssl/private/machine.key";
Acquire::Check-Valid-Until "false";
Acquire::Retries "3";
Acquire::Languages "none";
Dir::Bin::methods "/usr/lib/apt/methods";
"""
    assert carried(dump) == [
        'Acquire::http::Proxy "http://proxy.test:3128";',
        'Acquire::http::Proxy::mirror.test "DIRECT";',
        'Acquire::https::CaInfo "/etc/ssl/company.pem";',
        'Acquire::Check-Valid-Until "false";',
        'Acquire::Retries "3";',
    ]
