"""What the simulation found, gathered by tests and printed at the end of the run."""

import pytest

_KEY = pytest.StashKey[list[str]]()


def simulation_report(config: pytest.Config) -> list[str]:
    """The lines of this run."""
    return config.stash.setdefault(_KEY, [])
