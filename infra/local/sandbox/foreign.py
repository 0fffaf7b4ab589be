"""Operations that nobody here asked for: another tool or person starts them on a machine of the fleet."""

from datetime import datetime

from infra.local.sandbox.fault import Fault
from infra.local.sandbox.http import Refusal
from infra.local.sandbox.machine import Machine
from infra.local.sandbox.state import State


def begin_foreign(state: State, fault: Fault, now: datetime) -> None:
    """Starts one on the machine of the fault. Raises Refusal 404 or 409: unknown, unreachable or busy."""
    machine = state.addressed(fault.machine)
    ensure_reachable(machine)
    state.operations.start_foreign(machine, fault, now)
    state.faults.strike(fault, machine.spec.id, now)


def draw_foreign(state: State, now: datetime) -> None:
    """Starts the one that the seed has drawn, if it has."""
    fault = state.faults.drawn_foreign()
    if fault is None:
        return
    try:
        begin_foreign(state, fault, now)
    except Refusal:
        return  # the machine is off or busy: others are refused there as we are, and nothing has happened


def ensure_reachable(machine: Machine) -> None:
    """A VM that is off: Compute's OperationNotAllowed.

    For a disconnected Arc machine Azure's pages name neither status nor code: 409 with a plain code is our choice.
    """
    name = machine.spec.name
    if not machine.spec.is_arc and machine.power != "running":
        message = f"Cannot perform the patch operation on VM '{name}' because the VM is not running."
        raise Refusal(409, "OperationNotAllowed", message, name)
    if machine.spec.is_arc and machine.connection != "Connected":
        message = f"The machine '{name}' is not connected to Azure Arc (status '{machine.connection}')."
        raise Refusal(409, "MachineNotConnected", message, name)
