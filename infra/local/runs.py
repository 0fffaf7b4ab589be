"""The folders of the last runs: logs and data of one start of the local cloud each; old ones are removed."""

import os
import shutil
import sys
import time
from pathlib import Path

from infra.local.places import RUNS

KEPT = 5
"""Runs kept beside a new one: enough to compare a failure with what went before."""

OWNER = "pid"
"""File that names the process a run belongs to."""


def new_run(runs: Path = RUNS) -> Path:
    """A fresh folder, named so that newer sorts later; all but the last few older ones are deleted."""
    runs.mkdir(parents=True, exist_ok=True)
    for old in sorted(path for path in runs.iterdir() if path.is_dir())[:-KEPT]:
        if not _in_use(old):
            shutil.rmtree(old, ignore_errors=True)  # what cannot go now goes at a later run
    folder = runs / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{time.monotonic_ns() % 1000:03}"
    folder.mkdir()
    (folder / OWNER).write_text(str(os.getpid()))
    return folder


def _in_use(run: Path) -> bool:
    if sys.platform == "win32":
        return False  # open files refuse to be deleted there
    try:
        os.kill(int((run / OWNER).read_text()), 0)
    except (OSError, ValueError):
        return False
    return True
