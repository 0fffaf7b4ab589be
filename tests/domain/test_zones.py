"""Zone names of both kinds; the Windows table against CLDR's, as far as the data lies beside the project."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from shared.domain.errors import RequestError
from shared.domain.zones import UNMAPPED, WINDOWS_ZONES, zone, zone_name

CLDR = Path(__file__).parents[3] / "shared" / "data" / "windows_zones.json"
AT = "properties.maintenanceWindow.timeZone"


@pytest.mark.parametrize("name", sorted(WINDOWS_ZONES))
def test_every_windows_name_has_rules(name: str) -> None:
    assert zone_name(name.upper(), AT) == name
    assert zone(name).utcoffset(datetime(2026, 1, 1)) is not None  # noqa: DTZ001 - a local time


@pytest.mark.parametrize(
    ("given", "name", "key"),
    [
        ("UTC", "UTC", "Etc/UTC"),
        (" pacific standard time ", "Pacific Standard Time", "America/Los_Angeles"),
        ("Cen. Australia Standard Time", "Cen. Australia Standard Time", "Australia/Adelaide"),
        ("Central  Standard Time (Mexico)", "Central Standard Time (Mexico)", "America/Mexico_City"),
        ("europe/berlin", "Europe/Berlin", "Europe/Berlin"),
        ("Australia/Lord_Howe", "Australia/Lord_Howe", "Australia/Lord_Howe"),
    ],
)
def test_names_of_both_kinds_in_any_case(given: str, name: str, key: str) -> None:
    assert zone_name(given, AT) == name
    assert zone(name).key == key


@pytest.mark.parametrize(
    "text", ["", "Berlin", "GMT+25", "../etc/passwd", "/etc/localtime", "localtime", "right/UTC", "W. Europe", "\0"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(RequestError) as refused:
        zone_name(text, AT)
    assert (refused.value.status, refused.value.code, refused.value.target) == (400, "InvalidMaintenanceWindow", AT)
    assert "is not a time zone" in refused.value.message


@pytest.mark.parametrize("name", sorted(UNMAPPED))
def test_names_without_a_place_are_refused_with_a_way_out(name: str) -> None:
    with pytest.raises(RequestError, match="use ") as refused:
        zone_name(name, AT)
    for fix in UNMAPPED[name].split(" or "):
        assert fix in refused.value.message
        assert zone_name(fix, AT) == fix


def test_the_table_says_what_cldr_says() -> None:
    """By the offsets over 20 years: CLDR keeps old names of some zones."""
    if not CLDR.is_file():
        pytest.skip("no CLDR table beside the project")
    published: dict[str, str] = json.loads(CLDR.read_text(encoding="utf-8"))
    assert set(published) <= set(WINDOWS_ZONES)
    instants = [datetime(2010, 1, 1, tzinfo=UTC) + timedelta(days=10 * step) for step in range(730)]
    for name, key in published.items():
        theirs, ours = ZoneInfo(key), zone(name)
        assert [at.astimezone(ours).utcoffset() for at in instants] == [
            at.astimezone(theirs).utcoffset() for at in instants
        ], name
