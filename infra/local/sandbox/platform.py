"""Azure's own assessments: every 24 h, of reachable machines whose assessment mode says so; nobody asks for them."""

import heapq
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from infra.local.sandbox.config import GRAPH_LAG_SECONDS, PLATFORM_SECONDS, SandboxConfig, seeded_guid
from infra.local.sandbox.guests import ScriptedGuest
from infra.local.sandbox.machine import Machine
from infra.local.sandbox.operations import Operations
from infra.local.sandbox.published import Published
from infra.local.sandbox.reports import AssessmentReport
from infra.local.sandbox.scripts import Script
from infra.local.sandbox.work import assess, assessment_report

FIRST_AGE_HOURS = (0.5, 20.0)
"""How old a machine's last result is when the sandbox starts, in hours of real time."""


class Platform:
    """Renews the results of those machines; a machine with an operation under way is left for later."""

    def __init__(
        self,
        config: SandboxConfig,
        machines: Sequence[Machine],
        operations: Operations,
        published: Published,
        now: datetime,
    ) -> None:
        self._config = config
        self._operations = operations
        self._published = published
        self._machines = [machine for machine in machines if _is_assessed(machine)]
        self._count = 0
        self._due: list[tuple[datetime, int]] = []
        for position, machine in enumerate(self._machines):
            age = timedelta(hours=Random(f"{config.seed}:platform:{position}").uniform(*FIRST_AGE_HOURS))
            self._assess(machine, now - age, now - age)
            rest = timedelta(seconds=PLATFORM_SECONDS) - age
            heapq.heappush(self._due, (now + config.scaled(rest.total_seconds()), position))

    def settle(self, now: datetime) -> None:
        """Assesses every machine whose time has come, once, however long nobody asked."""
        busy: list[tuple[datetime, int]] = []
        period = self._config.scaled(PLATFORM_SECONDS)
        while self._due and self._due[0][0] <= now:
            due, position = heapq.heappop(self._due)
            machine = self._machines[position]
            if self._operations.is_running(machine):
                busy.append((due, position))
                continue
            last = due + period * ((now - due) // period)
            if machine.assessment and machine.assessment.modified > last:
                last = now  # somebody else's look came in between; results do not go back in time
            self._assess(machine, last, last + self._config.scaled(GRAPH_LAG_SECONDS[0]))
            heapq.heappush(self._due, (last + period, position))
        for each in busy:
            heapq.heappush(self._due, each)

    def _assess(self, machine: Machine, ended: datetime, visible: datetime) -> None:
        self._count += 1
        before = AssessmentReport(
            activity=seeded_guid(self._config.seed, "platform", str(self._count)),
            started=ended - self._config.scaled(machine.spec.assessing.total_seconds()),
            modified=ended,
            started_by="Platform",
        )
        machine.assessment = assessment_report(before, assess(machine.guest), ended)
        self._published.assessment(machine.spec.id, machine.assessment, visible)


def _is_assessed(machine: Machine) -> bool:
    spec = machine.spec
    if spec.settings.assessment != "AutomaticByPlatform" or not isinstance(machine.guest, ScriptedGuest):
        return False
    if spec.script in (Script.PLATFORM_SILENT, Script.CLUSTER_NODE):
        return False
    return machine.connection == "Connected" if spec.is_arc else machine.power == "running"
