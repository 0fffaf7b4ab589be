"""dev.py's command line and set-up, as far as they can be tried without installing anything."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dev import TESTS
from infra.local import bootstrap, flags
from infra.local.places import PROJECT
from infra.local.proofs import PROOFS
from tests.order import LONGEST_FIRST, place


def dev(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROJECT / "dev.py"), *words]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def test_prove_without_a_name_lists_the_proofs() -> None:
    listed = dev("prove")
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == sorted(PROOFS)


def test_an_unknown_proof_is_refused_by_name() -> None:
    refused = dev("prove", "everything")
    assert refused.returncode == 2
    assert "everything" in refused.stderr


def test_the_groups_that_go_first_are_there_and_xdist_keeps_the_order() -> None:
    assert [group for group in LONGEST_FIRST if not (PROJECT / group).exists()] == []
    assert "--no-loadscope-reorder" in TESTS[0]
    named = [f"{file}::test_a" for file in (LONGEST_FIRST[2], LONGEST_FIRST[1])]
    assert sorted(["tests/b.py::test_b", "tests/a.py::test_a", *named], key=place) == [
        *reversed(named), "tests/b.py::test_b", "tests/a.py::test_a"
    ]  # fmt: skip


def test_tests_of_a_file_run_in_one_process() -> None:
    """Else every process starts a local cloud for them."""
    files = ["tests/domain/test_opening.py", "tests/domain/test_bucket.py"]
    command = [sys.executable, "-m", *TESTS[0], *files, "-v"]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=120)
    told = set(re.findall(r"\[(gw\d)\].* PASSED (\S+?)::", ran.stdout))
    assert sorted(file for _, file in told) == sorted(files), ran.stdout[-2000:]


def test_help_says_where_it_is_proven() -> None:
    shown = dev("--help")
    assert shown.returncode == 0
    assert "proven on Linux" in shown.stdout


@pytest.mark.parametrize("words", [["demo", "--machines", "0"], ["up", "--port", "70000"], ["demo", "--port", "1"]])
def test_nonsense_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        flags.parser({}).parse_args(words)
    assert "error:" in capsys.readouterr().err


def test_the_defaults() -> None:
    asked = flags.parser({}).parse_args(["demo"])
    assert (asked.machines, asked.json, asked.no_guest) == (60, None, False)
    assert flags.parser({}).parse_args(["up"]).port == 7071


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"python": "3.1', "null"])
def test_a_torn_stamp_is_no_stamp(tmp_path: Path, content: str) -> None:
    stamp = tmp_path / "stamp.json"
    stamp.write_text(content)
    assert bootstrap.read_stamp(stamp) is None


def test_a_stamp_comes_back_as_written(tmp_path: Path) -> None:
    stamp = tmp_path / "stamp.json"
    bootstrap.write_stamp(stamp, {"pins": "x"})
    assert bootstrap.read_stamp(stamp) == {"pins": "x"}
    assert [path.name for path in tmp_path.iterdir()] == ["stamp.json"]


def test_a_failed_installer_is_quoted_without_addresses() -> None:
    code = "print('no https://user:word@packages.example/simple at all'); raise SystemExit(4)"
    with pytest.raises(bootstrap.SetupFailed) as failure:
        bootstrap.run_quietly([sys.executable, "-c", code])
    assert "code 4" in str(failure.value)
    assert "no <address> at all" in str(failure.value)
    assert "example" not in str(failure.value)


@pytest.mark.parametrize(
    "said",
    [
        "HTTPSConnectionPool(host='packages.example', port=443): Max retries exceeded",
        "npm error getaddrinfo ENOTFOUND packages.example",
        "Looking in links: file:///srv/packages.example",
        "npm error request to https://packages.example/azurite failed",
    ],
)
def test_registry_addresses_are_kept_back(said: str) -> None:
    assert "packages.example" not in bootstrap.without_addresses(said)
