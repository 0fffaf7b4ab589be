"""Machines that Azure cannot patch, and those that only look so."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.domain.assessment import plan_assessment
from shared.domain.fleet import status_of
from shared.domain.machine import Kind, Machine, OperatingSystem
from shared.domain.precondition import why_left_alone
from shared.domain.support import why_unsupported
from tests.domain.samples import ARC, NOW, machine, record


def vm(publisher: str, name: str = "offer sku") -> Machine:
    return replace(machine(connection="running"), publisher=publisher, os_name=name)


def arc(name: str, *, iot: bool = False, system: OperatingSystem = OperatingSystem.WINDOWS) -> Machine:
    return replace(machine(ARC, kind=Kind.ARC, os=system, connection="Connected"), os_name=name, iot=iot)


@pytest.mark.parametrize(
    ("of", "detail"),
    [
        (vm("MicrosoftWindowsDesktop", "Windows-11 win11-23h2-ent"), "Windows-11 win11-23h2-ent: a Windows client"),
        (vm("microsoft-aks", "aks x"), "aks x: a node of Azure Kubernetes Service"),
        (arc("Windows 10 Pro"), "Windows 10 Pro: a Windows client"),
        (arc("Microsoft Windows 11 Enterprise"), "Microsoft Windows 11 Enterprise: a Windows client"),
    ],
)
def test_what_azure_cannot_patch(of: Machine, detail: str) -> None:
    why = why_unsupported(of)
    assert why is not None
    assert (why.code, why.detail) == ("UnsupportedSystem", detail)
    assert why_left_alone(of) == why
    due = plan_assessment(record(of), timedelta(hours=24), NOW)
    assert (due.due, due.reason) == (False, why)
    assert status_of(record(of))[1] == why


@pytest.mark.parametrize(
    "of",
    [
        vm("MicrosoftWindowsServer", "WindowsServer 2022-datacenter"),
        vm("", ""),
        vm("somebody", "windows-11-hardened x"),
        arc("Windows Server 2019 Datacenter"),
        arc("Windows Server 2012 R2"),
        arc("Windows 10 IoT Enterprise LTSC"),
        arc("Windows 10 Enterprise LTSC 2021", iot=True),
        arc("ubuntu 22.04", system=OperatingSystem.LINUX),
        arc("Windows 100"),
        arc(""),
    ],
)
def test_what_is_not_known_to_be_unsupported_is_not_refused(of: Machine) -> None:
    assert why_unsupported(of) is None
