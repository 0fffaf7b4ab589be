"""Long-running operations: one at a time on a machine, ended by the clock or by the real system inside."""

from datetime import datetime, timedelta
from random import Random
from threading import Thread

from infra.local.sandbox.config import FOREIGN_OPERATION_SECONDS, GRAPH_LAG_SECONDS, SandboxConfig, seeded_guid
from infra.local.sandbox.fault import Fault, Kind
from infra.local.sandbox.faults import Faults
from infra.local.sandbox.http import Json, Refusal
from infra.local.sandbox.installs import LINUX_CLASSES, WINDOWS_CLASSES, InstallRequest
from infra.local.sandbox.journal import Journal
from infra.local.sandbox.machine import Machine
from infra.local.sandbox.published import Published
from infra.local.sandbox.reports import AssessmentReport, InstallationReport, Trouble
from infra.local.sandbox.scripts import Script
from infra.local.sandbox.work import (
    Assessed,
    Installed,
    assess,
    assessment_report,
    install,
    installation_report,
    installing_time,
)

FOREIGN_PRINCIPAL = "platform"
"""Who starts the operations that no caller asked for."""

SUPERSEDED = Trouble("NEWER_OPERATION_SUPERSEDED", "The operation was ended by a newer one.")
"""Source: the Linux patch extension's error codes (facts 11.1). For Windows no page names one; the same is used."""


class Operation:
    """One operation. `due` is when it ends; None while a real system is at work. `failed`: ARM itself says Failed."""

    def __init__(self, id_: str, machine: Machine, principal: str, started: datetime) -> None:
        self.id = id_
        self.request: InstallRequest | None = None
        self.machine = machine
        self.principal = principal
        self.started = started
        self.due: datetime | None = None
        self.ended: datetime | None = None
        self.report: AssessmentReport | InstallationReport | None = None
        self.failed: Trouble | None = None
        self.gone: tuple[datetime, int] | None = None
        """From when on its addresses are no longer known, and the status they answer with."""

    @property
    def status(self) -> str:
        if self.ended is None:
            return "InProgress"
        return "Failed" if self.failed else "Succeeded"

    @property
    def kind(self) -> str:
        return "assessment" if self.request is None else "installation"

    def facts(self) -> Json:
        """What the journal says about it."""
        return {"operation": self.id, "kind": self.kind, "machine": self.machine.spec.id, "principal": self.principal}

    def work(self) -> Assessed | Installed:
        """What happens inside the machine; a real system blocks until it has happened."""
        return assess(self.machine.guest) if self.request is None else install(self.machine, self.request)

    def crashed(self, trouble: Trouble) -> Assessed | Installed:
        """The end of work that broke in a way nobody foresaw."""
        nothing = Assessed(None, trouble)
        return nothing if self.request is None else Installed(before=nothing, after=nothing, trouble=trouble)


