"""The list of runs: newest first, page by page, and one run for one request."""

from datetime import datetime

import pytest
from msgspec.structs import replace

from shared.domain.maintenance_id import ConfigurationId
from shared.domain.phase import Phase
from shared.domain.summary import Summary, summary
from shared.store.run_list import RunList
from shared.store.runs import Runs
from shared.store.table import Conflict, Table
from tests.domain.maintenance import ADDRESS, fleet, put
from tests.domain.samples import NOW, RUN, minutes, run, run_machine

OTHER = replace(ADDRESS, name="other")


@pytest.fixture
def listed(table: Table) -> RunList:
    return RunList(table)


def of(start: datetime, configuration: ConfigurationId = ADDRESS) -> Summary:
    begun = replace(run(), id=f"{configuration.name}-{start:%H%M}", configuration=str(configuration))
    return replace(summary(begun, ()), start=start)


def test_newest_first_and_of_one_configuration_or_all(listed: RunList) -> None:
    for after, configuration in ((60, ADDRESS), (0, ADDRESS), (30, OTHER)):
        listed.save(configuration, of(NOW + minutes(after), configuration))
    own, following = listed.page(ADDRESS, "", 10)
    assert ([each.start for each in own], following) == ([NOW + minutes(60), NOW], "")
    every, _ = listed.page(None, "", 10)
    assert [each.start for each in every] == [NOW + minutes(60), NOW + minutes(30), NOW]
    newest = listed.newest(ADDRESS)
    assert newest is not None
    assert newest.start == NOW + minutes(60)
    for by, wanted in ((60, 60), (59, 0), (0, 0)):
        found = listed.newest(ADDRESS, NOW + minutes(by))
        assert found is not None
        assert found.start == NOW + minutes(wanted)
    assert listed.newest(ADDRESS, NOW - minutes(1)) is None
    assert listed.newest(replace(ADDRESS, name="none")) is None


def test_pages_go_on_where_they_stopped(listed: RunList) -> None:
    starts = [NOW + minutes(number) for number in range(5)]
    for start in starts:
        listed.save(ADDRESS, of(start))
    seen, place = list[datetime](), ""
    while True:
        page, place = listed.page(None, place, 2)
        seen += [each.start for each in page]
        if not place:
            break
    assert seen == starts[::-1]


def test_a_run_that_moves_on_is_one_line(listed: RunList) -> None:
    listed.save(ADDRESS, of(NOW))
    listed.save(ADDRESS, replace(of(NOW), phase=Phase.CLOSED))
    (only,), _ = listed.page(ADDRESS, "", 10)
    assert only.phase is Phase.CLOSED
    assert len(listed.page(None, "", 10)[0]) == 1


def test_requests_for_now_are_remembered_and_no_runs(listed: RunList) -> None:
    last = listed.last_now(ADDRESS)
    assert (last.start, listed.requested(ADDRESS, "r/1")) == (None, None)
    listed.take_now(ADDRESS, "r/1", NOW, last)
    assert (listed.requested(ADDRESS, "r/1"), listed.last_now(ADDRESS).start) == (NOW, NOW)
    assert listed.requested(OTHER, "r/1") is None
    assert listed.page(ADDRESS, "", 10) == ([], "")


def test_of_two_requests_at_once_one_is_taken(listed: RunList) -> None:
    for _ in range(2):
        last = listed.last_now(ADDRESS)
        listed.take_now(ADDRESS, "first", NOW, last)
        with pytest.raises(Conflict):
            listed.take_now(ADDRESS, "second", NOW, last)
        assert listed.requested(ADDRESS, "second") is None


def test_a_run_is_frozen_once_with_its_configuration(table: Table) -> None:
    runs, configuration = Runs(table), put(fleet())
    assert runs.freeze(run(), configuration)
    assert not runs.freeze(run(), put(fleet({"maxFailures": 1})))
    assert runs.frozen(RUN) == configuration
    assert (runs.run(RUN), runs.run("none"), runs.frozen("none")) == (run(), None, None)
    loaded = runs.load(RUN)
    assert loaded is not None
    assert loaded.machines == ()  # the configuration's row is none


def test_machines_of_a_run_by_pages(table: Table) -> None:
    runs = Runs(table)
    assert runs.create(run(), [run_machine(number) for number in range(5)])
    first, place = runs.page(RUN, "", 3)
    rest, end = runs.page(RUN, place, 3)
    assert [each.machine for each in [*first, *rest]] == [run_machine(number).machine for number in range(5)]
    assert (len(first), end) == (3, "")


def test_a_closed_run_is_not_shown_as_open_again_by_a_step_that_was_held_up(listed: RunList) -> None:
    listed.save(ADDRESS, replace(of(NOW), phase=Phase.CLOSED))
    listed.save(ADDRESS, of(NOW))
    for configuration in (ADDRESS, None):
        (only,), _ = listed.page(configuration, "", 10)
        assert only.phase is Phase.CLOSED
