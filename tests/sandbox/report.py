"""Lines about the published examples, gathered by tests and printed at the end of the run."""

import msgspec
import pytest


class Report(msgspec.Struct):
    """Examples the run used, and examples it skipped with the reason."""

    used: list[str] = []
    skipped: list[str] = []


_KEY = pytest.StashKey[Report]()


def contract_report(config: pytest.Config) -> Report:
    """The one report of this run."""
    return config.stash.setdefault(_KEY, Report())
