"""What Resource Graph knows of patch results: each report becomes visible a while after it was made."""

from datetime import datetime
from typing import TypeVar

from infra.local.sandbox.reports import AssessmentReport, InstallationReport

_Report = TypeVar("_Report")


class Published:
    """Reports with the moment from which they show. Machine ids are keys as they are."""

    def __init__(self) -> None:
        self._assessments: dict[str, list[tuple[datetime, AssessmentReport]]] = {}
        self._installations: dict[str, dict[str, list[tuple[datetime, InstallationReport]]]] = {}

    def assessment(self, machine: str, report: AssessmentReport, visible: datetime) -> None:
        self._assessments.setdefault(machine, []).append((visible, report))

    def installation(self, machine: str, report: InstallationReport, visible: datetime) -> None:
        self._installations.setdefault(machine, {}).setdefault(report.activity, []).append((visible, report))

    def assessment_of(self, machine: str, now: datetime) -> AssessmentReport | None:
        """Only the latest exists, as in Azure."""
        return _latest(self._assessments.get(machine, []), now)

    def installations_of(self, machine: str, now: datetime) -> list[InstallationReport]:
        found = (_latest(versions, now) for versions in self._installations.get(machine, {}).values())
        return [report for report in found if report is not None]


def _latest(versions: list[tuple[datetime, _Report]], now: datetime) -> _Report | None:
    """The report made last among those that show: lags differ, so the order of showing does not count."""
    return next((report for visible, report in reversed(versions) if visible <= now), None)
