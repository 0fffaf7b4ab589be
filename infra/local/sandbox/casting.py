"""Who is in the fleet: which kind and system each machine has, and which of them play a script."""

from collections.abc import Sequence
from random import Random

import msgspec

from infra.local.sandbox.scripts import Script
from infra.local.sandbox.systems import SYSTEMS, System


class Part(msgspec.Struct, frozen=True):
    """One machine to be made."""

    kind: str
    system: System
    script: Script
    pilot: bool | None = None
    """Whether it is in the pilot ring; None leaves it to chance."""

    @property
    def is_arc(self) -> bool:
        return self.kind != "AzureVM"


# Thirty machines of every kind that Update Manager tells apart; a fleet goes round it, so small fleets stay mixed.
_ROUND = (
    ("AzureVM", "windows-server-2022"),
    ("AzureVM", "almalinux-9"),
    ("Arc", "debian-12"),
    ("VMware", "windows-server-2019"),
    ("AzureVM", "debian-12"),
    ("Arc", "windows-server-2022"),
    ("AzureLocalNode", "windows-server-2025"),
    ("AzureVM", "sql-server-2022"),
    ("AWS", "almalinux-8"),
    ("AzureVM", "windows-server-2019"),
    ("HCI", "windows-server-2025"),
    ("GCP", "debian-12"),
    ("AzureVM", "ubuntu-22.04"),
    ("AzureVM", "windows-server-2025"),
    ("SCVMM", "windows-server-2016"),
    ("Arc", "sql-server-2019"),
    ("AVS", "almalinux-9"),
    ("AzureVM", "almalinux-8"),
    ("Arc", "windows-10-iot"),
    ("AzureVM", "sql-server-2019"),
    ("AWS", "windows-server-2019"),
    ("AzureVM", "debian-12"),
    ("VMware", "almalinux-9"),
    ("AzureVM", "windows-server-2016"),
    ("Arc", "almalinux-10"),
    ("AzureVM", "ubuntu-24.04"),
    ("GCP", "windows-server-2022"),
    ("AzureVM", "windows-server-2022"),
    ("Arc", "ubuntu-20.04"),
    ("AzureVM", "almalinux-9"),
)

# In the order in which a small fleet gets them.
_SCRIPTED = (
    Script.POWERED_OFF,
    Script.INSTALLATION_FAILS,
    Script.DISCONNECTED,
    Script.REBOOT_LEFT,
    Script.SLOW,
    Script.BUSY,
    Script.ASSESSMENT_FAILS,
    Script.WINDOW_EXCEEDED,
    Script.DEALLOCATED,
)

MACHINES_PER_SCRIPT = 30
"""One machine of each script for so many machines of the fleet, rounded, and one at least."""


def cast(count: int, random: Random) -> list[Part]:
    """`count` parts; at most half of them scripted. Every other machine of a script is in the pilot ring."""
    parts = [_part(*_ROUND[position % len(_ROUND)]) for position in range(count)]
    free = [position for position, part in enumerate(parts) if part.script is Script.HEALTHY]
    random.shuffle(free)
    for turn, script in enumerate(_scripts(count)):
        chosen = _choose(parts, free, script, windows=turn % 2 == 0)
        if chosen is not None:
            free.remove(chosen)
            pilot = turn // len(_SCRIPTED) % 2 == 0
            parts[chosen] = Part(parts[chosen].kind, parts[chosen].system, script, pilot)
    for turn in range(round(count / MACHINES_PER_SCRIPT)):  # beside the others: a small fleet has none
        chosen = _choose(parts, free, Script.PLATFORM_SILENT, windows=turn % 2 == 0)
        if chosen is not None:
            free.remove(chosen)
            parts[chosen] = msgspec.structs.replace(parts[chosen], script=Script.PLATFORM_SILENT)
    return parts


def _part(kind: str, system: str) -> Part:
    script = Script.CLUSTER_NODE if kind == "AzureLocalNode" else Script.HEALTHY
    return Part(kind, SYSTEMS[system], script)


def _scripts(count: int) -> list[Script]:
    rounds = max(1, round(count / MACHINES_PER_SCRIPT))
    return [script for _ in range(rounds) for script in _SCRIPTED][: count // 2]


def _choose(parts: Sequence[Part], free: Sequence[int], script: Script, *, windows: bool) -> int | None:
    """A machine that can play the script, of the wished system if there is one."""
    able = [position for position in free if _can_play(parts[position], script)]
    wished = [position for position in able if (parts[position].system.os == "Windows") == windows]
    return next(iter(wished or able), None)


def _can_play(part: Part, script: Script) -> bool:
    if script in (Script.POWERED_OFF, Script.DEALLOCATED):
        return not part.is_arc
    return script is not Script.DISCONNECTED or part.is_arc
