"""Prints which published examples the run used and which it skipped."""

import pytest

from tests.sandbox.contracts import FOLDER
from tests.sandbox.report import contract_report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Names every published example used, and every one skipped with why."""
    report = contract_report(config)
    if not FOLDER.is_dir():
        terminalreporter.write_sep("=", "published examples: all skipped, the contracts are not beside the project")
    elif report.used or report.skipped:
        terminalreporter.write_sep("=", f"published examples: {len(report.used)} used")
        for line in sorted(report.used):
            terminalreporter.write_line(f"used     {line}")
        for line in sorted(report.skipped):
            terminalreporter.write_line(f"skipped  {line}")
