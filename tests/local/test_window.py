"""The bodies that the demo writes are what the app takes: read here by its own rules."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from infra.local.client import Refused, patiently
from infra.local.waves import wave_of
from infra.local.window import LEAD, configuration, scope
from shared.domain.assignment import select
from shared.domain.configuration import next_windows
from shared.domain.fleet_block import wave_of as wave_of_the_app
from shared.domain.machine import Machine
from tests.domain.assignments import read
from tests.domain.maintenance import ADDRESS, put
from tests.domain.samples import machine, record

NOW = datetime(2026, 3, 14, 23, 59, 58, 400_000, tzinfo=UTC)


def tagged(tags: dict[str, str]) -> Machine:
    return msgspec.structs.replace(machine(), tags=tags)


def test_an_enabled_one_opens_to_the_second_and_a_disabled_one_never() -> None:
    start = (NOW + LEAD).replace(microsecond=0)
    (window,) = next_windows(put(configuration(NOW + LEAD, enabled=True), now=NOW), NOW, 1)
    assert (window.start, window.end) == (start, start + timedelta(hours=2))
    assert next_windows(put(configuration(NOW + LEAD, enabled=False), now=NOW), NOW, 1) == []


def test_the_apps_waves_are_the_ones_the_demo_judges_by() -> None:
    fleet = put(configuration(NOW + LEAD, enabled=True), now=NOW).properties.fleet
    assert fleet is not None
    for tags in ({"env": "test"}, {"env": "prod"}, {"env": "elsewhere"}, {}):
        assert wave_of_the_app(fleet.waves, tagged(tags)) == wave_of(tags)


def test_the_scope_takes_the_ring() -> None:
    assignment = read(scope(str(ADDRESS)))
    found = [record(tagged(tags)) for tags in ({"ring": "pilot"}, {"ring": "attended"}, {})]
    assert [bool(select([assignment], [each]).chosen) for each in found] == [True, False, False]


def test_what_azure_does_not_answer_now_is_asked_again() -> None:
    """The quota of Resource Graph is counted over five seconds, and the demo's own sweeps use it up."""
    said = [Refused("PUT", "/c", 429, b""), Refused("PUT", "/c", 503, b"")]

    def act() -> str:
        if said:
            raise said.pop()
        return "done"

    assert patiently(act, pause=0) == "done"


def test_a_refusal_is_not_asked_again() -> None:
    def act() -> str:
        raise Refused("PUT", "/c", 409, b"")

    with pytest.raises(Refused):
        patiently(act, pause=0)
