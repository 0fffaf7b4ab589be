"""What a configuration's assignments come to: the machines that it would patch now, and why not the others."""

from collections.abc import Iterable, Sequence

import msgspec

from shared.domain.assignment import Assignment, AssignmentId, Selection, select, why_not
from shared.domain.configuration import Configuration
from shared.domain.install_patches import systems
from shared.domain.machine import Machine, OperatingSystem, Record
from shared.domain.maintenance_id import ConfigurationId
from shared.domain.reason import Reason, reason


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What one assignment says of one machine; no reason: it takes it."""

    assignment: AssignmentId
    configuration: ConfigurationId
    reason: Reason | None = None


def in_scope(
    configuration: Configuration | None, assignments: Sequence[Assignment], records: Iterable[Record]
) -> Selection:
    """Every one of these machines, taken or left out with its reason. No configuration: only the scopes are asked.

    A machine whose operating system the configuration says nothing about is left out: nothing could be installed on it.
    One that several of its assignments take is taken once, and names them all.
    """
    known = list(records)
    selection = select(assignments, known)
    chosen, left_out = dict(selection.chosen), dict(selection.left_out)
    for record in known:
        key = record.machine.id.lower()
        why = why_unpatched(configuration, record.machine) if configuration and key in chosen else None
        if why is not None:
            del chosen[key]
            left_out[key] = why
    return Selection(chosen=chosen, left_out=left_out)


def why_unpatched(configuration: Configuration, machine: Machine) -> Reason | None:
    """Why a configuration could install nothing on a machine that it takes."""
    if machine.os is OperatingSystem.UNKNOWN:
        return reason("UnknownSystem")
    served = systems(configuration.properties.install_patches)
    return None if machine.os in served else reason("SystemNotPatched", f"{machine.os}; has: {', '.join(served)}")


def unseen(assignments: Sequence[Assignment], known: set[str]) -> dict[str, Reason]:
    """Machines that are assigned by name and that no inventory knows; `known`: ids in lower case."""
    named = [str(each.id.machine) for each in assignments if each.id.machine is not None]
    return {each.lower(): reason("NotInInventory") for each in named if each.lower() not in known}


def verdicts(assignments: Sequence[Assignment], record: Record) -> list[Verdict]:
    """What each assignment says of a machine; a deleted one is taken by none."""
    gone = reason("Deleted") if record.deleted else None
    return [
        Verdict(assignment=each.id, configuration=each.configuration, reason=why_not(each, record.machine) or gone)
        for each in assignments
    ]


def takers(found: Sequence[Verdict]) -> dict[str, ConfigurationId]:
    """The configurations that take a machine, each once however many of its assignments do."""
    return {each.configuration.key: each.configuration for each in found if each.reason is None}
