"""The last look at a machine before a run starts it: every reason, and what is no reason."""

import pytest
from msgspec.structs import replace

from shared.domain.machine import Identity, Kind, PatchSettings
from shared.domain.precondition import Current, why_left_alone, why_not_started
from tests.domain.samples import ARC, machine, record

VM = Current(machine=machine(connection="running"), agent="Ready")
SERVER = Current(machine=machine(ARC, kind=Kind.ARC, connection="Connected"))


def code(current: Current | None, vm_id: str = "v") -> str:
    why = why_not_started(current, record(), vm_id)
    return why.code if why else ""


def test_a_machine_that_is_fit() -> None:
    assert (code(VM), code(SERVER), code(replace(VM, agent="")), code(VM, "")) == ("", "", "", "")


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (None, "Deleted"),
        (replace(VM, machine=machine(connection="deallocated")), "PoweredOff"),
        (replace(SERVER, machine=machine(ARC, kind=Kind.ARC, connection="Disconnected")), "Disconnected"),
        (replace(SERVER, machine=machine(ARC, kind=Kind.AZURE_LOCAL_NODE)), "UpdatedThroughCluster"),
        (replace(VM, agent="Not Ready"), "AgentNotReady"),
        (replace(VM, extensions=False), "ExtensionsOff"),
        (replace(SERVER, extensions=False), "ExtensionsOff"),
        (replace(VM, machine=replace(VM.machine, vm_id="another")), "Recreated"),
    ],
)
def test_each_reason(current: Current | None, expected: str) -> None:
    assert code(current) == expected


def test_one_that_moved_is_said_to_have_moved() -> None:
    gone = replace(record(), identity=Identity(moved_to=ARC))
    why = why_not_started(None, gone, "v")
    assert why is not None
    assert (why.code, why.detail) == ("Moved", ARC)


@pytest.mark.parametrize(
    ("mode", "bypass", "expected"),
    [
        ("AutomaticByPlatform", False, "PatchedByPlatform"),
        ("automaticbyplatform", False, "PatchedByPlatform"),
        ("AutomaticByPlatform", True, ""),
        ("AutomaticByOS", False, ""),
        ("Manual", False, ""),
        ("ImageDefault", True, ""),
        ("", False, ""),
    ],
)
def test_the_matrix_of_patch_modes(mode: str, bypass: bool, expected: str) -> None:
    """Only where the platform itself patches; an Arc machine's mode is never asked."""
    settings = PatchSettings(patch_mode=mode, bypass_platform_safety_checks=bypass)
    why = why_left_alone(replace(machine(), settings=settings))
    assert (why.code if why else "") == expected
    assert why_left_alone(replace(machine(ARC, kind=Kind.ARC), settings=settings)) is None
