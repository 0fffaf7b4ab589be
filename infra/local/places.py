"""Where the local tools keep things: one folder beside the project's files, ignored by git."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
"""The project's folder."""

LOCAL = PROJECT / ".local"
"""Everything made by the local tools; may be deleted whenever nothing runs."""

AZURITE = LOCAL / "azurite"
"""Azurite and its packages, installed by dev.py."""

RUNS = LOCAL / "runs"
"""Logs and data of the last runs, one folder each."""

GUEST = LOCAL / "guest"
"""The real guest's base, cached between runs."""


def shown(path: Path) -> str:
    """The path as a person at the project's folder would type it."""
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else str(path)
