"""How long, and how much: every accepted request can be started, and can be kept."""

import json
import random
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from shared.domain.errors import RequestError
from shared.domain.installation import (
    DEFAULT_DURATION,
    LONGEST_REQUEST,
    InstallationRequest,
    read_installation,
    shortest,
)
from shared.domain.machine import OperatingSystem
from shared.domain.run import install_now, last_send, opens
from shared.domain.selection import LONGEST_ENTRY, LONGEST_LIST
from tests.domain.samples import NOW

WINDOWS, LINUX = OperatingSystem.WINDOWS, OperatingSystem.LINUX
LONGEST_TEXT = 32 * 1024
"""Characters in one property of Table Storage (64 KiB of UTF-16), where a run keeps its request."""


def accepted(
    system: OperatingSystem, parameters: dict[str, Any], *, duration: str | None = "PT2H", reboot: str = "Never"
) -> InstallationRequest | None:
    """The request as read for a VM; None when it is refused as a bad request."""
    block = "windowsParameters" if system is WINDOWS else "linuxParameters"
    length = {"maximumDuration": duration} if duration else {}
    body = {"rebootSetting": reboot, block: parameters, **length}
    try:
        return read_installation(json.dumps(body).encode(), system, is_vm=True)
    except RequestError as refused:
        if refused.status == 400:
            return None
        raise


def of_length(duration: str | None, system: OperatingSystem = WINDOWS, reboot: str = "Never") -> timedelta | None:
    request = accepted(system, {"classificationsToInclude": ["Security"]}, duration=duration, reboot=reboot)
    return request.maximum_duration if request else None


def kept(request: InstallationRequest) -> int:
    """Characters that a run of this request takes in its row."""
    return len(msgspec.json.encode(install_now("r", request, WINDOWS, "w", NOW)))


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("PT2H", timedelta(hours=2)),
        ("pt2h", timedelta(hours=2)),
        ("PT120M", timedelta(hours=2)),
        ("PT3H55M", timedelta(hours=3, minutes=55)),
        ("PT7200S", timedelta(hours=2)),
        ("P1D", LONGEST_REQUEST),
    ],
)
def test_durations(text: str, duration: timedelta) -> None:
    assert of_length(text) == duration


def test_a_vm_without_duration_gets_the_portals() -> None:
    assert of_length(None) == DEFAULT_DURATION == timedelta(hours=3, minutes=55)


@pytest.mark.parametrize(
    ("system", "reboot", "reserve"),
    [
        (WINDOWS, "IfRequired", 25),
        (WINDOWS, "Always", 25),
        (WINDOWS, "Never", 15),
        (LINUX, "IfRequired", 20),
        (LINUX, "Always", 20),
        (LINUX, "Never", 5),
    ],
)
def test_the_reserve_before_the_end(system: OperatingSystem, reboot: str, reserve: int) -> None:
    """Minutes for the smallest installation and a reboot, by Update Manager's documentation."""
    assert shortest(system, reboot) == timedelta(minutes=reserve)


@pytest.mark.parametrize("system", [WINDOWS, LINUX])
@pytest.mark.parametrize("reboot", ["IfRequired", "Never"])
def test_an_accepted_duration_leaves_time_to_start(system: OperatingSystem, reboot: str) -> None:
    """Whatever is answered with 202 can still be sent: the shortest accepted window is not over before it opens."""
    reserve = int(shortest(system, reboot).total_seconds())
    for seconds in range(121):
        request = accepted(
            system, {"classificationsToInclude": ["Security"]}, duration=f"PT{reserve + seconds}S", reboot=reboot
        )
        if request is not None:
            run = install_now("r", request, system, "w", NOW)
            assert opens(run) < last_send(run), f"accepted: {request.maximum_duration}"


@pytest.mark.parametrize("system", [WINDOWS, LINUX])
def test_a_list_of_ordinary_length_is_taken(system: OperatingSystem) -> None:
    """So that the two tests below are not met by refusing everything."""
    field = "patchNameMasksToInclude" if system is WINDOWS else "packageNameMasksToInclude"
    assert accepted(system, {field: [f"package-{number}*".replace("-", "") for number in range(50)]}) is not None


@pytest.mark.parametrize("system", [WINDOWS, LINUX])
def test_the_largest_accepted_request_fits_into_its_row(system: OperatingSystem) -> None:
    """Every list as long as it may be, every entry too; what is too much is refused, not stored half."""
    chance = random.Random(3)
    masks = ["".join(chance.choices("abcdef", k=LONGEST_ENTRY)) for _ in range(LONGEST_LIST)]
    kbs = [f"{10**9 + number}" for number in range(LONGEST_LIST)]
    if system is WINDOWS:
        names = {"patchNameMasksToInclude": masks, "patchNameMasksToExclude": masks}
        request = accepted(system, {"kbNumbersToInclude": kbs, "kbNumbersToExclude": kbs, **names})
    else:
        request = accepted(system, {"packageNameMasksToInclude": masks, "packageNameMasksToExclude": masks})
    assert request is None or kept(request) <= LONGEST_TEXT


def test_a_run_id_of_any_length_fits_or_is_refused() -> None:
    request = accepted(LINUX, {"classificationsToInclude": ["Other"], "maintenanceRunId": "x" * 200_000})
    assert request is None or kept(request) <= LONGEST_TEXT
