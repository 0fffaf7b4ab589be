"""A cold start: importing and indexing the app against importing `azure.functions` alone, whole processes, in pairs."""

import subprocess
import sys
import time
from statistics import median

import pytest

from infra.local.places import PROJECT

LIMIT = 1.6
"""Times the cost of `azure.functions`, which no Python app on Functions can avoid."""

PAIRS, MORE_PAIRS = 9, 25
ALONE = "import azure.functions"
APP = "import function_app; assert len(function_app.app.get_functions()) > 20"


def seconds(code: str) -> float:
    """Of a whole process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True)
    return time.perf_counter() - began


def pair(number: int) -> float:
    """App over library, one after the other; who goes first alternates, so that a drift falls on both."""
    if number % 2:
        alone, app = seconds(ALONE), seconds(APP)
    else:
        app, alone = seconds(APP), seconds(ALONE)
    return app / alone


def measured(pairs: int) -> float:
    return median(pair(number) for number in range(pairs))


@pytest.mark.alone
def test_import_and_index(capsys: pytest.CaptureFixture[str]) -> None:
    """The median over pairs; once more with more pairs where the machine was busy."""
    pair(0)  # warm-up: file cache and bytecode
    ratio = measured(PAIRS)
    if ratio > LIMIT:
        ratio = measured(MORE_PAIRS)
    with capsys.disabled():
        print(f"\ncold start: import and index cost {ratio:.2f} times azure.functions alone")  # noqa: T201 - the result
    assert ratio <= LIMIT
