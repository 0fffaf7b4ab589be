"""Maintenance configurations over HTTP: status codes, ETags, pages, the block of ours, and the calendar of windows."""

from calendar import TUESDAY, monthcalendar
from datetime import date, datetime, timedelta

import pytest

from infra.local.stack import Stack
from tests.domain.maintenance import body, fleet
from tests.scenarios.api import ask

SUBSCRIPTION = "77777777-2222-3333-4444-555555555555"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/maintenance-api"
FOLDER = f"{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations"
EVERYWHERE = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Maintenance/maintenanceConfigurations"
MONTHS = 24


def test_status_codes_and_etags_are_azures(stack: Stack) -> None:
    path = f"{FOLDER}/codes"
    assert ask(stack, "GET", path).error == ("ResourceNotFound", f"{FOLDER}/codes")
    made = ask(stack, "PUT", path, fleet())
    assert (made.status, made.body["id"]) == (201, path)
    assert ask(stack, "PUT", path, fleet()).status == 200
    read = ask(stack, "GET", path.upper())
    assert (read.status, read.body) == (200, made.body)
    assert ask(stack, "GET", path, If_None_Match=read.etag).status == 304
    assert ask(stack, "PUT", path, fleet(), If_Match=made.etag).error == ("PreconditionFailed", "If-Match")
    patched = ask(stack, "PATCH", path, {"tags": {"a": "b"}}, If_Match=read.etag)
    assert (patched.status, patched.body["tags"]) == (200, {"team": "ops", "a": "b"})
    assert patched.body["properties"]["fleet"] == {}
    assert ask(stack, "DELETE", path).status == 200
    assert ask(stack, "DELETE", path).status == 204


def test_every_refusal_names_what_to_mend(stack: Stack) -> None:
    path = f"{FOLDER}/refused"
    assert ask(stack, "PUT", f"{path}?api-version=2021-05-01", fleet()).error[0] == "InvalidApiVersionParameter"
    assert ask(stack, "PUT", f"{path}?x=y", fleet()).error[0] == "MissingApiVersionParameter"
    assert ask(stack, "PUT", path, body()).error == ("InvalidMaintenanceWindow",
                                                     "properties.maintenanceWindow.startDateTime")  # fmt: skip
    soaking = {"waves": [{"name": "a", "zones": ["1"], "soak": "PT4H"}, {"name": "b", "zones": ["2"]}]}
    assert ask(stack, "PUT", path, fleet(soaking)).error == ("InvalidParameter", "properties.fleet.waves")
    assert ask(stack, "PUT", f"{FOLDER}/{'n' * 128}", fleet()).error == ("InvalidParameter", "name")
    assert ask(stack, "GET", path).status == 404


def test_lists_are_paged(stack: Stack) -> None:
    names = [f"page-{number}" for number in range(5)]
    for name in names:
        assert ask(stack, "PUT", f"{FOLDER}/{name}", fleet()).status == 201
    for folder in (FOLDER, EVERYWHERE):
        first = ask(stack, "GET", f"{folder}?api-version=2023-04-01&$top=2").body
        assert len(first["value"]) == 2
        listed = [each["name"] for each in stack.app.pages(f"{folder}?api-version=2023-04-01&$top=2", dict)]
        assert [name for name in listed if name.startswith("page-")] == names


@pytest.mark.parametrize("offset", range(-6, 7))
def test_the_windows_of_patch_tuesdays_are_the_calendars(stack: Stack, offset: int) -> None:
    """The second Tuesday of each of 24 months, found by looking at the month's calendar, and K days on."""
    path = f"{FOLDER}/tuesday{offset}"
    given = fleet(startDateTime="2026-01-01 22:00", timeZone="UTC", duration="02:00",
                  recurEvery=f"Month Second Tuesday Offset{offset}")  # fmt: skip
    assert ask(stack, "PUT", path, given).status == 201
    shown = ask(stack, "GET", f"/fleet/occurrences{path}?$top={MONTHS}&after=2026-01-01T00:00:00Z").body
    days = [date(2026 + month // 12, month % 12 + 1, _second_tuesday(2026 + month // 12, month % 12 + 1))
            for month in range(MONTHS)]  # fmt: skip
    wanted = [datetime.combine(day + timedelta(days=offset), datetime.min.time()).replace(hour=22) for day in days]
    assert [each["start"] for each in shown["value"]] == [f"{start:%Y-%m-%dT%H:%M:%SZ}" for start in wanted]
    runs = [f"{path}/providers/Microsoft.Maintenance/applyUpdates/{start:%Y%m%d%H%M%S}" for start in wanted]
    assert [each["id"] for each in shown["value"]] == runs


def test_windows_are_asked_for_with_an_instant_and_a_number(stack: Stack) -> None:
    path = f"{FOLDER}/asked"
    ask(stack, "PUT", path, fleet({"enabled": False}))
    shown = ask(stack, "GET", f"/fleet/occurrences{path}?after=2030-01-01T00:00:00%2B02:00").body
    assert (shown["id"], shown["enabled"], len(shown["value"])) == (path, False, 10)
    assert ask(stack, "GET", f"/fleet/occurrences{path}?after=2030-01-01").error == ("InvalidParameter", "after")
    assert ask(stack, "GET", f"/fleet/occurrences{path}?$top=0").error == ("InvalidParameter", "$top")
    assert ask(stack, "GET", f"/fleet/occurrences{FOLDER}").error == ("LinkedInvalidPropertyId", "id")
    assert ask(stack, "GET", f"/fleet/occurrences{path}x").status == 404


def _second_tuesday(year: int, month: int) -> int:
    return [week[TUESDAY] for week in monthcalendar(year, month) if week[TUESDAY]][1]
