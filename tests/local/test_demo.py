"""The demo as a person runs it, and its judgement when app and sandbox disagree."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec

from infra.local.demo import Evidence, Result, closing, wrong
from infra.local.fleet import Expected, Guest, Look, Row, Why
from infra.local.places import PROJECT
from infra.local.report import Line
from infra.local.verdict import Ended, Operation

KEYS = {"id", "kind", "os", "subscription", "pendingBefore", "pendingAfter", "outcome", "reason", "seconds"}
LOOKED = Look("Succeeded", "2026-01-01T00:00:00Z")
ROW = Row(id="/s/Web-01", name="Web-01", kind="Arc", os="Linux", subscription="s", pending={}, last_assessment=LOOKED)
GUEST = Guest(
    id="/S/web-01",
    kind="Arc",
    script="healthy",
    real_guest=False,
    pending=[],
    expected=Expected(Ended("Succeeded"), Ended("Succeeded")),
    expected_in_window=Ended("Skipped", "PatchedByPlatform"),
)
EVIDENCE = Evidence(
    before={"/s/web-01": GUEST},
    after={"/s/web-01": GUEST},
    seen={"/s/web-01": [Operation(installs=False, accepted=1, ended=2)]},
)
LINE = Line(
    id=ROW.id,
    kind="Arc",
    os="Linux",
    subscription="s",
    pending_before=0,
    pending_after=0,
    outcome="Succeeded",
    reason="",
    seconds=1.0,
)


def test_a_small_fleet_ends_as_it_must(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    command = [sys.executable, str(PROJECT / "dev.py"), "demo", "--machines", "12", "--no-guest", "--json", str(file)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Right: all 12 machines" in done.stdout
    assert all(done.stdout.count(f"  {wave}: ") == 2 for wave in ("wave 1, test", "wave 2, production"))
    machines = json.loads(file.read_text())
    assert len({machine["id"] for machine in machines}) == 12
    assert all(set(machine) == KEYS for machine in machines)
    assert all(machine["reason"] for machine in machines if machine["outcome"] != "Succeeded")
    assert any(machine["pendingBefore"] and machine["pendingAfter"] == 0 for machine in machines)


def test_when_both_agree_nothing_is_wrong() -> None:
    assert wrong({"/s/web-01": ROW}, {}, EVIDENCE) == []


def test_machines_only_one_side_knows_are_named() -> None:
    assert wrong({"/s/ghost": msgspec.structs.replace(ROW, id="/s/ghost")}, {}, EVIDENCE) == [
        "ghost: the app shows it and there is no such machine",
        "web-01 (healthy): the app does not know it",
    ]


def test_a_disagreement_names_the_machine_and_its_script() -> None:
    asked = wrong({"/s/web-01": ROW}, {"/s/web-01": ROW}, EVIDENCE)
    assert asked == [
        "web-01 (healthy): its installation must end as Succeeded and the app says nothing",
        "web-01 (healthy): 0 installations of ours were accepted instead of 1",
    ]


def test_a_machine_of_the_window_is_judged_by_what_a_window_may_do() -> None:
    evidence = msgspec.structs.replace(EVIDENCE, window=frozenset({"/s/web-01"}))
    left = msgspec.structs.replace(ROW, last_installation=Look("Skipped", "t", Why("PatchedByPlatform")))
    assert wrong({"/s/web-01": left}, {"/s/web-01": ROW}, evidence) == []
    assert wrong({"/s/web-01": left}, {"/s/web-01": ROW}, EVIDENCE) != []


def test_the_last_line_says_whether_all_is_right() -> None:
    assert closing(Result(lines=[LINE], wrong=[], notes=[]))[-1].startswith("Right: all 1 machines")
    assert closing(Result(lines=[LINE], wrong=["web-01: no"], notes=[]))[-2:] == [
        "NOT RIGHT, 1 disagreements with the sandbox:",
        "  web-01: no",
    ]
