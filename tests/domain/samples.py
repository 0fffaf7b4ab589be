"""Values that many domain tests need: a machine, a record, a run, at one fixed instant."""

from datetime import UTC, datetime, timedelta

from shared.domain.installation import InstallationRequest, WindowsParameters
from shared.domain.machine import Assessment, Installation, Kind, Machine, OperatingSystem, Outcome, Record
from shared.domain.operation import Operation, OperationKind, State
from shared.domain.run import Run, RunMachine

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
VM = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/web/providers/Microsoft.Compute/virtualMachines/vm1"
ARC = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/web/providers/Microsoft.HybridCompute/machines/arc1"
RUN = "run-1"


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def machine(
    id: str = VM,  # noqa: A002 - the field's own name
    *,
    kind: Kind = Kind.AZURE_VM,
    os: OperatingSystem = OperatingSystem.WINDOWS,
    connection: str = "",
) -> Machine:
    return Machine(
        id=id, vm_id="v", name=id.split("/")[-1], kind=kind, os=os, location="westeurope", connection=connection
    )


def record(
    of: Machine | None = None,
    *,
    assessment: Assessment | None = None,
    installation: Installation | None = None,
) -> Record:
    return Record(machine=of or machine(), assessment=assessment, installation=installation)


def assessment(
    outcome: Outcome = Outcome.SUCCEEDED,
    *,
    ended: datetime = NOW,
    counts: dict[str, int] | None = None,
    reboot: bool = False,
) -> Assessment:
    return Assessment(
        id="a", outcome=outcome, started=ended - minutes(2), ended=ended, counts=counts or {}, reboot_pending=reboot
    )


def installation(outcome: Outcome = Outcome.SUCCEEDED, *, ended: datetime = NOW) -> Installation:
    return Installation(id="i", run=RUN, outcome=outcome, started=ended - minutes(30), ended=ended)


def request() -> InstallationRequest:
    return InstallationRequest(
        reboot_setting="IfRequired",
        maximum_duration=timedelta(hours=2),
        windows_parameters=WindowsParameters(classifications_to_include=("Critical",)),
    )


def run(*, length: timedelta = timedelta(hours=2), reserve: timedelta = timedelta(minutes=25)) -> Run:
    """Window `[NOW, NOW + length)`, cut-off `reserve` before its end."""
    end = NOW + length
    return Run(id=RUN, start=NOW, end=end, cut_off=end - reserve, request=request(), requested_by="someone")


def run_machine(number: int = 1) -> RunMachine:
    return RunMachine(machine=VM.replace("vm1", f"vm{number}"))


def operation(state: State = State.CLAIMED, kind: OperationKind = OperationKind.INSTALLATION) -> Operation:
    """Claimed at NOW, may be sent for an hour, followed for three."""
    return Operation(
        machine=VM,
        attempt=RUN,
        kind=kind,
        state=state,
        claimed=NOW,
        not_after=NOW + minutes(60),
        deadline=NOW + minutes(180),
        requested_by="someone",
        sent=None if state is State.CLAIMED else NOW,
    )
