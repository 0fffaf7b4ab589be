"""Pending updates: after each assessment the rows say exactly what it found."""

import pytest
from msgspec.structs import replace

from shared.domain.resource_id import parse_machine_id
from shared.domain.update import Update
from shared.store.table import Table
from shared.store.updates import Updates
from tests.domain.samples import ARC, NOW, VM
from tests.store.wire import Wire

ADDRESS = parse_machine_id(VM)


@pytest.fixture
def updates(table: Table) -> Updates:
    return Updates(table)


def some(*numbers: int, name: str = "n") -> tuple[Update, ...]:
    return tuple(
        Update(id=f"patch-{number:04}", name=name, kb="5042881", classification="security", published=NOW)
        for number in numbers
    )


def test_nothing_is_pending_on_an_unknown_machine(updates: Updates) -> None:
    assert updates.of(ADDRESS) == []


def test_what_was_found_is_read_back(updates: Updates) -> None:
    packages = (Update(id="", name="libc6", version="2.36-9+deb12u9", classification="other"),)
    updates.replace(ADDRESS, (*some(1, 2), *packages))
    assert sorted(updates.of(ADDRESS), key=str) == sorted((*some(1, 2), *packages), key=str)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (some(1, 2, 3), some(2, 3, 4)),
        (some(1, 2, 3), ()),
        ((), some(1)),
        (some(1), some(2)),
        (some(1, 2), some(1, 2)),
        (some(1, 2), some(1, 2, name="renamed")),
        (some(*range(250)), some(*range(120, 400))),
        (some(*range(230)), ()),
    ],
)
def test_the_rows_say_exactly_what_the_last_one_found(
    updates: Updates, before: tuple[Update, ...], after: tuple[Update, ...]
) -> None:
    updates.replace(ADDRESS, before)
    updates.replace(ADDRESS, after)
    assert updates.of(ADDRESS) == list(after)


def test_an_update_that_azure_lists_twice(updates: Updates) -> None:
    updates.replace(ADDRESS, (*some(1), *some(1, name="later")))
    assert updates.of(ADDRESS) == list(some(1, name="later"))


def test_machines_are_apart(updates: Updates) -> None:
    updates.replace(ADDRESS, some(1))
    updates.replace(parse_machine_id(ARC), some(2))
    updates.replace(ADDRESS, ())
    assert updates.of(parse_machine_id(ARC)) == list(some(2))


def test_what_did_not_change_is_not_written_again(watched_table: Table, wire: Wire) -> None:
    """Most assessments find what the last one found."""
    updates = Updates(watched_table)
    updates.replace(ADDRESS, some(1, 2, 3))
    before = len(wire.seen)
    updates.replace(ADDRESS, some(1, 2, 3))
    assert [each.method for each in wire.seen[before:]] == ["GET"]
    updates.replace(ADDRESS, (*some(1, 2), *(replace(each, reboot="NeverReboots") for each in some(3))))
    read, written = wire.seen[-2:]
    assert (read.method, written.method, written.path.count("RowKey=")) == ("GET", "PATCH", 1)
