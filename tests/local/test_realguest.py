"""The real guest's own witness: dpkg's log, against what the sandbox's journal says."""

from pathlib import Path

from infra.local.realguest import doubts, story, upgraded

LOG = """\
2026-01-01 10:00:00 startup archives unpack
2026-01-01 10:00:00 install tzdata:all <none> 2026a-0
2026-01-01 10:00:01 upgrade dpkg:amd64 1.21.22 1.21.22
2026-01-02 10:00:00 upgrade tzdata:all 2026a-0 2026b-0+deb12u1
2026-01-02 10:00:00 status half-configured tzdata:all 2026a-0
2026-01-02 10:00:01 upgrade libc6 2.36-9 2.36-10
"""


def test_real_upgrades_are_read_from_dpkgs_log(tmp_path: Path) -> None:
    (tmp_path / "var/log").mkdir(parents=True)
    (tmp_path / "var/log/dpkg.log").write_text(LOG)
    assert upgraded(tmp_path) == {"tzdata_2026b-0+deb12u1", "libc6_2.36-10"}


def test_where_there_is_no_guest_nothing_is_written(tmp_path: Path) -> None:
    assert upgraded(tmp_path) == frozenset()


def test_journal_and_dpkg_must_name_the_same_updates() -> None:
    assert doubts("deb", frozenset({"a_1"}), frozenset({"a_1"})) == []
    assert doubts("deb", frozenset({"a_1", "b_2"}), frozenset({"a_1", "c_3"})) == [
        "deb: the journal and the guest's own dpkg log differ about b_2, c_3"
    ]


def test_the_story_names_packages_and_versions() -> None:
    assert story("deb", frozenset({"apt_2.6.2"})).endswith("apt really upgraded 1 packages in it: apt 2.6.2.")
    assert story("deb", frozenset()).endswith("nothing was upgraded in it.")
