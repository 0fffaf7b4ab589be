"""What happened before the sandbox started: some machines were assessed days ago, as in any grown estate."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from infra.local.sandbox.config import seeded_guid
from infra.local.sandbox.guests import Assessment, ScriptedGuest
from infra.local.sandbox.machine import Machine
from infra.local.sandbox.published import Published
from infra.local.sandbox.reports import AssessmentReport
from infra.local.sandbox.scripts import Script

EARLIER_SHARE = 0.4
"""Of the scripted machines, how many carry an assessment from before."""

EARLIER_HOURS = (30.0, 144.0)
"""How old it is: past a day, so that it is due again, and within the week that Resource Graph keeps it."""


def remember(machines: Sequence[Machine], published: Published, seed: int, now: datetime) -> None:
    """Gives machines their earlier assessment, in the instance view and in Resource Graph; the newest update is
    not in it yet. Whoever takes it for the outcome of an operation of today is wrong.
    """
    for machine in machines:
        random = Random(f"{seed}:history:{machine.spec.vm_id}")
        silent = machine.spec.script is Script.PLATFORM_SILENT
        if isinstance(machine.guest, ScriptedGuest) and (random.random() < EARLIER_SHARE or silent):
            machine.assessment = _earlier(machine, machine.guest, random, now)
            published.assessment(machine.spec.id, machine.assessment, machine.assessment.modified)


def _earlier(machine: Machine, guest: ScriptedGuest, random: Random, now: datetime) -> AssessmentReport:
    began = now - timedelta(hours=random.uniform(*EARLIER_HOURS))
    known = guest.pending[:-1]
    return AssessmentReport(
        activity=seeded_guid(0, machine.spec.vm_id, "earlier"),
        status="Succeeded",
        started=began,
        modified=began + machine.spec.assessing,
        started_by="Platform",
        found=Assessment(pending=known, reboot_pending=False, source=machine.spec.system.source),
    )
