"""Azure's own assessments: who has them, how often they come, and that nobody asks for them."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.sandbox.world import World

PATH = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
DAY = 24 * 3600.0
SPEED = 120.0
WITHOUT = {"poweredOff", "deallocated", "disconnected", "clusterNode", "platformSilent"}
SUMMARIES = "patchassessmentresources | where type !has 'softwarepatches'"


@pytest.fixture
def world() -> World:
    return World(platform=True)


def summaries(world: World, since: datetime | None = None) -> dict[str, dict[str, Any]]:
    """The rows of Azure's own assessments, by machine id in lower case."""
    world.clock.advance(1)
    text = SUMMARIES
    if since:
        text += f" | where todatetime(properties.lastModifiedDateTime) >= todatetime('{since.isoformat()}')"
    answer = world.send("POST", PATH, {"query": text})
    assert answer.status == 200, answer.body
    rows = json.loads(answer.body)["data"]
    return {row["id"].lower().partition("/patchassessmentresults")[0]: row["properties"] for row in rows}


def changed(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row["lastModifiedDateTime"])


def scripts(world: World, machines: set[str]) -> set[str]:
    return {each["script"] for each in world.fleet if each["id"].lower() in machines}


def test_machines_in_that_mode_have_a_result_of_today_with_everything_in_it(world: World) -> None:
    fresh = summaries(world, world.clock.now - timedelta(hours=24))
    assert 10 < len(fresh) < len(world.fleet)
    assert not scripts(world, set(fresh)) & {
        "poweredOff",
        "deallocated",
        "disconnected",
        "clusterNode",
        "platformSilent",
    }
    for machine in world.fleet:
        row = fresh.get(machine["id"].lower())
        if row and row["status"] == "Succeeded":
            assert sum(row["availablePatchCountByClassification"].values()) == len(machine["pending"]), machine
    assert {row["startedBy"] for row in fresh.values()} == {"Platform"}


def test_they_come_again_every_day_of_the_sandboxs_own(world: World) -> None:
    before = summaries(world, world.clock.now - timedelta(hours=24))
    world.clock.advance(DAY / SPEED + 10)
    after = summaries(world, world.clock.now - timedelta(seconds=DAY / SPEED + 10))
    assert set(after) == set(before)
    assert all(changed(after[machine]) > changed(before[machine]) for machine in before)
    world.clock.advance(50 * DAY / SPEED)
    later = summaries(world)
    assert all(changed(later[machine]) >= world.clock.now - timedelta(seconds=DAY / SPEED + 10) for machine in before)


def test_the_results_of_a_silent_machine_stopped_and_do_not_come(world: World) -> None:
    silent = world.one(script="platformSilent")["id"].lower()
    before = summaries(world)[silent]
    assert before["startedBy"] == "Platform"
    assert world.clock.now - changed(before) > timedelta(hours=24)
    world.clock.advance(3 * DAY / SPEED)
    assert summaries(world)[silent] == before


def test_a_machine_with_an_operation_under_way_is_left_for_later(world: World) -> None:
    fresh = summaries(world, world.clock.now - timedelta(hours=24))
    machine = next(each for each in world.fleet if each["id"].lower() in fresh and each["script"] == "healthy")
    world.clock.advance(DAY / SPEED - 0.01)
    world.finish(world.post(machine, "assessPatches"))
    world.clock.advance(10)
    row = summaries(world)[machine["id"].lower()]
    assert changed(row) > world.clock.now - timedelta(seconds=30), "the newest shows, whoever started it"


def test_without_the_platform_no_machine_is_in_that_mode() -> None:
    world = World()
    rows = json.loads(world.send("POST", PATH, {"query": "resources"}).body)["data"]
    modes = str([row["properties"].get("osProfile") for row in rows])
    assert "'assessmentMode': 'ImageDefault'" in modes
    assert "'assessmentMode': 'AutomaticByPlatform'" not in modes
