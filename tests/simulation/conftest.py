"""Prints which seeds lived, what they met, and which law each mutant broke."""

import pytest

from tests.simulation.report import simulation_report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = simulation_report(config)
    if lines:
        terminalreporter.write_sep("=", "simulation")
        for line in lines:
            terminalreporter.write_line(line)
