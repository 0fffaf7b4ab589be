"""Machines as Azure knows them: by the direct listings of both kinds, the truth, or by Resource Graph, which lags."""

from collections.abc import Iterator, Sequence
from typing import Any

from shared.cloud import graph
from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError, reading
from shared.cloud.paging import items
from shared.domain.machine import Kind, Machine, OperatingSystem, PatchSettings, kept_tags
from shared.domain.precondition import Current
from shared.domain.resource_id import ARC_TYPE, VM_TYPE, MachineId, machine_id

SUBSCRIPTIONS_VERSION = "2022-12-01"
_KINDS = {kind.value.lower(): kind for kind in Kind}
_SYSTEMS = {system.value.lower(): system for system in OperatingSystem}
# What of a machine's body is asked of Resource Graph: all that a Machine is made of, and no more, for a page of 1,000
# whole bodies is some megabytes.
_WHOLE = ("id", "name", "type", "kind", "location", "tags", "zones")
_MEMBERS = (
    "properties.vmId",
    "properties.storageProfile.imageReference",
    "properties.storageProfile.osDisk.osType",
    "properties.osProfile.windowsConfiguration.patchSettings",
    "properties.osProfile.linuxConfiguration.patchSettings",
    "properties.extended.instanceView.powerState.code",
    "properties.status",
    "properties.osType",
    "properties.osName",
    "properties.osSku",
    "properties.mssqlDiscovered",
    "properties.parentClusterResourceId",
    "properties.availabilitySet.id",
    "properties.licenseProfile.productProfile.productType",
)
_COLUMNS = ", ".join([*_WHOLE, *(f"m{number} = {path}" for number, path in enumerate(_MEMBERS))])
_POWER_COLUMN = f"m{_MEMBERS.index('properties.extended.instanceView.powerState.code')}"
_PLACES = tuple((f"m{number}", path.split(".")) for number, path in enumerate(_MEMBERS))
_GONE = frozenset({"ResourceNotFound", "ResourceGroupNotFound"})


def subscriptions(azure: Azure) -> list[str]:
    """Ids of every enabled subscription that the identity sees. Raises CloudError."""
    every = items(azure, f"{azure.endpoint}/subscriptions?api-version={SUBSCRIPTIONS_VERSION}")
    return [str(each["subscriptionId"]).lower() for each in every if each.get("state") in (None, "Enabled")]


def machines(azure: Azure, subscription: str) -> Iterator[Machine]:
    """Every VM and Arc machine of a subscription. Raises CloudError."""
    with reading():
        power = {str(vm.id).lower(): _power(vm.as_dict()) for vm in _vms(azure, subscription, status_only="true")}
        for vm in _vms(azure, subscription):
            yield vm_machine(vm.as_dict(), power.get(str(vm.id).lower(), ""))
        for arc in azure.hybrid(subscription).machines.list_by_subscription():
            yield arc_machine(arc.as_dict())


def sweep(azure: Azure, subscriptions: Sequence[str]) -> Iterator[Machine]:
    """Every VM and Arc machine of these subscriptions that Resource Graph names, 1,000 a query. Raises CloudError.

    It lags, and leaves out what the identity may not read.
    """
    types = ", ".join(f"'{each.lower()}'" for each in (VM_TYPE, ARC_TYPE))
    for row in graph.query(azure, subscriptions, f"resources | where type in~ ({types})", _COLUMNS):
        body = _body(row)
        if str(row["type"]).lower() == ARC_TYPE.lower():
            yield arc_machine(body)
        else:
            code = str(row[_POWER_COLUMN] or "")
            yield vm_machine(body, code.partition("/")[2])


def at_this_moment(azure: Azure, address: MachineId) -> Current | None:
    """The machine that is at this address, by ARM itself; None when there is none. Raises CloudError."""
    try:
        with reading():
            if address.is_vm:
                compute = azure.compute(address.subscription).virtual_machines
                found = compute.get(address.group, address.name, expand="instanceView").as_dict()
            else:
                found = azure.hybrid(address.subscription).machines.get(address.group, address.name).as_dict()
    except CloudError as error:
        if error.status == 404 and error.code in _GONE:
            return None
        raise
    return _current_vm(found) if address.is_vm else _current_arc(found)


def _current_vm(body: dict[str, Any]) -> Current:
    properties = body.get("properties") or {}
    view = properties.get("instanceView") or {}
    statuses = (view.get("vmAgent") or {}).get("statuses") or []
    allowed = (properties.get("osProfile") or {}).get("allowExtensionOperations")
    domain = view.get("platformUpdateDomain")
    return Current(
        machine=vm_machine(body, _power(body)),
        agent=str(statuses[0].get("displayStatus") or "") if statuses else "",
        extensions=allowed is not False,
        update_domain=None if domain is None else int(domain),
    )


def _current_arc(body: dict[str, Any]) -> Current:
    agent = (body.get("properties") or {}).get("agentConfiguration") or {}
    allowed = str(agent.get("extensionsEnabled", "true")).lower() != "false"
    return Current(machine=arc_machine(body), extensions=allowed and agent.get("configMode") != "monitor")


