"""Machines: each writer sets its own part of a row, and no writer undoes another's."""

from collections.abc import Callable
from itertools import permutations

import pytest
from msgspec.structs import replace

from shared.domain.identity import MOST_CLONES
from shared.domain.machine import Identity, Kind, Machine, Outcome, Record, Refusal, Watch, kept_tags
from shared.domain.reason import reason
from shared.domain.resource_id import parse_machine_id
from shared.store.machines import Machines
from shared.store.table import Merge, Row, Table
from tests.domain.samples import ARC, NOW, SUBSCRIPTION, VM, assessment, installation, machine, minutes

SCOPE = f"{SUBSCRIPTION}|web"
ADDRESS = parse_machine_id(VM)
LOOK, WORK = assessment(counts={"critical": 1}), installation(Outcome.FAILED)
REFUSED = Refusal(at=NOW, reason=reason("StartRefused", "403"))


@pytest.fixture
def machines(table: Table) -> Machines:
    return Machines(table)


def numbered(number: int) -> Machine:
    return machine(VM.replace("vm1", f"vm{number:03}"))


def known(machines: Machines) -> Record:
    found = machines.get(ADDRESS)
    assert found is not None
    return found


def test_an_unknown_machine_is_none(machines: Machines) -> None:
    assert machines.get(ADDRESS) is None
    assert list(machines.in_scope(SCOPE)) == []


def test_a_machine_reads_back_as_itself(machines: Machines) -> None:
    both = [replace(machine(), tags={"env": "prod", "ä": "日"}, sql=True), machine(ARC, kind=Kind.AWS)]
    machines.save(SCOPE, both)
    assert known(machines) == Record(machine=both[0])
    assert sorted(each.machine.id for each in machines.in_scope(SCOPE)) == sorted([VM, ARC])


def test_a_machine_is_found_in_any_casing(machines: Machines) -> None:
    machines.save(SCOPE, [machine(VM.replace("vm1", "VM1"))])
    assert known(machines).machine.name == "VM1"
    assert machines.get(parse_machine_id(VM.upper())) is not None


def test_writers_do_not_undo_each_other(machines: Machines) -> None:
    """In every order: inventory, assessment and installation each keep what the others wrote."""
    writes: list[Callable[[], None]] = [
        lambda: machines.save(SCOPE, [machine()]),
        lambda: machines.set_assessment(ADDRESS, LOOK),
        lambda: machines.set_installation(ADDRESS, WORK),
    ]
    for order in permutations(writes):
        for write in order:
            write()
        assert known(machines) == Record(machine=machine(), assessment=LOOK, installation=WORK)


def test_a_newer_inventory_replaces_only_what_it_saw(machines: Machines) -> None:
    machines.save(SCOPE, [replace(machine(), tags={"env": "prod"})])
    machines.set_assessment(ADDRESS, LOOK)
    off = machine(connection="deallocated")
    machines.save(SCOPE, [off])
    assert known(machines) == Record(machine=off, assessment=LOOK)


def test_results_before_the_first_inventory_are_no_machine_yet(machines: Machines) -> None:
    machines.set_assessment(ADDRESS, LOOK)
    assert machines.get(ADDRESS) is None
    assert list(machines.in_scope(SCOPE)) == []
    assert list(machines.from_row(SCOPE, "")) == []


def test_a_plan_ends_with_its_assessment_or_refusal(machines: Machines) -> None:
    machines.save(SCOPE, [machine()])
    machines.mark_planned(SCOPE, [(machine(), NOW)])
    assert known(machines).planned == NOW
    machines.set_refusal(ADDRESS, REFUSED)
    assert (known(machines).planned, known(machines).refusal) == (None, REFUSED)
    machines.mark_planned(SCOPE, [(machine(), NOW)])
    machines.set_assessment(ADDRESS, LOOK)
    assert known(machines) == Record(machine=machine(), assessment=LOOK)


def test_a_refusal_keeps_the_last_assessment(machines: Machines) -> None:
    machines.save(SCOPE, [machine()])
    machines.set_assessment(ADDRESS, LOOK)
    machines.set_refusal(ADDRESS, REFUSED)
    assert known(machines) == Record(machine=machine(), assessment=LOOK, refusal=REFUSED)


def test_what_azure_found_by_itself_ends_plan_refusal_and_watch(machines: Machines) -> None:
    watch = Watch(since=NOW, silent=NOW)
    for started_by, left in (("User", watch), ("Platform", None)):
        machines.save(SCOPE, [machine()])
        machines.set_watches(SCOPE, [(machine(), watch)])
        machines.mark_planned(SCOPE, [(machine(), NOW)])
        machines.set_refusal(ADDRESS, REFUSED)
        seen = replace(LOOK, started_by=started_by)
        machines.set_published(SCOPE, [(ADDRESS, seen)])
        assert known(machines) == Record(machine=machine(), assessment=seen, watch=left)


