"""Messages survive their queue: each kind has one queue, and reads back as itself from its own text."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import msgspec
import pytest

from shared.domain.agenda import HEAL_EVERY, Item, ItemKind
from shared.domain.errors import invalid, not_found
from shared.domain.machine import Kind, OperatingSystem, unreachable_now
from shared.domain.messages import (
    QUEUES,
    AdvanceRun,
    CountFleet,
    FollowOperation,
    FollowPlanned,
    ListSubscription,
    Message,
    OpenRun,
    Planned,
    SendEvents,
    StartAssessment,
    StartInstallation,
    StartPlanned,
    SweepMachines,
    SweepResults,
)
from shared.domain.run import RunMachine
from tests.domain.samples import ARC, NOW, VM, assessment, installation, machine, operation, run

EVERY: list[Message] = [
    ListSubscription(subscription="s"),
    ListSubscription(subscription="s", asked=NOW, doubts="d"),
    SweepMachines(subscriptions=("s", "t"), asked=NOW),
    StartAssessment(machine=VM, attempt="a", requested_by="w"),
    StartPlanned(requested_by="w", due=NOW, machines=(Planned(machine=VM, attempt="a", slot=NOW),)),
    FollowPlanned(first="a", due=NOW, machines=(), unit=15, look=1),
    StartInstallation(run="r", machine=VM),
    AdvanceRun(run="r", alarm=2),
    AdvanceRun(run="r", machine=VM),
    OpenRun(configuration="c", start=NOW),
    SendEvents(configuration="c", start=NOW),
    FollowOperation(machine=VM, attempt="a", look=3),
    SweepResults(subscriptions=("s", "t"), asked=NOW, since=NOW, page="p"),
    CountFleet(),
]


def test_every_kind_has_a_queue_of_its_own() -> None:
    assert set(QUEUES) == set(get_args(Message)) == {type(each) for each in EVERY}
    assert len(set(QUEUES.values())) == len(QUEUES)


@pytest.mark.parametrize("message", EVERY)
def test_a_message_reads_back_as_itself(message: Message) -> None:
    assert msgspec.json.decode(msgspec.json.encode(message), type=type(message)) == message


@pytest.mark.parametrize("text", [b"{}", b"[]", b"null", b"{", b'{"run": 1}'])
def test_a_message_of_another_shape_is_refused(text: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        msgspec.json.decode(text, type=AdvanceRun)


@pytest.mark.parametrize(
    "value",
    [
        machine(),
        assessment(counts={"critical": 1}),
        installation(),
        operation(),
        run(),
        RunMachine(machine=VM),
        Item(kind=ItemKind.RUN, id="r", since=NOW),
    ],
)
def test_what_rows_hold_reads_back_as_itself(value: msgspec.Struct) -> None:
    assert msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value


def test_times_read_back_with_their_zone() -> None:
    time = datetime(2026, 3, 29, 1, 59, 59, 123456, tzinfo=UTC)
    back = msgspec.json.decode(msgspec.json.encode(assessment(ended=time)), type=type(assessment()))
    assert back.ended == time
    assert back.ended.utcoffset() == timedelta()


def test_a_lost_message_costs_two_minutes() -> None:
    assert timedelta(minutes=2) == HEAL_EVERY


def test_refusals_have_azures_shape() -> None:
    bad, gone = invalid("$top", "Wrong."), not_found("/x")
    assert (bad.status, bad.code, bad.target, str(bad)) == (400, "InvalidParameter", "$top", "Wrong.")
    assert (gone.status, gone.code, gone.target) == (404, "ResourceNotFound", "/x")
    assert "'/x'" in gone.message


@pytest.mark.parametrize(
    ("id_", "kind", "word", "code"),
    [
        (VM, Kind.AZURE_VM, "running", ""),
        (VM, Kind.AZURE_VM, "deallocated", "PoweredOff"),
        (VM, Kind.AZURE_VM, "Connected", "PoweredOff"),
        (ARC, Kind.ARC, "Connected", ""),
        (ARC, Kind.ARC, "running", "Disconnected"),
        (ARC, Kind.AZURE_LOCAL_NODE, "Connected", "UpdatedThroughCluster"),
    ],
)
def test_reachable_by_the_word_of_this_moment(id_: str, kind: Kind, word: str, code: str) -> None:
    """The inventory's older word does not count."""
    known = machine(id_, kind=kind, os=OperatingSystem.LINUX, connection="Connected" if id_ == ARC else "running")
    why = unreachable_now(known, word)
    assert (why.code if why else "") == code
