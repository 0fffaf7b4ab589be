"""Configurations in real storage: created, changed under conditions, listed in pages, deleted with what is theirs."""

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.domain.condition import Condition
from shared.domain.configuration import Configuration
from shared.domain.errors import RequestError
from shared.domain.maintenance_id import configuration_id
from shared.store.configurations import Stored
from shared.workflows.configurations import (
    _change,
    delete_configuration,
    list_configurations,
    list_occurrences,
    patch_configuration,
    put_configuration,
    read_configuration,
)
from tests.domain import assignments
from tests.domain.maintenance import ADDRESS, body, fleet, put
from tests.domain.samples import NOW, SUBSCRIPTION
from tests.workflows.house import House

BLOCK = {"maxConcurrency": "20%", "enabled": False}


@pytest.fixture(autouse=True)
def march(house: House) -> None:
    """The bodies of these tests begin after it, as Azure asks."""
    house.clock.now = NOW


def write(house: House, given: object, **condition: str) -> tuple[Stored, bool]:
    text = json.dumps(given).encode()
    return put_configuration(house.azure, house.store, ADDRESS, text, Condition(**condition))


def change(house: House, given: object, **condition: str) -> Stored:
    text = json.dumps(given).encode()
    return patch_configuration(house.azure, house.store, ADDRESS, text, Condition(**condition))


def kept(house: House) -> Configuration:
    return read_configuration(house.store, ADDRESS).configuration


def test_a_put_creates_and_the_next_replaces(house: House) -> None:
    made, new = write(house, body())
    again, newer = write(house, body(tags={"team": "web"}))
    assert (new, newer) == (True, False)
    assert made.etag != again.etag
    assert read_configuration(house.store, ADDRESS) == again
    assert kept(house).tags == {"team": "web"}


def test_the_block_of_ours_survives_a_client_that_does_not_know_it(house: House) -> None:
    write(house, fleet(BLOCK))
    write(house, body(tags={}))
    assert kept(house).properties.fleet == put(fleet(BLOCK)).properties.fleet
    change(house, {"tags": {"a": "b"}})
    assert kept(house).properties.fleet is not None
    change(house, {"properties": {"fleet": None}})
    assert kept(house).properties.fleet is None
    write(house, fleet(BLOCK))
    write(house, fleet(BLOCK) | {"properties": body()["properties"] | {"fleet": None}})
    assert kept(house).properties.fleet is None


def test_a_change_of_another_state_than_was_read_is_refused(house: House) -> None:
    first, _ = write(house, body(), if_none_match="*")
    second, _ = write(house, body(tags={}), if_match=first.etag)
    for act in (
        lambda: write(house, body(), if_match=first.etag),
        lambda: write(house, body(), if_none_match="*"),
        lambda: change(house, {}, if_match=first.etag),
        lambda: delete_configuration(house.store, ADDRESS, Condition(if_match=first.etag)),
    ):
        with pytest.raises(RequestError) as refused:
            act()
        assert (refused.value.status, refused.value.code) == (412, "PreconditionFailed")
    assert read_configuration(house.store, ADDRESS) == second


def test_nothing_is_changed_or_read_where_nothing_is(house: House) -> None:
    for act in (lambda: kept(house), lambda: change(house, {"tags": {}})):
        with pytest.raises(RequestError) as refused:
            act()
        assert refused.value.status == 404
    with pytest.raises(RequestError) as refused:
        write(house, body(), if_match="*")
    assert refused.value.status == 412
    assert delete_configuration(house.store, ADDRESS, Condition()) is None


def test_a_cut_off_before_the_start_is_refused_when_it_is_written(house: House) -> None:
    waves = [{"name": "a", "zones": ["1"], "soak": "PT4H"}, {"name": "b", "zones": ["2"]}]
    with pytest.raises(RequestError) as refused:
        write(house, fleet({"waves": waves}))
    assert refused.value.target == "properties.fleet.waves"
    assert house.store.configurations.get(ADDRESS) is None


def test_what_is_deleted_takes_its_assignments_with_it(house: House) -> None:
    write(house, body())
    house.store.assignments.save(assignments.read(assignments.body()))
    other = replace(assignments.read(assignments.body()), configuration=configuration_id(SUBSCRIPTION, "ops", "other"),
                    id=assignments.ON_GROUP)  # fmt: skip
    house.store.assignments.save(other)
    assert delete_configuration(house.store, ADDRESS, Condition()) == put(body())
    assert [each.assignment for each in house.store.assignments.in_subscription(SUBSCRIPTION)] == [other]


@pytest.mark.parametrize("finisher", ["delete", "create"])
def test_a_deletion_that_stopped_half_way_is_finished_by_the_next_call(house: House, finisher: str) -> None:
    """The configuration is gone, its assignment is not: the worker died in between."""
    house.store.assignments.save(assignments.read(assignments.body()))
    if finisher == "delete":
        delete_configuration(house.store, ADDRESS, Condition())
    else:
        write(house, body())
    assert list(house.store.assignments.in_subscription(SUBSCRIPTION)) == []


def test_pages_go_through_a_group_and_a_subscription(house: House) -> None:
    names = [("ops", "a"), ("ops", "b"), ("ops", "c"), ("ops2", "d"), ("web", "e")]
    for group, name in names:
        house.store.configurations.save(replace(put(body()), id=configuration_id(SUBSCRIPTION, group, name)))

    def pages(group: str, size: int) -> list[list[str]]:
        found, place = [], ""
        while True:
            page, place = list_configurations(house.store, SUBSCRIPTION, group, place, size)
            found.append([each.id.name for each in page])
            if not place:
                return found

    assert pages("", 2) == [["d", "a"], ["b", "c"], ["e"]]
    assert pages("OPS", 2) == [["a", "b"], ["c"]]
    assert pages("ops", 3) == [["a", "b", "c"]]
    assert pages("none", 3) == [[]]


def test_the_next_windows_of_a_disabled_configuration_are_shown_too(house: House) -> None:
    write(house, fleet({"enabled": False}))
    configuration, windows = list_occurrences(house.store, ADDRESS, NOW, 3)
    assert not configuration.enabled
    assert [each.end - each.start for each in windows] == [timedelta(hours=3)] * 3
    assert [each.start.weekday() for each in windows] == [5, 6, 5]


def test_a_creation_that_came_second_takes_nothing_from_the_one_that_came_first(house: House) -> None:
    """Its worker stood still after it had found nothing; the first caller has assigned machines meanwhile."""
    mine = assignments.read(assignments.body())

    def slow(before: Configuration | None) -> Configuration:
        if before is None:
            write(house, body())
            house.store.assignments.save(mine)
        return put(body(tags={"from": "second"}))

    made, new = _change(house.azure, house.store, ADDRESS, Condition(), slow)
    assert (made.configuration.tags, new) == ({"from": "second"}, False)
    assert [each.assignment for each in house.store.assignments.in_subscription(SUBSCRIPTION)] == [mine]
