"""A sandbox as seeds with the same fleet find it. Made before a seed's process is forked: its key takes long."""

import json
from datetime import datetime
from typing import Any

import msgspec

from infra.local.sandbox.catalogue import load_catalogue
from infra.local.sandbox.cloud import Sandbox
from infra.local.sandbox.config import SandboxConfig
from infra.local.sandbox.http import Request
from infra.local.sandbox.places import estate
from infra.local.sandbox.scripts import Script
from tests.simulation.clock import START, WorldClock
from tests.simulation.cloud import ORIGIN
from tests.simulation.plan import TEMPLATES
from tests.simulation.tables import TableAccount
from tests.simulation.wishes import Target

SPEEDS = (240.0, 480.0, 240.0, 120.0, 600.0, 240.0, 90.0, 480.0)
"""How much faster machines work than real ones: an installation of half an hour takes 3 to 20 seconds."""
SMALLEST_FLEET = 12
CROWDED = 4
"""In one fleet of so many all machines share one throttle."""
UNREACHABLE = frozenset({Script.POWERED_OFF, Script.DEALLOCATED, Script.DISCONNECTED, Script.CLUSTER_NODE})


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """Used once: what runs on it changes it."""

    clock: WorldClock
    sandbox: Sandbox
    token: str
    fleet: list[Target]
    tables: TableAccount | None = None
    """Rows that are there already."""


def make_template(number: int, start: datetime = START, fleet: int = 0) -> Template:
    """`fleet`: the seed of the machines where they are not those of the number."""
    speed = SPEEDS[number % len(SPEEDS)]
    machines, crowded = SMALLEST_FLEET + (fleet or number) % 3, number % CROWDED == 0
    seed = fleet or 1000 + number
    config = SandboxConfig(seed=seed, machines=machines, speed=speed, platform=False, crowded=crowded)
    return _template_of(config, WorldClock(start))


def _template_of(config: SandboxConfig, clock: WorldClock) -> Template:
    sandbox = Sandbox(config, clock=clock, catalogue=load_catalogue())
    fleet = json.loads(sandbox.handle(Request(method="GET", url=f"{ORIGIN}/sandbox/fleet")).body)
    regions = {place.group_id.lower(): place.location for place in estate(config.seed, crowded=config.crowded).places}
    targets = [_target(each, regions) for each in fleet]
    return Template(clock=clock, sandbox=sandbox, token=sandbox.owner_token(), fleet=targets)


def number_of(seed: int) -> int:
    return seed % TEMPLATES


def _target(machine: dict[str, Any], regions: dict[str, str]) -> Target:
    return Target(
        id=machine["id"],
        region=regions["/".join(machine["id"].lower().split("/")[:5])],
        os=machine["os"],
        is_vm=machine["kind"] == "AzureVM",
        script=machine["script"],
        reachable=machine["script"] not in UNREACHABLE,
        left_out=machine["expected_in_window"]["outcome"] == "Skipped",
        group=f"{machine['subscription']} {machine['availability_set']}" if machine["availability_set"] else "",
        domain=machine["update_domain"],
    )
