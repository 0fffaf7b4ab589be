"""The README keeps its word: settings, calls, files and commands that it names exist, and none is left out."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from functions.web import MACHINE
from infra.local import flags, proofs
from shared.settings import NAMES, SettingError, read_settings

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text()
GIVEN = {"AzureWebJobsStorage": "UseDevelopmentStorage=true", "OUM_BASE_URL": "https://app"}


def table(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading."""
    section = README.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[2:]]


def test_settings_table_names_every_setting_and_its_default() -> None:
    rows = {row[0].strip("`"): row[1].strip("`") for row in table("Settings")}
    assert set(rows) == set(NAMES.values())
    read, defaults = (
        read_settings(GIVEN),
        {name: text for name, text in rows.items() if text not in ("required", "empty")},
    )
    written = read_settings(GIVEN | {name: text for name, text in defaults.items() if name.startswith("OUM_")})
    assert written == read


@pytest.mark.parametrize("name", ["AzureWebJobsStorage", "OUM_BASE_URL"])
def test_a_missing_required_setting_is_refused_by_name(name: str) -> None:
    with pytest.raises(SettingError, match=name):
        read_settings({other: value for other, value in GIVEN.items() if other != name})


@pytest.mark.parametrize("text", ["a day", "PT0S", "-PT1H", "24"])
def test_an_unreadable_duration_is_refused_by_name(text: str) -> None:
    with pytest.raises(SettingError, match="OUM_ASSESSMENT_AGE"):
        read_settings(GIVEN | {"OUM_ASSESSMENT_AGE": text})


def test_every_route_is_in_the_table_of_calls() -> None:
    said = " ".join(f"{row[0]}" for row in table("What it answers"))
    for route in routes():
        last = [part for part in route.split("/") if not part.startswith("{")][-1]
        assert last in said, f"the README's table of calls does not name {route}"


def test_the_files_named_exist() -> None:
    for name in re.findall(r"`((?:functions|shared|infra|tests)/[\w/.]+)`", README):
        assert (PROJECT / name).exists() or name == "infra/azure/", name


def test_the_commands_named_exist() -> None:
    parser = flags.parser({name: proof.shows for name, proof in proofs.PROOFS.items()})
    for command in set(re.findall(r"dev\.py (\w+)", README)):
        assert parser.parse_args([command]).command == command


LIST_ROUTES = """
import json, function_app
triggers = [function.get_trigger() for function in function_app.app.get_functions()]
print(json.dumps([trigger.route for trigger in triggers if trigger.type == "httpTrigger"]))
"""


def routes() -> list[str]:
    """Every HTTP route but the fallback; in a process of its own, for an app can be indexed only once."""
    listed = subprocess.run(
        [sys.executable, "-c", LIST_ROUTES], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    return [route for route in json.loads(listed.stdout) if route not in (MACHINE, "{*path}")]
