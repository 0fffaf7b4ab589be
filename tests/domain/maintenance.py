"""Bodies of maintenance configurations for the tests that need one, and Azure's published examples."""

import copy
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from shared.domain.configuration import Configuration
from shared.domain.configuration_body import patch_configuration, read_configuration
from shared.domain.errors import RequestError
from shared.domain.maintenance_id import ConfigurationId
from tests.domain.samples import NOW, SUBSCRIPTION

EXAMPLES = Path(__file__).parents[3] / "shared" / "contracts" / "Microsoft.Maintenance"
ADDRESS = ConfigurationId(subscription=SUBSCRIPTION, group="ops", name="nightly")
ONE_CLASS = {"classificationsToInclude": ["Security"]}
FLEET = "properties.fleet"
WINDOW = "properties.maintenanceWindow"

Path_ = tuple[str | int, ...]


def body(**changes: object) -> dict[str, Any]:
    """A good body; a change names its place with `__` for a step down; `...` takes the field out."""
    whole: dict[str, Any] = {
        "location": "West Europe",
        "tags": {"team": "ops"},
        "properties": {
            "namespace": "Microsoft.Maintenance",
            "extensionProperties": {"InGuestPatchMode": "User"},
            "maintenanceScope": "InGuestPatch",
            "maintenanceWindow": {
                "startDateTime": "2026-03-14 22:00",
                "expirationDateTime": "9999-12-31 00:00",
                "duration": "03:00",
                "timeZone": "W. Europe Standard Time",
                "recurEvery": "Week Saturday,Sunday",
            },
            "visibility": "Custom",
            "installPatches": {
                "rebootSetting": "IfRequired",
                "windowsParameters": copy.deepcopy(ONE_CLASS),
                "linuxParameters": copy.deepcopy(ONE_CLASS),
            },
        },
    }
    for place, value in changes.items():
        _put(whole, place.split("__"), value)
    return whole


def _put(whole: dict[str, Any], steps: list[str], value: object) -> None:
    *way, last = steps
    for step in way:
        whole = whole.setdefault(step, {})
    if value is ...:
        whole.pop(last, None)
    else:
        whole[last] = value


def window(**changes: object) -> dict[str, Any]:
    """A good body with another window."""
    return body(**{f"properties__maintenanceWindow__{name}": value for name, value in changes.items()})


def fleet(block: object = None, **changes: object) -> dict[str, Any]:
    """A good body with the block of ours, and a window changed if need be."""
    whole = window(**changes)
    whole["properties"]["fleet"] = {} if block is None else block
    return whole


def put(given: object, before: Configuration | None = None, now: datetime = NOW) -> Configuration:
    text = given if isinstance(given, bytes) else json.dumps(given).encode()
    return read_configuration(text, ADDRESS, now, before)


def patch(given: object, before: Configuration, now: datetime = NOW) -> Configuration:
    return patch_configuration(json.dumps(given).encode(), before, now)


def refusal(given: object, before: Configuration | None = None, now: datetime = NOW) -> RequestError:
    with pytest.raises(RequestError) as refused:
        put(given, before, now)
    return refused.value


def published(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every configuration in the bodies and answers of Azure's examples whose file begins so, under a name."""
    if not EXAMPLES.is_dir():
        pytest.skip("no Azure examples beside the project")
    for path in sorted(EXAMPLES.glob(f"*/examples/{kind}*.json")):
        example = json.loads(path.read_text(encoding="utf-8"))
        bodies = [value for value in example["parameters"].values() if isinstance(value, dict)]
        bodies += [answer["body"] for answer in example["responses"].values() if "body" in answer]
        for one in bodies:
            yield from ((f"{path.parts[-3]}/{path.name}", each) for each in one.get("value", [one]))
