"""`prove fan-out`: how many assessments a second we start, beside a plain SDK loop and the Azure CLI in a loop."""

import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from infra.local.bootstrap import SetupFailed
from infra.local.fleet import Row
from infra.local.launch import Cloud, Options
from infra.local.stack import Stack
from shared.domain.resource_id import parse_machine_id
from tests.benchmarks.azure_cli import AzureCli, install
from tests.local.waiting import until
from tests.scenarios.city import City

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]

STARTS = 200
OPTIONS = Options(machines=600, seed=11, speed=200)
"""A tenth of a fleet is off, disconnected or a cluster's node, and half of it is assessed by Azure itself, to which the
app leaves it: so many that it drives 200 by its first plan."""

CLI_STARTS = 15
"""A sample: one call takes most of a second."""

DISTANCE_SECONDS = 0.3
"""An assumption: Azure publishes no figure for how long it takes to accept an assessment."""

WAIT_SECONDS = 180.0


class Owner:
    """The sandbox owner's token, as a credential of the SDKs."""

    def __init__(self, token: str) -> None:
        self._token = AccessToken(token, int(time.time()) + 3600)

    def get_token(self, *scopes: str, **options: object) -> AccessToken:
        return self._token


class Looped:
    """What an operator's script does: the SDKs' own call for one machine after the other, waiting for no end."""

    def __init__(self, cloud: Cloud, arm: str) -> None:
        self._owner = Owner(cloud.token)
        self._arm = arm
        self._verify = cloud.ca
        self._clients: dict[tuple[str, bool], Callable[..., object]] = {}

    def assess(self, machine: str) -> None:
        address = parse_machine_id(machine)
        key = (address.subscription, address.is_vm)
        if key not in self._clients:
            self._clients[key] = self._starter(*key)
        self._clients[key](address.group, address.name, polling=False)

    def _starter(self, subscription: str, is_vm: bool) -> Callable[..., object]:
        from azure.mgmt.compute import ComputeManagementClient
        from azure.mgmt.hybridcompute import HybridComputeManagementClient

        options: dict[str, Any] = {
            "credential_scopes": ["https://management.azure.com/.default"],
            "connection_verify": self._verify,
        }
        if is_vm:
            compute = ComputeManagementClient(self._owner, subscription, self._arm, **options)
            return compute.virtual_machines.begin_assess_patches
        hybrid = HybridComputeManagementClient(self._owner, subscription, self._arm, **options)
        return hybrid.machines.begin_assess_patches


def accepted(stack: Stack, after: int) -> list[dict[str, str]]:
    """The starts Azure accepted, with the instants at which it did."""
    entries: list[dict[str, str]] = stack.sandbox.get(f"/sandbox/journal?after={after}", list)
    return [each for each in entries if each["event"] == "operationAccepted" and each["principal"] != "platform"]


def sequence(stack: Stack) -> int:
    return len(stack.sandbox.get("/sandbox/journal?after=0", list))


def rate(stack: Stack, after: int, began: datetime, count: int) -> float:
    """Machines a second, from the beginning to the start that was accepted as number `count`."""
    took = datetime.fromisoformat(accepted(stack, after)[count - 1]["time"]) - began
    return count / took.total_seconds()


def idle(stack: Stack) -> bool:
    """Whether nothing runs in any machine."""
    entries: list[dict[str, str]] = stack.sandbox.get("/sandbox/journal?after=0", list)
    ended = {each["operation"] for each in entries if each["event"] == "operationEnded"}
    return all(each["operation"] in ended for each in entries if each["event"] == "operationAccepted")


def dispatched(stack: Stack) -> tuple[float, list[str]]:
    """Ours: one run of the planner's timer, in a host that has taken the inventory; and which machines it started."""
    stack.platform.post("/admin/functions/inventory_timer")
    assert until(lambda: len(list(stack.app.pages("/fleet/machines?$top=500", Row))) == OPTIONS.machines, WAIT_SECONDS)
    after, began = sequence(stack), datetime.now(UTC)
    stack.platform.post("/admin/functions/assessment_timer")
    assert until(lambda: len(accepted(stack, after)) >= STARTS, WAIT_SECONDS)
    started = [each["machine"] for each in accepted(stack, after)[:STARTS]]
    return rate(stack, after, began, STARTS), started


def looped(stack: Stack, machines: Sequence[str], assess: Callable[[str], None]) -> float:
    """One machine after the other, none of them busy."""
    assert until(lambda: idle(stack), WAIT_SECONDS)
    after, began = sequence(stack), datetime.now(UTC)
    for machine in machines:
        assess(machine)
    return rate(stack, after, began, len(machines))


def cli(stack: Stack, machines: Sequence[str], folder: Path) -> float | None:
    """None, and why, where the CLI cannot be had."""
    try:
        install()
        az = AzureCli(stack.cloud, folder)
    except (SetupFailed, OSError) as failure:
        say(f"the Azure CLI is not here and is left out: {failure}")
        return None
    return looped(stack, machines, lambda machine: az.run("vm", "assess-patches", "--no-wait", "--ids", machine))


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - the result


def test_fan_out(tmp_path: Path) -> None:
    """On loopback ARM answers in milliseconds: that flatters whoever waits for each answer."""
    with Stack.start(OPTIONS) as stack:
        ours, started = dispatched(stack)
        rates = {"our dispatch": (STARTS, ours)}
        rates["a plain SDK loop"] = (STARTS, looped(stack, started, Looped(stack.cloud, stack.cloud.arm).assess))
        sample = [machine for machine in started if parse_machine_id(machine).is_vm][:CLI_STARTS]
        if (measured := cli(stack, sample, tmp_path)) is not None:
            rates["az vm assess-patches --no-wait, in a loop"] = (CLI_STARTS, measured)
        report("ARM on loopback", rates)
        assert all(measured > 0 for _, measured in rates.values())


def test_fan_out_at_a_distance() -> None:
    with City.start(OPTIONS) as city:
        city.steps.distance = DISTANCE_SECONDS
        ours, started = dispatched(city)
        rates = {"our dispatch": (STARTS, ours)}
        rates["a plain SDK loop"] = (STARTS, looped(city, started, Looped(city.cloud, city.arm).assess))
        report(f"ARM takes {DISTANCE_SECONDS:.1f} s to answer a start", rates)
        assert rates["our dispatch"][1] > rates["a plain SDK loop"][1]


def report(where: str, rates: dict[str, tuple[int, float]]) -> None:
    ours = rates["our dispatch"][1]
    say(f"\n{where}:")
    for name, (count, measured) in rates.items():
        say(f"  {name:<44}{count:>5} machines {measured:>8.1f} a second   ours is {ours / measured:6.2f} times that")
