"""The sandbox's journal read as operations of ours, machine by machine."""

from datetime import UTC, datetime

import msgspec

from infra.local.seen import Entry, operations
from infra.local.verdict import Operation

VM, ARC = "/subscriptions/s/VM", "/subscriptions/s/arc"


def accepted(sequence: int, operation: str, machine: str, kind: str, principal: str = "app") -> Entry:
    return Entry(
        sequence=sequence,
        event="operationAccepted",
        operation=operation,
        machine=machine,
        kind=kind,
        principal=principal,
    )


def ended(sequence: int, operation: str, machine: str) -> Entry:
    return Entry(sequence=sequence, event="operationEnded", operation=operation, machine=machine)


def test_operations_are_told_apart_by_machine_and_kind() -> None:
    journal = [
        Entry(sequence=1, event="request"),
        accepted(2, "one", VM, "assessment"),
        accepted(3, "two", ARC, "installation"),
        ended(4, "one", VM),
        Entry(sequence=5, event="guestChanged", machine=ARC, installed=["a", "b"]),
        ended(6, "two", ARC),
        accepted(7, "three", VM, "installation"),
    ]
    assert operations(journal) == {
        VM.lower(): [
            Operation(installs=False, accepted=2, ended=4),
            Operation(installs=True, accepted=7, ended=None),
        ],
        ARC: [Operation(installs=True, accepted=3, ended=6, changed=frozenset({"a", "b"}))],
    }


def test_what_others_started_is_not_ours() -> None:
    journal = [accepted(1, "theirs", VM, "assessment", "platform"), ended(2, "theirs", VM)]
    assert operations(journal) == {}


def test_the_instant_of_the_acceptance_is_kept() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    entry = msgspec.structs.replace(accepted(1, "one", VM, "installation"), time=noon)
    assert operations([entry])[VM.lower()][0].at == noon
