"""The command line of dev.py, every command's flags. Standard library only: read before anything is installed."""

import argparse
from pathlib import Path

MACHINES = 60
"""Machines of the fleet unless told otherwise: every kind and every script at least twice, and a run under 90 s."""

PORT = 7071
"""Where Azure's own Functions host listens on a laptop."""

ABOUT = """Open Update Manager on this machine: real storage protocol, real worker library, a local stand-in for Azure.
Nothing but Python 3.11 or newer is needed; the first use installs the rest beside this file, in .venv and .local.
Written for Linux, macOS and Windows; proven on Linux."""


def parser(proofs: dict[str, str]) -> argparse.ArgumentParser:
    """The whole command line; `proofs` are the names `prove` knows, each with one line."""
    top = argparse.ArgumentParser(prog="dev.py", description=ABOUT, formatter_class=argparse.RawTextHelpFormatter)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    demo = commands.add_parser("demo", help="boot everything, run the main job once, show what became of each machine")
    _fleet(demo)
    demo.add_argument("--json", metavar="FILE", type=Path, help="write one object a machine to FILE")
    demo.add_argument("--no-guest", action="store_true", help="leave the real Debian guest out")
    up = commands.add_parser("up", help="boot everything, print its addresses as one JSON line, run until Ctrl-C")
    _fleet(up)
    up.add_argument("--port", type=_port, default=PORT, help="the app's http port (default: %(default)s)")
    commands.add_parser("test", help="ruff, mypy, pytest; further arguments go to pytest")
    prove = commands.add_parser("prove", help="run a long proof; without a name: list them")
    prove.add_argument("name", nargs="?", choices=sorted(proofs), metavar="NAME", help=", ".join(sorted(proofs)))
    return top


def _fleet(command: argparse.ArgumentParser) -> None:
    command.add_argument("--machines", type=_machines, default=MACHINES, help="how many (default: %(default)s)")
    command.add_argument("--seed", type=int, default=1, help="makes the fleet; equal seeds, equal fleets (default: 1)")


def _machines(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a whole number from 1 on")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError("a port: 1 to 65535, or 0 for a free one")
    return int(text)
