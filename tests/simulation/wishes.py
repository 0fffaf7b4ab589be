"""What clients ask for over HTTP: bodies with the request that Azure must then see, written out by hand."""

import json
from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

import msgspec

Body = dict[str, Any]

_USEFUL = {"Windows": 15, "Linux": 5}
_REBOOT = {"Windows": 10, "Linux": 15}
"""Minutes between the cut-off and the window's end; Update Manager documentation, "scheduled patching"."""

_WINDOWS: tuple[tuple[Body, Body], ...] = (
    ({"classificationsToInclude": ["Security", "Critical"]}, {"classificationsToInclude": ["Security", "Critical"]}),
    (
        {"classificationsToInclude": ["Security Updates", "updaterollups"], "kbNumbersToExclude": ["KB5034439"]},
        {"classificationsToInclude": ["Security", "UpdateRollUp"], "kbNumbersToExclude": ["5034439"]},
    ),
    (
        {"kbNumbersToInclude": ["KB5042881", "5042881", "5043050"], "excludeKbsRequiringReboot": True},
        {"kbNumbersToInclude": ["5042881", "5043050"], "excludeKbsRequiringReboot": True},
    ),
    (
        {"classificationsToInclude": ["Critical", "Security", "UpdateRollUp", "FeaturePack", "ServicePack",
                                      "Definition", "Tools", "Updates"]},
        {"classificationsToInclude": ["Critical", "Security", "UpdateRollUp", "FeaturePack", "ServicePack",
                                      "Definition", "Tools", "Updates"]},
    ),
)  # fmt: skip
_LINUX: tuple[tuple[Body, Body], ...] = (
    ({"classificationsToInclude": ["Security"]}, {"classificationsToInclude": ["Critical", "Security"]}),
    (
        {"classificationsToInclude": ["critical", "security", "others"], "packageNameMasksToExclude": ["linux-*"]},
        {"classificationsToInclude": ["Critical", "Security", "Other"], "packageNameMasksToExclude": ["linux-*"]},
    ),
    ({"packageNameMasksToInclude": ["openssl*", "curl"]}, {"packageNameMasksToInclude": ["openssl*", "curl"]}),
)
_REBOOTS = (("IfRequired", "IfRequired"), ("never", "Never"), ("AlwaysReboot", "Always"))


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A machine of the fleet as the simulation knows it; `reachable` by the sandbox's script."""

    id: str
    region: str
    os: str
    is_vm: bool
    script: str
    reachable: bool
    left_out: bool = False  # no window may start it
    group: str = ""  # availability set
    domain: int | None = None  # update domain in it

    @property
    def subscription(self) -> str:
        return self.id.split("/")[2].lower()

    @property
    def name(self) -> str:
        """In lower case."""
        return self.id.rpartition("/")[2].lower()


class Wish(msgspec.Struct, kw_only=True):
    """One thing that a client wants, and what became of it. It is asked again, under the same request id, when no
    clear answer came."""

    machine: Target
    verb: str
    request_id: str
    at: float
    body: bytes = b""
    expected: Body = {}
    window: timedelta = timedelta()
    reserve: timedelta = timedelta()
    asked: list[float] = []
    accepted: list[str] = []  # the attempts that 202s named
    tries: int = 0


def draw_wishes(random: Random, fleet: list[Target], within: float) -> list[Wish]:
    """A handful of requests, spread over the time given; about one in four is sent twice at once."""
    wishes = []
    for _ in range(random.randint(4, 8)):
        wishes.append(_installation(random, random.choice(fleet), _instant(random, within)))
    for _ in range(random.randint(2, 5)):
        wishes.append(_assessment(random, random.choice(fleet), _instant(random, within)))
    return wishes


def _instant(random: Random, within: float) -> float:
    """Some of them meet at the same moment."""
    return random.choice((40.0, 60.0, 95.0)) if random.random() < 0.3 else random.uniform(20.0, within)


def _assessment(random: Random, machine: Target, at: float) -> Wish:
    return Wish(machine=machine, verb="assessPatches", request_id=_request_id(random), at=at)


def _installation(random: Random, machine: Target, at: float) -> Wish:
    given, expected = random.choice(_WINDOWS if machine.os == "Windows" else _LINUX)
    said, setting = random.choice(_REBOOTS)
    reserve = _USEFUL[machine.os] + (0 if setting == "Never" else _REBOOT[machine.os])
    minutes = reserve + random.choice((1, 2, 5, 20, 60))
    block = "windowsParameters" if machine.os == "Windows" else "linuxParameters"
    body = {"maximumDuration": f"PT{minutes}M", "rebootSetting": said, block: given}
    return Wish(
        machine=machine,
        verb="installPatches",
        request_id=_request_id(random),
        at=at,
        body=json.dumps(body).encode(),
        expected={"rebootSetting": setting, block: expected},
        window=timedelta(minutes=minutes),
        reserve=timedelta(minutes=reserve),
    )


def _request_id(random: Random) -> str:
    return f"client-{random.getrandbits(48):012x}"


def some(random: Random, machines: Sequence[Target], share: float) -> list[Target]:
    """One of them, or none."""
    return [random.choice(machines)] if machines and random.random() < share else []