def test_a_deleted_machine_keeps_its_results_and_comes_back(machines: Machines) -> None:
    machines.save(SCOPE, [machine()])
    machines.set_assessment(ADDRESS, LOOK)
    gone = Record(machine=machine(), deleted=NOW, identity=Identity(moved_to=ARC))
    machines.settle(SCOPE, [gone])
    assert known(machines) == replace(gone, assessment=LOOK)
    machines.settle(SCOPE, [Record(machine=machine())])
    assert known(machines) == Record(machine=machine(), assessment=LOOK)


def test_a_sweep_brings_no_machine_back(machines: Machines) -> None:
    """It may have read the row before a listing settled it."""
    machines.settle(SCOPE, [Record(machine=machine(), deleted=NOW)])
    machines.save(SCOPE, [machine(connection="running")])
    assert known(machines) == Record(machine=machine(connection="running"), deleted=NOW)


def test_a_sweep_does_not_change_which_machine_it_is(machines: Machines) -> None:
    """Only listings settle that: the sweep may have read the row before another machine was found there."""
    old, new = replace(machine(), vm_id="old"), replace(machine(), vm_id="new")
    machines.save(SCOPE, [old])
    settled = Record(machine=new, identity=Identity(recreated=NOW, predecessor="old"))
    machines.settle(SCOPE, [settled])
    machines.save(SCOPE, [replace(old, connection="stopped")])
    assert known(machines) == replace(settled, machine=replace(new, connection="stopped"))
    assert list(machines.in_scope(SCOPE)) == [known(machines)]


@pytest.mark.parametrize("vm_id", ["", "v"])
def test_a_sweep_takes_up_a_machine_with_its_vm_id_until_a_listing_settles_it(machines: Machines, vm_id: str) -> None:
    machines.save(SCOPE, [replace(machine(), vm_id="swept")])
    assert known(machines).machine.vm_id == "swept"
    machines.settle(SCOPE, [Record(machine=replace(machine(), vm_id=vm_id))])
    machines.save(SCOPE, [replace(machine(), vm_id="swept")])
    assert known(machines).machine.vm_id == vm_id


def test_what_was_before_the_re_creation_is_not_shown(machines: Machines) -> None:
    """Also when it is written later: an old operation's result comes after the listing."""
    again = Record(machine=machine(), identity=Identity(recreated=NOW, predecessor="before"))
    machines.settle(SCOPE, [again])
    machines.set_assessment(ADDRESS, LOOK)
    machines.set_installation(ADDRESS, WORK)
    assert known(machines) == again
    newer = assessment(ended=NOW + minutes(5))
    machines.set_assessment(ADDRESS, newer)
    assert known(machines) == replace(again, assessment=newer)


def test_more_machines_than_one_transaction_takes(machines: Machines) -> None:
    many = [numbered(number) for number in range(250)]
    machines.save(SCOPE, many)
    machines.mark_planned(SCOPE, [(each, NOW) for each in many])
    found = list(machines.in_scope(SCOPE))
    assert [each.machine for each in found] == many
    assert {each.planned for each in found} == {NOW}


@pytest.mark.parametrize("letter", ["x", "日"])
def test_machines_with_the_largest_tags_and_most_clones(machines: Machines, letter: str) -> None:
    """More than one transaction takes, by bytes."""
    tags = kept_tags({f"{number:02}".ljust(512, letter): letter * 256 for number in range(50)})
    clones = tuple(VM.replace("vm1", f"{number:064}").replace("web", "g" * 90) for number in range(MOST_CLONES))
    many = [
        Record(machine=replace(numbered(number), tags=tags), identity=Identity(clones=clones)) for number in range(110)
    ]
    machines.settle(SCOPE, many)
    machines.save(SCOPE, [each.machine for each in many])
    assert list(machines.in_scope(SCOPE)) == many


def test_a_listing_that_names_a_machine_twice(machines: Machines) -> None:
    """Azure's pages may: a machine moves from one page to the next while they are read."""
    machines.save(SCOPE, [machine(), machine(connection="running")])
    assert known(machines).machine.connection == "running"


def test_scopes_are_apart(machines: Machines) -> None:
    machines.save(SCOPE, [machine()])
    assert list(machines.in_scope(f"{SUBSCRIPTION}|web2")) == []
    assert list(machines.in_scope(f"{SUBSCRIPTION}|we")) == []


def test_pages_go_on_at_a_row(machines: Machines) -> None:
    machines.save(SCOPE, [numbered(number) for number in range(5)])
    rows = list(machines.from_row(SCOPE, "vm|vm002"))
    assert [each.row for each in rows] == ["vm|vm002", "vm|vm003", "vm|vm004"]
    assert [each.record.machine.name for each in rows] == ["vm002", "vm003", "vm004"]


def test_a_half_row_is_no_machine(machines: Machines, table: Table) -> None:
    table.write(Merge(Row(partition=SCOPE, key="vm|x", values={"planned": NOW.isoformat()})))
    assert list(machines.in_scope(SCOPE)) == []
