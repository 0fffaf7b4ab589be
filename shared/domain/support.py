"""Machines that Azure patches in no way, known by what they run. What is not in this table is not refused.

Source: Azure Update Manager documentation, "Unsupported workloads" (Windows clients, AKS nodes) and "Update Windows IoT
Enterprise" (which may be patched through Arc). Image publishers and offers as the marketplace names them.

Two things are unknown before Azure has answered, and therefore not here: whether a custom image is supported, which
only an operation shows; and the regions of Arc, for Azure publishes those that are supported, and adds to them.
"""

import re

from shared.domain.machine import Machine, OperatingSystem
from shared.domain.reason import Reason, reason

# Publishers of images, in lower case, and what the images are.
_PUBLISHERS = {
    "microsoftwindowsdesktop": "a Windows client",
    "microsoft-aks": "a node of Azure Kubernetes Service",
}
# What an Arc machine says of itself; "Windows Server 2012" and later have another word before the number.
_CLIENT = re.compile(r"windows (7|8|8\.1|10|11)\b", re.IGNORECASE)


def why_unsupported(machine: Machine) -> Reason | None:
    """Why Azure can patch nothing in this machine; None: it can, or nobody knows."""
    if machine.address.is_vm:
        what = _PUBLISHERS.get(machine.publisher.lower())
        return reason("UnsupportedSystem", f"{machine.os_name}: {what}") if what else None
    is_iot = machine.iot or "iot" in machine.os_name.lower()
    is_client = machine.os is OperatingSystem.WINDOWS and _CLIENT.search(machine.os_name)
    return reason("UnsupportedSystem", f"{machine.os_name}: a Windows client") if is_client and not is_iot else None
