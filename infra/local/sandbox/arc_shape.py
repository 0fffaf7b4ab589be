"""An Arc machine as Microsoft.HybridCompute writes it."""

from infra.local.sandbox.config import azure_time, seeded_guid
from infra.local.sandbox.http import Json
from infra.local.sandbox.machine import Machine, Spec
from infra.local.sandbox.systems import System

_PROVIDERS = {"AWS": "AWS", "GCP": "GCP", "VMware": "N/A", "AVS": "N/A", "SCVMM": "N/A"}
_HARDWARE = {
    "AWS": ("Amazon EC2", "m6i.large"),
    "GCP": ("Google", "Google Compute Engine"),
    "VMware": ("VMware, Inc.", "VMware20,1"),
    "AVS": ("VMware, Inc.", "VMware20,1"),
    "Arc": ("Dell Inc.", "PowerEdge R650"),
    "AzureLocalNode": ("Dell Inc.", "AX-650"),
}
_ARC_KINDS = {"AzureLocalNode": "HCI", "Arc": ""}
"""Arc's `kind` where it is not our own word: a node of an Azure Local cluster carries HCI as its VMs do."""


def arc_model(machine: Machine) -> Json:
    """Machine. `kind` is absent for a plain server, as Azure leaves it out."""
    spec = machine.spec
    kind = _ARC_KINDS.get(spec.kind, spec.kind)
    return {
        "id": spec.id,
        "name": spec.name,
        "type": spec.type,
        "location": spec.place.location,
        "tags": dict(spec.tags),
        **({"kind": kind} if kind else {}),
        "identity": {
            "type": "SystemAssigned",
            "principalId": _guid(spec, "principal"),
            "tenantId": _guid(spec, "tenant"),
        },
        "properties": _properties(machine),
    }


def _properties(machine: Machine) -> Json:
    spec = machine.spec
    system = spec.system
    return {
        "vmId": spec.vm_id,
        "vmUuid": _guid(spec, "uuid"),
        "status": machine.connection,
        "lastStatusChange": azure_time(spec.created),
        "provisioningState": "Succeeded",
        "displayName": spec.name,
        "machineFqdn": f"{spec.name.lower()}.contoso.example",
        "dnsFqdn": f"{spec.name.lower()}.contoso.example",
        "domainName": "contoso.example",
        **(_system(system) if machine.tells_system else {}),
        "osProfile": _os_profile(spec),
        "agentVersion": "1.52.03014.2594",
        "agentConfiguration": _agent(),
        "locationData": {"name": spec.site},
        "mssqlDiscovered": "true" if system.key.startswith("sql-server") else "false",
        "detectedProperties": _detected(spec),
        "cloudMetadata": {"provider": _PROVIDERS.get(spec.kind, "N/A")},
        **_cluster(spec),
        **_licence(spec),
    }


def _system(system: System) -> Json:
    return {
        "osType": system.os.lower(),
        "osName": system.os.lower() if system.os == "Windows" else system.name,
        "osVersion": system.version,
        "osSku": system.sku or f"{system.name} {system.version}",
    }


def _os_profile(spec: Spec) -> Json:
    patches: Json = {"patchMode": spec.settings.mode, "assessmentMode": spec.settings.assessment}
    block = "linuxConfiguration"
    if spec.system.os == "Windows":
        block = "windowsConfiguration"
        patches["enableHotpatching"] = spec.settings.hotpatching
    return {"computerName": spec.name, block: {"patchSettings": patches}}


def _agent() -> Json:
    return {
        "incomingConnectionsPorts": [],
        "proxyBypass": [],
        "extensionsAllowList": [],
        "extensionsBlockList": [],
        "extensionsEnabled": "true",
        "guestConfigurationEnabled": "true",
        "configMode": "full",
    }


def _detected(spec: Spec) -> Json:
    maker, model = _HARDWARE.get(spec.kind, ("Microsoft Corporation", "Virtual Machine"))
    return {"cloudprovider": _PROVIDERS.get(spec.kind, "N/A"), "manufacturer": maker, "model": model}


def _cluster(spec: Spec) -> Json:
    """A node names the Azure Local cluster it belongs to; a VM on such a cluster does not."""
    if spec.kind != "AzureLocalNode":
        return {}
    return {"parentClusterResourceId": f"{spec.place.group_id}/providers/Microsoft.AzureStackHCI/clusters/azl-01"}


def _licence(spec: Spec) -> Json:
    if spec.system.os != "Windows":
        return {}
    product = "WindowsIoTEnterprise" if spec.system.key == "windows-10-iot" else "WindowsServer"
    profile = {"productType": product, "subscriptionStatus": "Enabled"}
    return {"licenseProfile": {"licenseStatus": "Licensed", "licenseChannel": "PGS:TB", "productProfile": profile}}


def _guid(spec: Spec, word: str) -> str:
    return seeded_guid(0, spec.vm_id, word)
