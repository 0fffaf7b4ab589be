"""The demo's window in words: who is in which wave, plan and outcome a line a wave, and what does not fit together."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from infra.local.fleet import Look, Row, Why
from infra.local.verdict import Operation
from infra.local.waves import (
    Part,
    Previewed,
    differing,
    first_start,
    installs,
    is_in_window,
    out_of_order,
    out_of_window,
    outcome,
    plan,
    wave_of,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TEST, PROD = {"ring": "pilot", "env": "test"}, {"ring": "pilot", "env": "prod"}
FIRST = Part("/s/Web-01", "ended", 0, "Succeeded", None, NOON)
FAILED = Part("/s/Web-02", "ended", 1, "Failed", Why("InstallationFailed", "It broke."), NOON.replace(hour=13))
OFF = Part("/s/Web-03", "ended", 1, "NotStarted", Why("PoweredOff", "It is off."), NOON.replace(hour=14))
PREVIEW = [
    Previewed(FIRST.machine, taken=True, tags=TEST),
    Previewed(FAILED.machine, taken=True, tags=PROD),
    Previewed(OFF.machine, taken=True, tags=PROD),
    Previewed("/s/Web-04", taken=False, reason=Why("TagsNotSelected")),
]
PARTS = {part.key: part for part in (FIRST, FAILED, OFF)}


def row(part: Part, tags: dict[str, str]) -> Row:
    return Row(part.machine, "", "AzureVM", "Linux", "s", tags=tags, last_installation=part.look)


ROWS = {FIRST.key: row(FIRST, TEST), FAILED.key: row(FAILED, PROD), OFF.key: row(OFF, PROD)}


def install(accepted: int, ended: int | None) -> Operation:
    return Operation(installs=True, accepted=accepted, ended=ended)


@pytest.mark.parametrize(("tags", "wave"), [(TEST, 0), (PROD, 1), ({"ring": "pilot"}, 2), ({"env": "other"}, 2)])
def test_the_tag_says_which_wave_and_others_come_last(tags: dict[str, str], wave: int) -> None:
    assert wave_of(tags) == wave


def test_the_ring_says_who_is_in_the_window() -> None:
    assert is_in_window(TEST)
    assert not is_in_window({"ring": "attended"})
    assert not is_in_window({})


def test_the_plan_has_a_line_a_wave_and_the_reasons_of_the_others() -> None:
    assert plan(PREVIEW) == [
        "  wave 1, test: 1 machines: Web-01",
        "  wave 2, production: 2 machines: Web-02, Web-03",
        "  not taken: 1 TagsNotSelected",
    ]


def test_a_long_wave_is_shortened_an_empty_one_is_shown_and_the_rest_has_its_line() -> None:
    many = [Previewed(f"/s/m{number}", taken=True, tags=PROD) for number in range(6)]
    assert plan([*many, Previewed("/s/x", taken=True)]) == [
        "  wave 1, test: 0 machines",
        "  wave 2, production: 6 machines: m0, m1, m2, m3 and 2 more",
        "  wave 3, the rest: 1 machines: x",
    ]


def test_the_outcome_has_a_line_a_wave_with_reasons_and_the_end_of_what_was_started() -> None:
    assert outcome([OFF, FAILED, FIRST]) == [
        "  wave 1, test: 1 machines: 1 Succeeded; its last ended at 12:00:00",
        "  wave 2, production: 2 machines: 1 Failed (InstallationFailed), 1 NotStarted (PoweredOff)"
        "; its last ended at 13:00:00",
    ]
    assert outcome([Part("/s/a", "waiting")])[0] == "  wave 1, test: 1 machines: 1 waiting"


def test_what_was_not_started_was_left_out_and_what_has_not_ended_has_no_outcome() -> None:
    assert OFF.look == Look("Skipped", NOON.replace(hour=14).isoformat(), OFF.reason)
    assert FAILED.look == Look("Failed", NOON.replace(hour=13).isoformat(), FAILED.reason)
    assert Part("/s/a", "running").look is None


def test_when_preview_run_and_pages_agree_nothing_differs() -> None:
    assert differing(PREVIEW, PARTS, ROWS) == []


def test_what_differs_is_named() -> None:
    assert differing(PREVIEW[1:], PARTS, ROWS) == ["web-01: the preview or the run takes it, the other does not"]
    assert differing(PREVIEW, PARTS, ROWS | {FIRST.key: row(FIRST, PROD)}) == [
        "web-01: it belongs to wave 2, production, not wave 1, test"
    ]
    assert differing(PREVIEW, PARTS, ROWS | {FAILED.key: row(FIRST, PROD)}) == [
        "web-02: its run says Failed (InstallationFailed) and its own page says Succeeded"
    ]
    unsaid = msgspec.structs.replace(ROWS[FIRST.key], last_installation=None)
    assert differing(PREVIEW, PARTS, ROWS | {FIRST.key: unsaid}) == [
        "web-01: its run says Succeeded and its own page says nothing"
    ]


def test_waves_one_after_the_other_are_in_order() -> None:
    seen = {"/s/a": [install(1, 4)], "/s/b": [install(5, 8)], "/s/other": [install(2, 6)]}
    assert out_of_order([["/s/a"], [], ["/s/b"]], seen) == []
    assert out_of_order([[], ["/s/b"]], seen) == []


@pytest.mark.parametrize("first", [install(1, 6), install(1, None), install(7, 8)])
def test_an_installation_before_the_end_of_the_wave_before_is_named(first: Operation) -> None:
    seen = {"/s/a": [first], "/s/b": [install(5, 9)]}
    assert out_of_order([["/s/a"], ["/s/b"]], seen) == ["b: its installation began before the wave before it had ended"]
    looks = {"/s/a": [first], "/s/b": [msgspec.structs.replace(install(5, 9), installs=False)]}
    assert out_of_order([["/s/a"], ["/s/b"]], looks) == []


def test_the_journal_says_when_each_machine_of_the_window_was_started() -> None:
    look = Operation(installs=False, accepted=1, ended=2, at=NOON)
    later = msgspec.structs.replace(install(3, 4), at=NOON + timedelta(seconds=3))
    assert installs(["/s/a", "/s/none"], {"/s/a": [look, later], "/s/other": [later]}) == {
        "/s/a": NOON + timedelta(seconds=3)
    }


def test_an_installation_outside_of_the_window_is_named() -> None:
    end, second = NOON + timedelta(hours=2), timedelta(seconds=1)
    began = {"/s/in": NOON, "/s/early": NOON - second, "/s/last": end - second, "/s/late": end}
    assert out_of_window(NOON, end, began) == [
        "early: its installation began at 11:59:59, outside of the window",
        "late: its installation began at 14:00:00, outside of the window",
    ]


def test_the_first_start_is_told_if_there_was_one() -> None:
    began = {"/s/a": NOON + timedelta(seconds=9), "/s/b": NOON + timedelta(seconds=2.4)}
    assert first_start(NOON, began) == ["The first installation of the window was accepted 2.4 s after it opened."]
    assert first_start(NOON, {}) == []