def identity_at(azure: Azure, address: MachineId) -> str | None:
    """The vmId of the machine that is at this address now, "" when Azure tells none; None when there is no machine.

    Raises CloudError.
    """
    try:
        with reading():
            if address.is_vm:
                found = azure.compute(address.subscription).virtual_machines.get(address.group, address.name).as_dict()
            else:
                found = azure.hybrid(address.subscription).machines.get(address.group, address.name).as_dict()
    except CloudError as error:
        if error.status == 404 and error.code in _GONE:
            return None
        raise
    return str((found.get("properties") or {}).get("vmId") or "")


def _body(row: dict[str, Any]) -> dict[str, Any]:
    """The row as the ARM body it was taken from."""
    body: dict[str, Any] = {name: row.get(name) for name in _WHOLE}
    for column, (*folders, last) in _PLACES:
        value = row.get(column)
        if value is None:
            continue
        place = body
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = value
    return body


def _vms(azure: Azure, subscription: str, **options: str) -> Any:  # noqa: ANN401 - the SDK's own paging type
    return azure.compute(subscription).virtual_machines.list_all(**options)


def vm_machine(body: dict[str, Any], power: str) -> Machine:
    """A VM from its ARM body and its power state."""
    properties = body.get("properties") or {}
    storage = properties.get("storageProfile") or {}
    image, disk = storage.get("imageReference") or {}, storage.get("osDisk") or {}
    tags, left_out = _tags(body)
    return Machine(
        id=_id(body, VM_TYPE),
        vm_id=str(properties.get("vmId") or ""),
        name=str(body["name"]),
        kind=Kind.AZURE_VM,
        os=_system(disk.get("osType")),
        publisher=str(image.get("publisher") or ""),
        os_name=" ".join(str(image[part]) for part in ("offer", "sku") if image.get(part)),
        location=str(body.get("location") or ""),
        tags=tags,
        tags_left_out=left_out,
        connection=power,
        sql=str(image.get("publisher") or "").lower() == "microsoftsqlserver",
        zone=str((body.get("zones") or [""])[0]),
        availability_set=str((properties.get("availabilitySet") or {}).get("id") or ""),
        settings=_settings(properties.get("osProfile") or {}),
    )


def arc_machine(body: dict[str, Any]) -> Machine:
    """An Arc machine from its ARM body."""
    properties = body.get("properties") or {}
    kind = _KINDS.get(str(body.get("kind") or "").lower(), Kind.ARC)
    if kind is Kind.AZURE_LOCAL_VM and properties.get("parentClusterResourceId"):
        kind = Kind.AZURE_LOCAL_NODE
    product = ((properties.get("licenseProfile") or {}).get("productProfile") or {}).get("productType")
    tags, left_out = _tags(body)
    return Machine(
        id=_id(body, ARC_TYPE),
        vm_id=str(properties.get("vmId") or ""),
        name=str(body["name"]),
        kind=kind,
        os=_system(properties.get("osType") or properties.get("osName")),
        os_name=str(properties.get("osSku") or properties.get("osName") or ""),
        location=str(body.get("location") or ""),
        tags=tags,
        tags_left_out=left_out,
        connection=str(properties.get("status") or ""),
        sql=str(properties.get("mssqlDiscovered") or "").lower() == "true",
        iot=product == "WindowsIoTEnterprise",
        settings=_settings(properties.get("osProfile") or {}),
    )


def _id(body: dict[str, Any], kind: str) -> str:
    parts = str(body["id"]).split("/")
    provider, _, name = kind.partition("/")
    return str(machine_id(parts[2], parts[4], provider, name, parts[8]))


def _tags(body: dict[str, Any]) -> tuple[dict[str, str], int]:
    """Those that are kept, and how many are not."""
    every = body.get("tags") or {}
    kept = kept_tags(every)
    return kept, len(every) - len(kept)


def _system(text: object) -> OperatingSystem:
    return _SYSTEMS.get(str(text).lower(), OperatingSystem.UNKNOWN)


def _power(body: dict[str, Any]) -> str:
    view = (body.get("properties") or {}).get("instanceView") or body.get("instanceView") or {}
    codes = [str(status.get("code", "")) for status in view.get("statuses") or []]
    return next((code.partition("/")[2] for code in codes if code.startswith("PowerState/")), "")


def _settings(profile: dict[str, Any]) -> PatchSettings:
    system = profile.get("windowsConfiguration") or profile.get("linuxConfiguration") or {}
    settings = system.get("patchSettings") or {}
    platform = settings.get("automaticByPlatformSettings") or {}
    return PatchSettings(
        patch_mode=str(settings.get("patchMode") or ""),
        assessment_mode=str(settings.get("assessmentMode") or ""),
        bypass_platform_safety_checks=bool(platform.get("bypassPlatformSafetyChecksOnUserSchedule")),
        hotpatching=bool(settings.get("enableHotpatching")),
    )
