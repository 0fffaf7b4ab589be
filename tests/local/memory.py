"""What the workers of a local host have held of memory, as Linux counts it."""

from collections.abc import Iterator
from pathlib import Path

from infra.local.stack import Stack

LARGEST_WORKER = 256
"""MiB. Issue 3, "Must show"."""


def peaks(stack: Stack) -> list[float]:
    """The most that each worker has ever held, MiB."""
    return [_mebibytes(pid, "VmHWM") for pid in _workers(stack)]


def held(stack: Stack) -> list[float]:
    """What each worker holds now, MiB."""
    return [_mebibytes(pid, "VmRSS") for pid in _workers(stack)]


def listed(memory: list[float]) -> str:
    return ", ".join(f"{each:.0f}" for each in memory)


def _workers(stack: Stack) -> list[int]:
    host = next(child for child in stack.children if child.name == "the host").process.pid
    workers = [
        pid for pid in _processes() if "infra.local.host.worker" in _said(pid, "cmdline") and host in _above(pid)
    ]
    assert workers
    return workers


def _processes() -> list[int]:
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal()]


def _said(pid: int, name: str) -> str:
    """A file of a process; nothing of one that has ended meanwhile."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""


def _mebibytes(pid: int, name: str) -> float:
    return int(_field(pid, name)) / 1024


def _field(pid: int, name: str) -> str:
    lines = (line.split() for line in _said(pid, "status").splitlines())
    return next((words[1] for words in lines if words[0] == f"{name}:"), "0")


def _above(pid: int) -> Iterator[int]:
    while pid:
        pid = int(_field(pid, "PPid"))
        yield pid
