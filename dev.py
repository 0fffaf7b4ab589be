#!/usr/bin/env python3
"""The one command of a contributor: `python dev.py demo | up | test | prove`. Installs what it needs at first use."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
OLDEST = (3, 11)
INTERRUPTED = 130
"""What shells report for Ctrl-C."""

CHECKS = (("ruff", "check", "."), ("ruff", "format", "--check", "."))
"""What `test` runs first, in this order."""

TOGETHER = (("mypy",), ("pytest", "--collect-only", "-qq"))
"""What it runs next, side by side, for each needs one core: types, and whether all tests can be collected.

That compiles them too, once for all processes that follow. mypy knows its files from pyproject.toml.
"""

TESTS = (
    ("pytest", "-m", "not proof and not alone", "-n", "4", "--dist", "loadscope", "--no-loadscope-reorder"),
    ("pytest", "-m", "alone"),
)
"""All tests in two runs: four processes at once, for many tests wait, then those that need the machine to themselves.

Longest groups first, as tests/order.py has them; without the flag pytest-xdist would begin with those of most tests.
"""


def main(words: list[str]) -> int:
    """Runs what the command line asks for, in the project's own environment; the exit code."""
    if sys.version_info < OLDEST:
        print("dev.py needs Python 3.11 or newer; this is {}.{}.".format(*sys.version_info[:2]), file=sys.stderr)
        return 2
    sys.path.insert(0, str(PROJECT))
    from infra.local import bootstrap, proofs

    asked, for_pytest = parsed(words)
    if asked.command == "prove" and asked.name is None:
        print(proofs.listing())
        return 0
    if bootstrap.inside() and bootstrap.ready():
        return run(asked, for_pytest)
    try:
        bootstrap.set_up()
    except bootstrap.SetupFailed as failure:
        print(f"Set-up failed: {failure}", file=sys.stderr)
        return 1
    return again_inside(bootstrap.VENV_PYTHON, words)


def parsed(words: list[str]) -> tuple[Namespace, list[str]]:
    """The command with its flags, and what follows `test`: that is pytest's and may look like anything."""
    from infra.local import flags, proofs

    known = {name: proof.shows for name, proof in proofs.PROOFS.items()}
    if words[:1] == ["test"] and words[1:] not in (["-h"], ["--help"]):
        return flags.parser(known).parse_args(words[:1]), words[1:]
    return flags.parser(known).parse_args(words), []


def again_inside(python: Path, words: list[str]) -> int:
    """Runs this file again with the project's own Python; comes back on Windows only."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a hundred processes follow: what one has compiled serves all
    command = [str(python), str(PROJECT / "dev.py"), *words]
    if sys.platform != "win32":
        os.execv(command[0], command)  # noqa: S606 - our own Python and file
    return subprocess.call(command)  # exec on Windows does not wait for what it starts


def run(asked: Namespace, for_pytest: list[str]) -> int:
    """Runs one command, everything being installed."""
    if asked.command == "demo":
        from infra.local import demo

        return demo.main(asked)
    if asked.command == "up":
        from infra.local import up

        return up.main(asked)
    if asked.command == "prove":
        from infra.local import proofs

        return staged([("pytest", *proofs.PROOFS[asked.name].arguments)])
    return staged(CHECKS) or together(TOGETHER) or staged([("pytest", *for_pytest)] if for_pytest else TESTS)


def staged(stages: Sequence[tuple[str, ...]]) -> int:
    """Runs the stages one after the other up to the first that fails; its exit code."""
    for stage in stages:
        print("== " + " ".join(stage), flush=True)
        code = subprocess.call([sys.executable, "-m", *stage], cwd=PROJECT)
        if code:
            return failed(stage, code)
    return 0


def together(stages: Sequence[tuple[str, ...]]) -> int:
    """Runs the stages at the same time; the exit code of the first that failed, after what it said."""
    print("== " + ", beside it ".join(map(" ".join, stages)), flush=True)
    running = [(stage, piped([sys.executable, "-m", *stage])) for stage in stages]
    ended = [(stage, process.communicate()[0], process.returncode) for stage, process in running]
    for stage, said, code in ended:
        if code:
            print(said, flush=True)
            return failed(stage, code)
    return 0


def piped(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, cwd=PROJECT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def failed(stage: tuple[str, ...], code: int) -> int:
    print(f"== failed: {' '.join(stage)} (exit code {code})", flush=True)
    return code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
