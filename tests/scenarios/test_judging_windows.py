"""The judges of `prove openings` and `prove nights` can say no: each law of a window broken in a made-up journal."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from msgspec.structs import replace

from infra.local.fleet import Why
from infra.local.verdict import Operation
from infra.local.waves import Part
from shared.domain.agenda import Item, ItemKind
from tests.scenarios import nights
from tests.scenarios.killer import PHASES, Nth, drawn
from tests.scenarios.nights import Night
from tests.scenarios.relay import Seen
from tests.scenarios.windows import Arrival, Window, first_calls, percentile, too_soon

START = datetime(2026, 11, 26, 2, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FOLDER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Maintenance/maintenanceConfigurations"
WINDOW = Window(
    name="night",
    configuration=f"{FOLDER}/night",
    written=START - 120 * SECOND,
    start=START,
    duration=timedelta(minutes=30),
    machines={"/s/a": "Windows", "/s/b": "Linux"},
)
WHY = Why("PoweredOff", "It is off.")


def arrival(machine: str, seconds: float = 3.0, *, accepted: bool = True) -> Arrival:
    return Arrival(
        event="request",
        time=START + seconds * SECOND,
        machine=machine,
        client_request_id=WINDOW.run,
        status=202 if accepted else 409,
        effect=accepted,
    )


def part(machine: str, outcome: str = "Succeeded", why: Why | None = None, ended: datetime | None = START) -> Part:
    return Part(machine=machine, step="ended", outcome=outcome, reason=why, ended=ended)


GOOD = Night(
    window=WINDOW,
    arrived=(arrival("/s/A"), arrival("/s/b", accepted=False), arrival("/s/b", 40)),
    phase="closed",
    parts=(part("/s/A"), part("/s/b")),
)


def test_a_good_night_has_no_complaints() -> None:
    assert GOOD.complaints() == []
    assert GOOD.line() == "first call   3.0 s; 2 Succeeded"


def with_part(ended: Part, *arrived: Arrival) -> Night:
    return replace(GOOD, arrived=(arrival("/s/A"), *arrived), parts=(part("/s/A"), ended))


@pytest.mark.parametrize(
    ("night", "complaint"),
    [
        (replace(GOOD, arrived=(*GOOD.arrived, arrival("/s/a", 9))), "night: a was installed 2 times"),
        (replace(GOOD, arrived=(arrival("/s/a", -0.1), arrival("/s/b"))), "night: a was asked at 01:59:59.900000"),
        (replace(GOOD, arrived=(arrival("/s/a", 301), arrival("/s/b"))), "night: a was asked at 02:05:01.000000"),
        (replace(GOOD, arrived=(arrival("/s/a"), arrival("/s/b", 601))), "night: b was asked at 02:10:01.000000"),
        (replace(GOOD, arrived=(*GOOD.arrived, arrival("/s/c", accepted=False))), "night: c is not of it"),
        (replace(GOOD, parts=(part("/s/a"),)), "night: b is forgotten"),
        (replace(GOOD, phase="open"), "night: its run is open"),
        (replace(GOOD, phase=""), "night: its run is unknown"),
        (with_part(part("/s/b", "", None, None)), "night: b has no outcome"),
        (with_part(part("/s/b", "NotStarted")), "night: b ended as NotStarted without a reason"),
        (with_part(part("/s/b", "NotStarted", WHY), arrival("/s/b")), "night: b ended as NotStarted and Azure has"),
        (with_part(part("/s/b")), "night: b ended as Succeeded and Azure has accepted nothing"),
    ],
)
def test_each_broken_law_is_named(night: Night, complaint: str) -> None:
    (found,) = night.complaints()
    assert found.startswith(complaint)


@pytest.mark.parametrize("outcome", ["NotStarted", "Unknown"])
def test_what_was_left_out_or_is_not_known_needs_no_installation(outcome: str) -> None:
    assert with_part(part("/s/b", outcome, WHY)).complaints() == []


def test_an_installation_of_no_window_is_named() -> None:
    stranger = replace(arrival("/s/a"), client_request_id="x")
    assert nights.unasked([WINDOW], [arrival("/s/b"), stranger]) == ["a was asked under x"]


def test_two_operations_at_one_time_are_seen() -> None:
    first, second = (Operation(installs=True, accepted=at, ended=at + 10) for at in (1, 12))
    assert nights.at_once({"/s/a": [second, first]}) == []
    assert nights.at_once({"/s/a": [first, replace(second, accepted=5)]}) == ["a"]
    assert nights.at_once({"/s/a": [replace(first, ended=None), second]}) == ["a"]


@pytest.mark.parametrize(
    ("kind", "start", "found"),
    [
        (ItemKind.OPENING, START + SECOND, 0),
        (ItemKind.OPENING, START, 1),
        (ItemKind.EVENT, START, 1),
        (ItemKind.RUN, START + SECOND, 1),
        (ItemKind.ASSESSMENT, None, 1),
    ],
)
def test_only_windows_to_come_may_stand_on_the_agenda(kind: ItemKind, start: datetime | None, found: int) -> None:
    assert len(nights.overdue([Item(kind=kind, id="r", since=START, start=start)], START)) == found


def test_the_first_accepted_call_of_a_window_counts() -> None:
    calls = [arrival("/s/b", 2, accepted=False), arrival("/s/b", 7), arrival("/s/a", 4)]
    assert first_calls([WINDOW], calls) == {WINDOW.run: 4.0}
    assert first_calls([WINDOW], calls[:1]) == {}


def test_a_refused_call_before_the_start_is_too_soon() -> None:
    assert too_soon([WINDOW], [arrival("/s/b", 0)]) == []
    (found,) = too_soon([WINDOW], [arrival("/s/b", -0.001, accepted=False)])
    assert found.startswith("/s/b: asked at 01:59:59.999")


@pytest.mark.parametrize(("part_of_all", "value"), [(0.5, 10.0), (0.95, 19.0), (0.96, 20.0), (1.0, 20.0)])
def test_percentiles_are_values_that_were_met(part_of_all: float, value: float) -> None:
    assert percentile({str(at): float(at) for at in range(1, 21)}, part_of_all) == value


def seen(door: str, method: str) -> Seen:
    return Seen(door=door, method=method, path="/", body="", headers={}, ports=(1, 2))


@pytest.mark.parametrize(("door", "method", "counts"), [("ARM", "GET", True), ("Table", "PUT", True),
                                                         ("Queue", "POST", True), ("Queue", "GET", False),
                                                         ("Queue", "DELETE", False)])  # fmt: skip
def test_only_requests_of_the_app_itself_are_counted(door: str, method: str, counts: bool) -> None:
    third: Callable[[Seen], bool] = Nth(3)
    assert [third(seen(door, method)) for _ in range(3)] == [False, False, counts]


def test_deaths_are_drawn_around_a_window_and_the_same_for_a_seed() -> None:
    kills = [kill for number in range(50) for kill in drawn(Random(number), number, START)]
    assert kills == [kill for number in range(50) for kill in drawn(Random(number), number, START)]
    assert {kill.phase for kill in kills} == PHASES.keys()
    for kill in kills:
        first, last = PHASES[kill.phase]
        assert START + first * SECOND <= kill.at <= START + last * SECOND