class Operations:
    """Starts operations, ends those that are due, and keeps them for who asks how they ended."""

    def __init__(self, config: SandboxConfig, journal: Journal, published: Published, faults: Faults) -> None:
        self._config = config
        self._journal = journal
        self._published = published
        self._faults = faults
        self._random = Random(f"{config.seed}:lag")
        self._count = 0
        self._all: dict[str, Operation] = {}
        self._running: dict[str, Operation] = {}
        self._back: list[tuple[Operation, Assessed | Installed]] = []

    def find(self, id_: str) -> Operation | None:
        return self._all.get(id_.lower())

    def is_running(self, machine: Machine) -> bool:
        return machine.spec.id in self._running

    def start_assessment(
        self, machine: Machine, principal: str, now: datetime, fault: Fault | None = None
    ) -> Operation:
        """Accepts an assessment. Raises Refusal 409 when the machine is busy and does not supersede."""
        self._make_way(machine, now, fault)
        return self._assess(machine, principal, now, machine.spec.assessing * machine.spec.factor)

    def start_installation(
        self, machine: Machine, request: InstallRequest, principal: str, now: datetime, fault: Fault | None = None
    ) -> Operation:
        """Accepts an installation. Raises Refusal 409 when the machine is busy and does not supersede."""
        self._make_way(machine, now, fault)
        takes = timedelta() if machine.guest.blocking else installing_time(machine, request)
        return self._install(machine, request, principal, now, takes)

    def start_foreign(self, machine: Machine, fault: Fault, now: datetime) -> Operation:
        """Somebody else's operation, for the fault's seconds. Raises Refusal 409 when the machine is busy."""
        if machine.spec.id in self._running:
            raise _busy(machine, self._running[machine.spec.id])
        seconds = fault.seconds * self._config.speed or FOREIGN_OPERATION_SECONDS
        takes = timedelta(seconds=seconds)
        if not fault.installation:
            return self._assess(machine, FOREIGN_PRINCIPAL, now, takes)
        return self._install(machine, _everything(machine.spec.system.os), FOREIGN_PRINCIPAL, now, takes)

    def _install(
        self, machine: Machine, request: InstallRequest, principal: str, now: datetime, takes: timedelta
    ) -> Operation:
        report = InstallationReport(
            activity=self._new_id(), started=now, modified=now, run_id=request.run_id, started_by=_starter(principal)
        )
        machine.installation = report
        self._published.installation(machine.spec.id, report, now + self._lag(machine, now))
        operation = Operation(self._new_id(), machine, principal, now)
        operation.request = request
        return self._accept(operation, takes)

    def settle(self, now: datetime) -> None:
        """Ends every operation whose time has come, in the order of their ends."""
        back, self._back = self._back, []
        for operation, done in back:
            self._end(operation, done, now)
        over = [(item.due, item) for item in self._running.values() if item.due is not None and item.due <= now]
        for due, operation in sorted(over, key=lambda pair: (pair[0], pair[1].id)):
            self._end(operation, operation.work(), due)

    def _make_way(self, machine: Machine, now: datetime, fault: Fault | None) -> None:
        """A real system is never superseded: its package manager cannot be stopped half-way."""
        scripted = machine.spec.script is Script.BUSY and not machine.foreign_seen
        if (scripted or fault is not None) and machine.spec.id not in self._running:
            machine.foreign_seen = machine.foreign_seen or scripted
            self.start_foreign(machine, fault or Fault(kind=Kind.BUSY), now)
        running = self._running.get(machine.spec.id)
        if running is None:
            return
        asked = self._faults.supersedes(machine.spec.id) if fault is None else fault.kind is Kind.SUPERSEDE
        if machine.guest.blocking or not asked:
            raise _busy(machine, running)
        self._end(running, running.crashed(SUPERSEDED), now)

    def _assess(self, machine: Machine, principal: str, now: datetime, takes: timedelta) -> Operation:
        by = _starter(principal)
        machine.assessment = AssessmentReport(activity=self._new_id(), started=now, modified=now, started_by=by)
        return self._accept(Operation(self._new_id(), machine, principal, now), takes)

    def _accept(self, operation: Operation, takes: timedelta) -> Operation:
        """A scripted system answers at once when its time is over; a real one works in a thread of its own."""
        self._all[operation.id] = operation
        self._running[operation.machine.spec.id] = operation
        self._journal.note("operationAccepted", operation.started, operation.facts())
        if operation.machine.guest.blocking:
            Thread(target=self._work, args=(operation,), daemon=True, name=f"guest-{operation.id}").start()
        else:
            operation.due = operation.started + self._config.scaled(takes.total_seconds())
        return operation

    def _work(self, operation: Operation) -> None:
        """Runs in the thread; whatever goes wrong becomes the operation's recorded end."""
        try:
            with operation.machine.inside:
                done = operation.work()
        except Exception as error:  # noqa: BLE001 - recorded: it becomes the operation's error
            done = operation.crashed(Trouble("GuestCrashed", f"{type(error).__name__}: {error}"))
        self._back.append((operation, done))

    def _end(self, operation: Operation, done: Assessed | Installed, now: datetime) -> None:
        machine = operation.machine
        operation.ended = now
        del self._running[machine.spec.id]
        if isinstance(done, Installed):
            operation.report = self._installed(machine, done, now)
            operation.failed = _operation_failure(machine, done.before)
        else:
            operation.report = self._assessed(machine, done, now)
            operation.failed = _operation_failure(machine, done)
        outcome = {"status": operation.status, "result": operation.report.status}
        self._journal.note("operationEnded", now, {**operation.facts(), **outcome})

    def _assessed(self, machine: Machine, seen: Assessed, now: datetime) -> AssessmentReport:
        before = machine.assessment or self._fresh(now)
        machine.assessment = assessment_report(before, seen, now)
        self._published.assessment(machine.spec.id, machine.assessment, now + self._lag(machine, now))
        return machine.assessment

    def _installed(self, machine: Machine, done: Installed, now: datetime) -> InstallationReport:
        """An installation ends with an assessment, so everything about pending updates is fresh after it."""
        before = machine.installation or InstallationReport(activity=self._new_id(), started=now, modified=now)
        machine.installation = installation_report(before, done, now)
        self._published.installation(machine.spec.id, machine.installation, now + self._lag(machine, now))
        if done.trouble != SUPERSEDED:
            machine.assessment = self._fresh(now)
            self._assessed(machine, done.after, now)
        changed = [patch.update.id for patch in done.patches if patch.state == "Installed"]
        if changed:
            self._journal.note("guestChanged", now, {"machine": machine.spec.id, "installed": changed})
        return machine.installation

    def _fresh(self, now: datetime) -> AssessmentReport:
        return AssessmentReport(activity=self._new_id(), started=now, modified=now)

    def _lag(self, machine: Machine, now: datetime) -> timedelta:
        usual = self._config.scaled(self._random.uniform(*GRAPH_LAG_SECONDS))
        return usual + self._faults.long_lag(machine.spec.id, now)

    def _new_id(self) -> str:
        self._count += 1
        return seeded_guid(self._config.seed, "operation", str(self._count))


def _starter(principal: str) -> str:
    """The result's `startedBy`."""
    return "Platform" if principal == FOREIGN_PRINCIPAL else "User"


def _everything(os: str) -> InstallRequest:
    """What somebody else installs: all there is, within two hours."""
    classes = frozenset(WINDOWS_CLASSES if os == "Windows" else LINUX_CLASSES)
    return InstallRequest(os=os, maximum=timedelta(hours=2), reboot="IfRequired", classes=classes)


def _busy(machine: Machine, running: Operation) -> Refusal:
    """Azure's pages name no code for a busy machine; Compute uses OperationNotAllowed for what a VM's state forbids."""
    message = (
        f"Cannot start a patch operation on '{machine.spec.name}' because another patch operation started at "
        f"{running.started.isoformat()} is in progress."
    )
    return Refusal(409, "OperationNotAllowed", message, machine.spec.name)


def _operation_failure(machine: Machine, first: Assessed) -> Trouble | None:
    """Whether ARM itself calls the operation Failed, or succeeds with a result that says Failed.

    Azure's pages say neither. Linux machines here do the first and Windows machines the second, so that a client
    meets both. A superseded one is Failed everywhere.
    """
    if first.trouble == SUPERSEDED:
        return SUPERSEDED
    return first.trouble if machine.spec.system.os == "Linux" else None
