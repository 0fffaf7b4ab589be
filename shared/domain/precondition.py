"""Whether a machine may be started in a maintenance run, judged by what Azure says of it at that moment.

Where Azure itself would also patch a machine, the app does not (design, "not alone").
"""

import msgspec

from shared.domain.machine import Kind, Machine, Record, unreachable
from shared.domain.reason import Reason, reason
from shared.domain.support import why_unsupported

_PLATFORM = "automaticbyplatform"


class Current(msgspec.Struct, frozen=True, kw_only=True):
    """A machine of this moment. `agent` is Azure's word for a VM's guest agent, empty where it says none."""

    machine: Machine
    agent: str = ""
    extensions: bool = True
    update_domain: int | None = None


def why_left_alone(machine: Machine) -> Reason | None:
    """Why a run does not patch such a machine, whatever state it is in."""
    if machine.kind is Kind.AZURE_LOCAL_NODE:
        return reason("UpdatedThroughCluster")
    settings = machine.settings
    if (
        machine.address.is_vm
        and settings.patch_mode.lower() == _PLATFORM
        and not settings.bypass_platform_safety_checks
    ):
        return reason("PatchedByPlatform", f"patchMode {settings.patch_mode}, bypass false")
    return why_unsupported(machine)


def why_not_started(current: Current | None, known: Record, vm_id: str) -> Reason | None:
    """Why nothing is started on a machine now; None: it may be.

    `known`: what the inventory remembers of it; `vm_id`: of the machine that the run chose.

    Source of the matrix of patch modes: Update Manager documentation, "prerequisites for scheduled patching".
    """
    if current is None:
        moved = known.identity.moved_to
        return reason("Moved", moved) if moved else reason("Deleted")
    machine = current.machine
    if machine.vm_id and vm_id and machine.vm_id.lower() != vm_id.lower():
        return reason("Recreated", vm_id)
    alone = why_left_alone(machine) or unreachable(machine)
    if alone:
        return alone
    if not current.extensions:
        return reason("ExtensionsOff")
    if machine.address.is_vm and current.agent and current.agent.lower() != "ready":
        return reason("AgentNotReady", current.agent)
    return None
