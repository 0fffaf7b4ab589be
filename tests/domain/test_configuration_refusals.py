"""What a maintenance configuration may not say: each with Azure's code, a sentence, and the field to mend."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.errors import RequestError
from shared.domain.maintenance_id import NAMES_BELOW, ConfigurationId, configuration_id, parse_configuration_id
from tests.domain.maintenance import FLEET, ONE_CLASS, WINDOW, body, fleet, put, refusal, window
from tests.domain.samples import NOW, SUBSCRIPTION

PATCHES = "properties.installPatches"
EXTENSION = "properties.extensionProperties.InGuestPatchMode"

# `NOW` is Tuesday 10 March 2026, 12:00 UTC, 13:00 in the body's zone.
BAD_WINDOWS: list[tuple[dict[str, Any], str, str]] = [
    (body(properties__maintenanceWindow=...), WINDOW, "is required"),
    (window(startDateTime=...), f"{WINDOW}.startDateTime", "is required"),
    (window(startDateTime=" "), f"{WINDOW}.startDateTime", "is required"),
    (window(timeZone=None), f"{WINDOW}.timeZone", "is required"),
    (window(recurEvery=...), f"{WINDOW}.recurEvery", "is required"),
    (window(recurEvery="Month"), f"{WINDOW}.recurEvery", "missing day of month or week of month"),
    (window(recurEvery="5Hours"), f"{WINDOW}.recurEvery", "with properties.fleet"),
    (window(timeZone="Berlin"), f"{WINDOW}.timeZone", "is not a time zone"),
    (window(startDateTime="2026-03-14"), f"{WINDOW}.startDateTime", "YYYY-MM-DD hh:mm"),
    (window(startDateTime="2026-02-30 10:00"), f"{WINDOW}.startDateTime", "YYYY-MM-DD hh:mm"),
    (window(startDateTime="2026-03-14 24:30"), f"{WINDOW}.startDateTime", "YYYY-MM-DD hh:mm"),
    (window(startDateTime="2026-03-14 22:00Z"), f"{WINDOW}.startDateTime", "without an offset"),
    (window(startDateTime="2026-03-14T22:00:00+01:00"), f"{WINDOW}.startDateTime", "without an offset"),
    (window(startDateTime="1999-12-31 22:00"), f"{WINDOW}.startDateTime", "is not a local time"),
    (window(startDateTime="9500-01-01 22:00"), f"{WINDOW}.startDateTime", "later than the year"),
    (window(expirationDateTime="never"), f"{WINDOW}.expirationDateTime", "is not a local time"),
    (window(expirationDateTime="2026-03-14 22:00"), f"{WINDOW}.expirationDateTime", "later than startDateTime"),
    (window(expirationDateTime="2026-03-14 22:30", recurEvery="Week Monday"), f"{WINDOW}.recurEvery", "ever open"),
    (window(recurEvery="12Months day30", startDateTime="2027-02-01 01:00"), f"{WINDOW}.recurEvery", "ever open"),
    (window(duration="3h"), f"{WINDOW}.duration", "like 03:55"),
    (window(duration="PT3H"), f"{WINDOW}.duration", "like 03:55"),
    (window(duration="03:60"), f"{WINDOW}.duration", "like 03:55"),
    (window(duration="01:29"), f"{WINDOW}.duration", "01:30 to 03:55; 00:30 to 24:00 with properties.fleet"),
    (window(duration="03:56"), f"{WINDOW}.duration", "out of range"),
    (window(startDateTime="2026-03-10 13:14"), f"{WINDOW}.startDateTime", "at least 15 minutes from now"),
    (window(startDateTime="2020-04-30 08:00"), f"{WINDOW}.startDateTime", "at least 15 minutes from now"),
    (fleet(duration="00:29"), f"{WINDOW}.duration", "use 00:30 to 24:00."),
    (fleet(duration="24:01"), f"{WINDOW}.duration", "out of range"),
    (fleet(recurEvery="2Hours"), f"{WINDOW}.duration", "would last into that of"),
    (fleet(expirationDateTime="2026-03-10 13:00", startDateTime="2026-01-01 00:00"),
     f"{WINDOW}.expirationDateTime", "in the future"),
    (fleet({"rules": [{"recurEvery": "Day", "startDateTime": "2026-03-14 23:00"}]}),
     f"{WINDOW}.duration", "would last into that of"),
    (fleet({"rules": [{"recurEvery": "Month"}]}), f"{FLEET}.rules[0].recurEvery", "missing day of month"),
    (fleet({"rules": [{"recurEvery": "Day"}, {"recurEvery": "Day", "duration": "25:00"}]}),
     f"{FLEET}.rules[1].duration", "out of range"),
    (fleet({"rules": [{"recurEvery": "Day", "startDateTime": "soon"}]}),
     f"{FLEET}.rules[0].startDateTime", "is not a local time"),
]  # fmt: skip

TOO_MANY_WAVES = [{"name": str(number), "zones": ["1"]} for number in range(21)]

BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    (body(location=...), "location"),
    (body(location=" "), "location"),
    (body(location=1), "location"),
    (body(tags={"a": 1}), "tags[...]"),
    (body(tags={"": "x"}), "tags."),
    (body(tags={str(number): "" for number in range(51)}), "tags"),
    (body(tags={"a": "x" * 257}), "tags.a"),
    (body(properties=...), "properties"),
    (body(properties=[]), "properties"),
    (body(sku="x"), "sku"),
    (body(properties__maintenanceScope=...), "properties.maintenanceScope"),
    (body(properties__maintenanceScope="OSImage"), "properties.maintenanceScope"),
    (body(properties__maintenanceScope="Guest"), "properties.maintenanceScope"),
    (body(properties__visibility="Public"), "properties.visibility"),
    (body(properties__visibility="Secret"), "properties.visibility"),
    (body(properties__extensionProperties=...), EXTENSION),
    (body(properties__extensionProperties={}), EXTENSION),
    (body(properties__extensionProperties={"InGuestPatchMode": "Platform"}), EXTENSION),
    (body(properties__extensionProperties={"InGuestPatchMode": True}), "properties.extensionProperties[...]"),
    (body(properties__overrides=[]), "properties.overrides"),
    (window(recurrence="Day"), f"{WINDOW}.recurrence"),
    (window(duration=3), f"{WINDOW}.duration"),
    (body(properties__installPatches=...), PATCHES),
    (body(properties__installPatches={}), PATCHES),
    (body(properties__installPatches__rebootSetting="Maybe"), f"{PATCHES}.rebootSetting"),
    (body(properties__installPatches__tasks={}), f"{PATCHES}.tasks"),
    (body(properties__installPatches__windowsParameters={}), f"{PATCHES}.windowsParameters"),
    (body(properties__installPatches__linuxParameters={"packageNameMasksToExclude": ["a"]}),
     f"{PATCHES}.linuxParameters"),
    (body(properties__installPatches__windowsParameters={"classificationsToInclude": ["Security", "Other"]}),
     f"{PATCHES}.windowsParameters.classificationsToInclude[1]"),
    (body(properties__installPatches__windowsParameters={"kbNumbersToInclude": ["KBx"]}),
     f"{PATCHES}.windowsParameters.kbNumbersToInclude[0]"),
    (body(properties__installPatches__windowsParameters={**ONE_CLASS, "maxPatchPublishDate": "2026-01-01"}),
     f"{PATCHES}.windowsParameters.maxPatchPublishDate"),
    (body(properties__installPatches__linuxParameters={"classificationsToInclude": ["Critical", "Other"]}),
     f"{PATCHES}.linuxParameters.classificationsToInclude"),
    (body(properties__installPatches__linuxParameters={**ONE_CLASS, "packageNameMasksToInclude": ["a b"]}),
     f"{PATCHES}.linuxParameters.packageNameMasksToInclude[0]"),
    (fleet([]), FLEET),
    (fleet({"unknown": 1}), f"{FLEET}.unknown"),
    (fleet({"enabled": "yes"}), f"{FLEET}.enabled"),
    (fleet({"rules": [{"recurEvery": "Day"}] * 11}), f"{FLEET}.rules"),
    (fleet({"rules": [{}]}), f"{FLEET}.rules[0].recurEvery"),
    (fleet({"deferralDays": -1}), f"{FLEET}.deferralDays"),
    (fleet({"deferralDays": 366}), f"{FLEET}.deferralDays"),
    (fleet({"deferralDays": 7}), f"{FLEET}.deferralDays"),  # Linux packages have no publish date
    (fleet({"patchNameMasksToExclude": ["a/b"]}), f"{FLEET}.patchNameMasksToExclude[0]"),
    (body(properties__fleet={"patchNameMasksToInclude": ["a"]}, properties__installPatches__windowsParameters=...),
     f"{FLEET}.patchNameMasksToInclude"),
    (fleet({"maxConcurrency": 0}), f"{FLEET}.maxConcurrency"),
    (fleet({"maxConcurrency": "0%"}), f"{FLEET}.maxConcurrency"),
    (fleet({"maxConcurrency": "101%"}), f"{FLEET}.maxConcurrency"),
    (fleet({"maxConcurrency": "all"}), f"{FLEET}.maxConcurrency"),
    (fleet({"maxConcurrency": 1.5}), f"{FLEET}.maxConcurrency"),
    (fleet({"maxConcurrency": True}), f"{FLEET}.maxConcurrency"),
    (fleet({"maxFailures": -1}), f"{FLEET}.maxFailures"),
    (fleet({"maxFailures": "-5%"}), f"{FLEET}.maxFailures"),
    (fleet({"preEventLead": "PT14M"}), f"{FLEET}.preEventLead"),
    (fleet({"preEventLead": "PT25H"}), f"{FLEET}.preEventLead"),
    (fleet({"preEventLead": "40"}), f"{FLEET}.preEventLead"),
    (fleet({"preEventLead": "PT6H1M"}, recurEvery="6Hours"), f"{FLEET}.preEventLead"),
    (fleet({"waitFor": ["a", "A"]}), f"{FLEET}.waitFor[1]"),
    (fleet({"waitFor": [" "]}), f"{FLEET}.waitFor[0]"),
    (fleet({"waitFor": [str(number) for number in range(11)]}), f"{FLEET}.waitFor"),
    (fleet({"waves": TOO_MANY_WAVES}), f"{FLEET}.waves"),
    (fleet({"waves": [{"zones": ["1"]}]}), f"{FLEET}.waves[0].name"),
    (fleet({"waves": [{"name": "a", "zones": ["1"]}, {"name": "A", "zones": ["2"]}]}), f"{FLEET}.waves[1].name"),
    (fleet({"waves": [{"name": "a"}]}), f"{FLEET}.waves[0]"),
    (fleet({"waves": [{"name": "a", "zones": []}]}), f"{FLEET}.waves[0]"),
    (fleet({"waves": [{"name": "a", "zones": ["1"], "updateDomains": [0]}]}), f"{FLEET}.waves[0]"),
    (fleet({"waves": [{"name": "a", "tag": {"name": "", "values": ["x"]}}]}), f"{FLEET}.waves[0].tag.name"),
    (fleet({"waves": [{"name": "a", "tag": {"name": "ring", "values": []}}]}), f"{FLEET}.waves[0]"),
    (fleet({"waves": [{"name": "a", "zones": ["1"] * 101}]}), f"{FLEET}.waves[0]"),
    (fleet({"waves": [{"name": "a", "machines": ["vm1"]}]}), f"{FLEET}.waves[0].machines[0]"),
    (fleet({"waves": [{"name": "a", "zones": ["1"], "soak": "-PT1M"}]}), f"{FLEET}.waves[0].soak"),
    (fleet({"waves": [{"name": "a", "zones": ["1"], "successThreshold": 101}]}), f"{FLEET}.waves[0].successThreshold"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "target", "said"), BAD_WINDOWS)
def test_windows_that_cannot_be(given: dict[str, Any], target: str, said: str) -> None:
    error = refusal(given)
    assert (error.status, error.code, error.target) == (400, "InvalidMaintenanceWindow", target)
    assert said in error.message


@pytest.mark.parametrize(("given", "target"), BAD_FIELDS)
def test_fields_that_cannot_be(given: dict[str, Any], target: str) -> None:
    error = refusal(given)
    assert (error.status, error.code, error.target) == (400, "InvalidParameter", target)
    assert len(error.message) > 10


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b'"x"', b"1"])
def test_a_body_has_to_be_an_object(text: bytes) -> None:
    error = refusal(text)
    assert (error.status, error.target) == (400, "body")


@pytest.mark.parametrize("text", [b"{", b"\xff", b'{"properties": ' + b"[" * 100_000])
def test_a_body_has_to_be_json(text: bytes) -> None:
    error = refusal(text)
    assert (error.status, error.code) == (400, "InvalidRequestContent")


@pytest.mark.parametrize(
    "given",
    [
        window(startDateTime="2026-03-10 13:15"),
        window(duration="01:30"),
        window(duration="03:55"),
        fleet(startDateTime="2019-01-01 00:00"),
        fleet(duration="00:30"),
        fleet(duration="24:00", recurEvery="Day"),
        fleet(duration="01:00", recurEvery="Hour"),
        fleet(recurEvery="Month Second Tuesday Offset-31"),
        fleet({"rules": [{"recurEvery": "Day", "startDateTime": "2026-03-15 01:00"}]}),
        fleet({"maxConcurrency": 1, "maxFailures": 0}),
        fleet({"maxConcurrency": "100 %", "maxFailures": "0%"}),
        fleet({"preEventLead": "PT15M", "waitFor": ["backup", "drain"]}),
        fleet({"preEventLead": "PT6H"}, recurEvery="6Hours"),
    ],
)
def test_what_lies_just_within_the_bounds(given: dict[str, Any]) -> None:
    put(given)


def test_a_start_that_did_not_change_may_have_passed() -> None:
    before, later = put(body()), NOW + timedelta(days=300)
    put(window(duration="02:00"), before, later)
    changed = refusal(window(startDateTime="2026-03-15 22:00"), before, later)
    assert (changed.target, "today or later" in changed.message) == (f"{WINDOW}.startDateTime", True)


def test_a_changed_start_may_be_today_in_its_own_zone() -> None:
    """In Auckland it is 11 March already."""
    before = put(body())
    auckland = {"timeZone": "New Zealand Standard Time"}
    put(window(startDateTime="2026-03-11 00:00", **auckland), before)
    assert refusal(window(startDateTime="2026-03-10 23:00", **auckland), before).target == f"{WINDOW}.startDateTime"


def test_an_expired_configuration_can_still_be_edited() -> None:
    before = put(window(expirationDateTime="2026-05-01 00:00"))
    later = datetime(2027, 1, 1, tzinfo=UTC)
    put(window(expirationDateTime="2026-05-01 00:00", duration="02:00"), before, later)
    error = refusal(window(expirationDateTime="2026-06-01 00:00"), before, later)
    assert error.target == f"{WINDOW}.expirationDateTime"


def test_a_configuration_stays_where_it_is() -> None:
    before = put(body())
    put(body(location="westeurope"), before)
    error = refusal(body(location="UK South"), before)
    assert (error.status, error.code, error.target) == (409, "InvalidResourceLocation", "location")


@pytest.mark.parametrize(
    ("reboot", "soak", "fits"),
    [("Never", "PT12M", True), ("Never", "PT13M", False), ("Always", "PT2M", True), ("Always", "PT3M", False)],
)
def test_the_last_wave_has_to_start_before_the_cut_off(reboot: str, soak: str, fits: bool) -> None:
    """Thirty minutes; Windows needs 15 and a reboot 10, our own send 2; soaking after the last wave delays nothing."""
    waves = [{"name": name, "zones": [name], "soak": soak} for name in "12"]
    given = fleet({"waves": waves}, duration="00:30")
    given["properties"]["installPatches"]["rebootSetting"] = reboot
    if fits:
        put(given)
    else:
        error = refusal(given)
        assert (error.target, "cut-off" in error.message) == (f"{FLEET}.waves", True)


@pytest.mark.parametrize("name", ["", "a/b", "a?b", "a#b", " a", "a.", "a\n", "x" * (NAMES_BELOW - 3), "x y" * 40])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(RequestError) as refused:
        configuration_id(SUBSCRIPTION, "ops", name)
    assert (refused.value.status, refused.value.target) == (400, "name")


def test_an_address_is_read_in_any_casing() -> None:
    given = ConfigurationId(subscription=SUBSCRIPTION, group="Ops", name="x" * (NAMES_BELOW - 4))
    assert parse_configuration_id(str(given), "id") == given
    lower = parse_configuration_id(f"{str(given).lower()}/", "id")
    assert lower.key == given.key
    for text in ("", "nightly", f"{given}/x", str(given).replace("Microsoft.Maintenance", "Microsoft.Compute")):
        with pytest.raises(RequestError) as refused:
            parse_configuration_id(text, "properties.maintenanceConfigurationId")
        assert refused.value.target == "properties.maintenanceConfigurationId"


def test_every_bad_value_in_every_field_is_a_refusal() -> None:
    """Whatever stands in a field, the answer is Azure's error body and never an exception of ours."""
    values: list[object] = [None, True, -1, 1e400, "", "x" * 5000, [], [[]], [None], {}, {"": {}}, "\ud800", 10**400]
    good = fleet({"rules": [{"recurEvery": "Month day1"}], "waves": [{"name": "a", "zones": ["1"]}]})
    for path in _paths(good):
        for value in values:
            assert _status(_with(good, path, value)) in (200, 400), (path, value)


def _status(given: object) -> int:
    try:
        put(given)
    except RequestError as error:
        return error.status
    return 200


def _paths(value: object) -> list[tuple[str | int, ...]]:
    inner: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [(key, *rest) for key, each in inner for rest in ((), *_paths(each))]


def _with(whole: Any, path: tuple[str | int, ...], value: object) -> Any:  # noqa: ANN401 - JSON
    copy = json.loads(json.dumps(whole))
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return copy
