"""An Azure VM as Microsoft.Compute writes it: the model, the instance view, the short form of statusOnly."""

from datetime import datetime
from typing import Any

from infra.local.sandbox.config import azure_time
from infra.local.sandbox.http import Json
from infra.local.sandbox.machine import Machine, Spec
from infra.local.sandbox.results import patch_status
from infra.local.sandbox.systems import CLIENT_IMAGE, Image

_POWER = {"running": "VM running", "stopped": "VM stopped", "deallocated": "VM deallocated"}


def vm_model(machine: Machine) -> Json:
    """VirtualMachine, without the instance view."""
    spec = machine.spec
    body = {**_head(spec), "tags": dict(spec.tags), "properties": _properties(machine)}
    if spec.zone:
        body["zones"] = [spec.zone]
    return body


def vm_with_view(machine: Machine, now: datetime) -> Json:
    """VirtualMachine with `$expand=instanceView`."""
    body = vm_model(machine)
    return {**body, "properties": {**body["properties"], "instanceView": instance_view(machine, now)}}


def vm_status(machine: Machine, now: datetime) -> Json:
    """One item of a list with `statusOnly=true`: the run-time status of a machine and little else."""
    statuses = instance_view(machine, now)["statuses"]
    body = {"vmId": machine.spec.vm_id, "provisioningState": "Succeeded", "instanceView": {"statuses": statuses}}
    return {**_head(machine.spec), "properties": body}


def instance_view(machine: Machine, now: datetime) -> Json:
    """VirtualMachineInstanceView. A machine that is off has no agent, and Azure then names no system."""
    statuses = [
        _status("ProvisioningState/succeeded", "Provisioning succeeded", machine.spec.created),
        _status(f"PowerState/{machine.power}", _POWER[machine.power]),
    ]
    view: Json = {"hyperVGeneration": "V2", "isVMInStandbyPool": False, "disks": _disks(machine.spec)}
    if machine.spec.availability_set:
        view |= {"platformUpdateDomain": machine.spec.update_domain, "platformFaultDomain": 0}
    if machine.power == "running":
        view |= _inside(machine, now)
    patches = {**patch_status(machine.assessment, machine.installation), "configurationStatuses": _configured(machine)}
    return {**view, "patchStatus": patches, "statuses": statuses}


def _head(spec: Spec) -> Json:
    return {"id": spec.id, "name": spec.name, "type": spec.type, "location": spec.place.location}


def _properties(machine: Machine) -> Json:
    spec = machine.spec
    properties: Json = {
        "vmId": spec.vm_id,
        "hardwareProfile": {"vmSize": spec.size},
        "storageProfile": _storage(spec, runs_server=machine.runs_server),
        "osProfile": {**_os_profile(spec), "allowExtensionOperations": machine.takes_extensions},
        "networkProfile": {"networkInterfaces": [{"id": _sibling(spec, "Microsoft.Network/networkInterfaces", "nic")}]},
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
        "provisioningState": "Succeeded",
        "timeCreated": azure_time(spec.created),
    }
    if spec.availability_set:
        sets = f"{spec.place.group_id}/providers/Microsoft.Compute/availabilitySets/{spec.availability_set}"
        properties["availabilitySet"] = {"id": sets}
    return properties


def _storage(spec: Spec, *, runs_server: bool) -> Json:
    disk = {"id": _sibling(spec, "Microsoft.Compute/disks", "OsDisk"), "storageAccountType": "Premium_LRS"}
    return {
        "imageReference": _image(spec, spec.system.image if runs_server else CLIENT_IMAGE),
        "osDisk": {
            "osType": spec.system.os,
            "name": f"{spec.name}_OsDisk",
            "createOption": "FromImage",
            "caching": "ReadWrite",
            "managedDisk": disk,
            "deleteOption": "Delete",
            "diskSizeGB": 127 if spec.system.os == "Windows" else 30,
        },
        "dataDisks": [],
    }


def _image(spec: Spec, image: Image | None) -> Json:
    if image is None:
        return {"id": f"{spec.place.group_id}/providers/Microsoft.Compute/images/{spec.system.key}"}
    return {
        "publisher": image.publisher,
        "offer": image.offer,
        "sku": image.sku,
        "version": "latest",
        "exactVersion": "20.0.20260512",
    }


def _os_profile(spec: Spec) -> Json:
    profile: Json = {"computerName": spec.name[:15], "adminUsername": "azureuser", "secrets": []}
    patches: Json = {"patchMode": spec.settings.mode, "assessmentMode": spec.settings.assessment}
    if spec.settings.mode == "AutomaticByPlatform":
        bypass = {"bypassPlatformSafetyChecksOnUserSchedule": spec.settings.bypass}
        patches["automaticByPlatformSettings"] = {"rebootSetting": "IfRequired", **bypass}
    if spec.system.os == "Windows":
        patches["enableHotpatching"] = spec.settings.hotpatching
        automatic = spec.settings.mode != "Manual"
        windows = {"provisionVMAgent": True, "enableAutomaticUpdates": automatic, "patchSettings": patches}
        return {**profile, "windowsConfiguration": windows}
    linux = {"disablePasswordAuthentication": True, "provisionVMAgent": True, "patchSettings": patches}
    return {**profile, "linuxConfiguration": linux}


def _inside(machine: Machine, now: datetime) -> Json:
    system = machine.spec.system
    agent = "2.7.41491.1137" if system.os == "Windows" else "2.11.1.4"
    ready = {**_status("ProvisioningState/succeeded", "Ready", now), "message": "Guest Agent is running"}
    if not machine.agent_answers:
        said = "VM status blob is found but not yet populated."
        ready = {**_status("ProvisioningState/Unavailable", "Not Ready", now), "message": said}
    return {
        "computerName": machine.spec.name[:15],
        "osName": system.name,
        "osVersion": system.version,
        "vmAgent": {"vmAgentVersion": agent, "statuses": [ready], "extensionHandlers": []},
    }


def _configured(machine: Machine) -> list[Any]:
    """Whether the patch and assessment modes of the model are in force."""
    words = (("PatchModeConfigurationState", "Ready"), ("AssessmentModeConfigurationState", "Ready"))
    made = machine.spec.created
    return [_status(f"{name}/{state}", f"Status_{name}_{state}", made) for name, state in words]


def _disks(spec: Spec) -> list[Any]:
    status = _status("ProvisioningState/succeeded", "Provisioning succeeded", spec.created)
    return [{"name": f"{spec.name}_OsDisk", "statuses": [status]}]


def _status(code: str, display: str, time: datetime | None = None) -> Json:
    status: Json = {"code": code, "level": "Info", "displayStatus": display}
    return {**status, "time": azure_time(time)} if time else status


def _sibling(spec: Spec, type_: str, suffix: str) -> str:
    return f"{spec.place.group_id}/providers/{type_}/{spec.name}_{suffix}"
