"""A large fleet as an inventory and a year of patching leave it: 300 subscriptions, resource groups of every size."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle
from random import Random

import msgspec

from shared.domain.machine import Assessment, Installation, Kind, Machine, OperatingSystem, Outcome, Record
from shared.domain.reason import reason
from shared.domain.resource_id import ARC_TYPE, VM_TYPE, MachineId
from tests.domain.samples import NOW, RUN

SUBSCRIPTIONS = 300
GROUPS = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144)
"""Machines in a resource group, over and over: 34 on average."""

KINDS = (*[Kind.AZURE_VM] * 12, *[Kind.ARC] * 5, Kind.VMWARE, Kind.AWS, Kind.AZURE_LOCAL_VM)
REGIONS = ("westeurope", "northeurope", "germanywestcentral", "eastus", "japaneast")
RARE = 1000
"""One machine in so many carries the tag `canary`, anywhere."""


def fleet(count: int, seed: int = 1) -> Iterator[tuple[str, list[Record]]]:
    """Resource groups (`sub|rg`) with their machines, `count` in all."""
    random = Random(seed)
    subscriptions = [_guid(random) for _ in range(SUBSCRIPTIONS)]
    made = 0
    for number, (size, subscription) in enumerate(zip(cycle(GROUPS), cycle(subscriptions), strict=False)):
        if made >= count:
            return
        group = f"rg-{random.choice(('shop', 'erp', 'web', 'data', 'lab'))}-{number:05}"
        size = min(size, count - made)
        records = [_record(random, subscription, group, made + each) for each in range(size)]
        yield records[0].machine.address.scope, records
        made += size


def _record(random: Random, subscription: str, group: str, number: int) -> Record:
    kind, os = random.choice(KINDS), random.choice((OperatingSystem.WINDOWS, OperatingSystem.LINUX))
    address = MachineId(
        subscription=subscription,
        group=group,
        type=VM_TYPE if kind is Kind.AZURE_VM else ARC_TYPE,
        name=f"{os[:3].lower()}-{random.choice(('app', 'sql', 'web', 'job'))}-{number:06}",
    )
    reached = ("running", "deallocated") if address.is_vm else ("Connected", "Disconnected")
    machine = Machine(
        id=str(address),
        vm_id=_guid(random),
        name=address.name,
        kind=kind,
        os=os,
        os_name="Windows Server 2022 Datacenter" if os is OperatingSystem.WINDOWS else "Ubuntu 22.04",
        location=random.choice(REGIONS),
        tags=_tags(random, number),
        connection=random.choices(reached, (20, 1))[0],
    )
    return Record(machine=machine, assessment=_assessment(random), installation=_installation(random))


def _tags(random: Random, number: int) -> dict[str, str]:
    """Some shared by many, one shared by nobody, one that few have."""
    return {
        "Env": random.choices(("prod", "test", "dev"), (6, 3, 1))[0],
        "Owner": f"team-{random.randrange(200)}@contoso.com",
        "Application": f"app{random.randrange(500)}",
        "Asset": f"A{number:08}",
        **({"canary": "yes"} if number % RARE == RARE - 1 else {}),
    }


def _assessment(random: Random) -> Assessment:
    outcome = random.choices((Outcome.SUCCEEDED, Outcome.WARNINGS, Outcome.FAILED), (90, 5, 5))[0]
    started = NOW - timedelta(seconds=random.randrange(86400))
    return Assessment(
        id=_guid(random),
        outcome=outcome,
        started=started,
        ended=started + timedelta(seconds=random.randrange(30, 600)),
        counts={name: random.randrange(4) for name in ("critical", "security", "other") if random.random() < 0.5},
        reboot_pending=random.random() < 0.1,
        reason=reason("AssessmentFailed", "0x8024402C: no answer") if outcome is Outcome.FAILED else None,
        requested_by="periodic assessment",
    )


def _installation(random: Random) -> Installation | None:
    if random.random() < 0.4:
        return None
    ended = NOW - timedelta(seconds=random.randrange(30 * 86400))
    counts = {"installed": random.randrange(20), "failed": 0, "pending": 0, "excluded": 0, "notSelected": 3}
    return Installation(id=_guid(random), run=RUN, outcome=Outcome.SUCCEEDED, started=ended - timedelta(minutes=40),
                        ended=ended, counts=counts, reboot_status="Completed", requested_by="night shift")  # fmt: skip


def _guid(random: Random) -> str:
    return str(uuid.UUID(int=random.getrandbits(128)))


def texts(record: Record) -> dict[str, str]:
    """The properties of its row in the table `machines` that hold its parts."""
    parts = {"machine": record.machine, "assessment": record.assessment, "installation": record.installation}
    return {name: msgspec.json.encode(part).decode() for name, part in parts.items() if part}
