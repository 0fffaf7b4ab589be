"""The folders of the last runs: old ones go, a running one stays."""

import os
from pathlib import Path

from infra.local.runs import KEPT, OWNER, new_run


def test_old_runs_go_and_the_last_few_stay(tmp_path: Path) -> None:
    for number in range(KEPT + 3):
        (tmp_path / f"2020010{number}-000000-1-000").mkdir()
    made = new_run(tmp_path)
    assert len(list(tmp_path.iterdir())) == KEPT + 1
    assert max(tmp_path.iterdir()) == made


def test_a_run_whose_process_lives_stays(tmp_path: Path) -> None:
    old = tmp_path / "20200101-000000-1-000"
    old.mkdir()
    (old / OWNER).write_text(str(os.getpid()))
    for number in range(KEPT + 1):
        (tmp_path / f"2021010{number}-000000-1-000").mkdir()
    new_run(tmp_path)
    assert old.exists()
