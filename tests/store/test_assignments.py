"""Assignments: found where they hang and by their configuration; changed only as they were read."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from shared.domain.assignment import Assignment, AssignmentId, on_machine, on_scope
from shared.domain.maintenance_id import ConfigurationId
from shared.domain.resource_id import parse_machine_id
from shared.store.assignments import Assignments, Stored
from shared.store.table import Conflict, Table
from tests.domain.assignments import ON_GROUP, ON_SUBSCRIPTION, ON_VM, OTHER, body, read
from tests.domain.maintenance import ADDRESS
from tests.domain.samples import ARC, SUBSCRIPTION, VM

WEEKLY = ConfigurationId(subscription=OTHER, group="ops", name="weekly")
ON_ARC = on_machine(parse_machine_id(ARC), "a")
ELSEWHERE = on_scope(OTHER, "web", "a")
FILTERED = {"locations": ["UK South"], "tagSettings": {"tags": {"env": ["prod"]}}}


@pytest.fixture
def assignments(table: Table) -> Assignments:
    return Assignments(table)


def made(address: AssignmentId, configuration: ConfigurationId = ADDRESS) -> Assignment:
    return replace(read(body(), address), configuration=configuration)


def names(found: Iterable[Stored]) -> list[str]:
    return sorted(str(each.assignment.id) for each in found)


def stored(assignments: Assignments, address: AssignmentId) -> Stored:
    found = assignments.get(address)
    assert found is not None
    return found


def test_an_unknown_assignment_is_none(assignments: Assignments) -> None:
    assert assignments.get(ON_VM) is None
    assert list(assignments.of_configuration(ADDRESS)) == []


@pytest.mark.parametrize("given", [read(body(), ON_VM), read(body(FILTERED), ON_GROUP), read(body(FILTERED))])
def test_an_assignment_reads_back_as_itself(assignments: Assignments, given: Assignment) -> None:
    etag = assignments.save(given)
    assert assignments.get(given.id) == Stored(assignment=given, etag=etag)
    assert list(assignments.of_configuration(ADDRESS)) == [Stored(assignment=given, etag=etag)]


def test_lists(assignments: Assignments) -> None:
    """Machines, groups and subscriptions whose names begin alike are kept apart."""
    longer = on_machine(parse_machine_id(f"{VM}0"), "a")
    other_group = on_machine(parse_machine_id(VM.replace("/web/", "/web2/")), "a")
    second = on_machine(parse_machine_id(VM.upper()), "b")
    for address in (ON_VM, second, longer, other_group, ON_ARC, ON_GROUP, ON_SUBSCRIPTION, ELSEWHERE):
        assignments.save(made(address))

    def texts(*addresses: AssignmentId) -> list[str]:
        return sorted(str(address) for address in addresses)

    machine = parse_machine_id(VM)
    assert names(assignments.on_machine(machine)) == texts(ON_VM, second)
    assert names(assignments.on_scope(SUBSCRIPTION, "WEB")) == texts(ON_GROUP)
    assert names(assignments.on_scope(SUBSCRIPTION, "")) == texts(ON_SUBSCRIPTION)
    assert names(assignments.in_group(SUBSCRIPTION, "web")) == texts(ON_VM, second, longer, ON_ARC, ON_GROUP)
    assert len(names(assignments.in_subscription(SUBSCRIPTION))) == 7
    assert names(assignments.in_subscription(OTHER)) == texts(ELSEWHERE)
    assert len(names(assignments.of_configuration(ADDRESS))) == 8


def test_it_is_made_once_and_changed_only_as_it_was_read(assignments: Assignments) -> None:
    etag = assignments.save(made(ON_VM))
    with pytest.raises(Conflict):
        assignments.save(made(ON_VM))
    assignments.save(made(ON_VM, WEEKLY), etag)
    with pytest.raises(Conflict):
        assignments.save(made(ON_VM), etag)
    assert stored(assignments, ON_VM).assignment.configuration == WEEKLY


def test_an_assignment_takes_part_in_the_runs_of_one_configuration(assignments: Assignments) -> None:
    etag = assignments.save(made(ON_VM))
    assignments.save(made(ELSEWHERE))
    assignments.save(made(ON_VM, WEEKLY), etag)
    assert names(assignments.of_configuration(ADDRESS)) == [str(ELSEWHERE)]
    assert names(assignments.of_configuration(WEEKLY)) == [str(ON_VM)]
    spelled = ConfigurationId(subscription=OTHER.upper(), group="OPS", name="Weekly")
    assert names(assignments.of_configuration(spelled)) == [str(ON_VM)]


def test_a_change_that_loses_a_race_takes_nothing_away(assignments: Assignments) -> None:
    """Who read before the winner wrote changes nothing, and the winner still takes part."""
    etag = assignments.save(made(ON_VM))
    assignments.save(replace(made(ON_VM), location="uksouth"), etag)
    with pytest.raises(Conflict):
        assignments.save(made(ON_VM, WEEKLY), etag)
    assert names(assignments.of_configuration(ADDRESS)) == [str(ON_VM)]
    assert names(assignments.of_configuration(WEEKLY)) == []


def test_a_deletion_needs_the_last_reading(assignments: Assignments) -> None:
    etag = assignments.save(made(ON_VM))
    old = stored(assignments, ON_VM)
    assignments.save(made(ON_VM), etag)
    with pytest.raises(Conflict):
        assignments.delete(old)
    assignments.delete(stored(assignments, ON_VM))
    assert assignments.get(ON_VM) is None
    assert names(assignments.of_configuration(ADDRESS)) == []
