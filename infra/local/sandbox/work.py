"""What happens inside a machine during an operation, assess to reboot to assess again, and how long it takes."""

from datetime import datetime, timedelta

import msgspec

from infra.local.sandbox.guests import Assessment, Guest, GuestFailure, Installation, ScriptedGuest
from infra.local.sandbox.installs import InstallRequest
from infra.local.sandbox.machine import Machine
from infra.local.sandbox.reports import AssessmentReport, InstallationReport, PatchState, Trouble
from infra.local.sandbox.selection import Fit, Selection, fit, select


class Assessed(msgspec.Struct, frozen=True):
    """One look inside: what was found, or why nothing was."""

    found: Assessment | None
    trouble: Trouble | None


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """One installation: the look before it, what became of each update, the reboot, the look after it."""

    before: Assessed
    patches: tuple[PatchState, ...] = ()
    reboot_status: str = "NotNeeded"
    window_exceeded: bool = False
    trouble: Trouble | None = None
    after: Assessed


def assess(guest: Guest) -> Assessed:
    """Looks inside; a failure is an answer here."""
    try:
        return Assessed(guest.assess(), None)
    except GuestFailure as failure:
        return Assessed(None, Trouble(failure.code, failure.message))


def install(machine: Machine, request: InstallRequest) -> Installed:
    """Assesses, installs what the request selects and the window allows, reboots if due, assesses again."""
    before = assess(machine.guest)
    if before.found is None:
        return Installed(before=before, after=before, trouble=before.trouble)
    chosen = select(before.found.pending, request)
    fitting = _fit(machine, chosen, request)
    try:
        done = machine.guest.install([update.id for update in fitting.started])
    except GuestFailure as failure:
        trouble = Trouble(failure.code, failure.message)
        return Installed(before=before, patches=_failed(chosen), trouble=trouble, after=assess(machine.guest))
    reboot_status = _reboot(machine.guest, request, needed=done.reboot_required)
    return Installed(
        before=before,
        patches=_patches(chosen, fitting, done),
        reboot_status=reboot_status,
        window_exceeded=bool(fitting.left),
        trouble=Trouble("PatchInstallationFailed", done.error) if done.error else None,
        after=assess(machine.guest),
    )


def installing_time(machine: Machine, request: InstallRequest) -> timedelta:
    """How long `install` takes in a scripted machine, before division by speed. Source: Azure's window arithmetic."""
    spec = machine.spec
    before = assess(machine.guest)
    if before.found is None:
        return spec.assessing * spec.factor
    fitting = _fit(machine, select(before.found.pending, request), request)
    reboot = (
        spec.rebooting if request.reboot == "Always" or (fitting.started and request.reboot_allowed) else timedelta()
    )
    return (spec.assessing + fitting.duration + reboot + spec.assessing) * spec.factor


def assessment_report(before: AssessmentReport, seen: Assessed, now: datetime) -> AssessmentReport:
    """The report as it stands after the look."""
    status = "Succeeded" if seen.found is not None else "Failed"
    return msgspec.structs.replace(before, status=status, modified=now, found=seen.found, trouble=seen.trouble)


def installation_report(before: InstallationReport, done: Installed, now: datetime) -> InstallationReport:
    """The report as it stands after the work. Outcome table: Update Manager's workflow page."""
    report = msgspec.structs.replace(
        before,
        modified=now,
        source=done.before.found.source if done.before.found else "",
        patches=done.patches,
        reboot_status=done.reboot_status,
        window_exceeded=done.window_exceeded,
        trouble=done.trouble or done.after.trouble,
    )
    return msgspec.structs.replace(report, status=_outcome(report))


def _outcome(report: InstallationReport) -> str:
    if report.trouble or report.window_exceeded or report.count("Failed") or report.count("Pending"):
        return "Failed"
    return "CompletedWithWarnings" if report.reboot_status == "Required" else "Succeeded"


def _fit(machine: Machine, chosen: Selection, request: InstallRequest) -> Fit:
    return fit(chosen.selected, request, arc=machine.spec.is_arc, oversized=machine.spec.oversized)


def _reboot(guest: Guest, request: InstallRequest, *, needed: bool) -> str:
    """Reboots as the setting says. A real guest is a folder, not a computer: what it needs stays needed."""
    if not isinstance(guest, ScriptedGuest):
        return "Required" if needed else "NotNeeded"
    if request.reboot == "Always" or (needed and request.reboot == "IfRequired"):
        guest.reboot()
        return "Completed"
    return "Required" if needed else "NotNeeded"


def _patches(chosen: Selection, fitting: Fit, done: Installation) -> tuple[PatchState, ...]:
    return (
        *(PatchState(update, done.states.get(update.id, "Pending")) for update in fitting.started),
        *(PatchState(update, "Pending") for update in fitting.left),
        *_untouched(chosen),
    )


def _failed(chosen: Selection) -> tuple[PatchState, ...]:
    return (*(PatchState(update, "Failed") for update in chosen.selected), *_untouched(chosen))


def _untouched(chosen: Selection) -> tuple[PatchState, ...]:
    return (
        *(PatchState(update, "Excluded") for update in chosen.excluded),
        *(PatchState(update, "NotSelected") for update in chosen.not_selected),
    )
