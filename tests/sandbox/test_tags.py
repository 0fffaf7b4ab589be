"""Tags of a subscription through ARM's tags API."""

from typing import Any

import pytest

from infra.local.sandbox.tags import MOST
from tests.sandbox.world import World

PATH = "providers/Microsoft.Resources/tags/default?api-version=2021-04-01"


@pytest.fixture
def world() -> World:
    return World(machines=14)


def scope(world: World) -> str:
    return f"/subscriptions/{world.fleet[0]['subscription']}"


def tags(world: World, path: str = "") -> dict[str, str]:
    found: dict[str, str] = world.get(f"{path or scope(world)}/{PATH}")["properties"]["tags"]
    return found


def change(world: World, operation: str, given: Any) -> int:  # noqa: ANN401 - any JSON
    body = {"operation": operation, "properties": {"tags": given}}
    return world.send("PATCH", f"{scope(world)}/{PATH}", body).status


def test_they_are_merged_without_case_deleted_and_replaced(world: World) -> None:
    assert tags(world) == {}
    assert change(world, "Merge", {"Env": "prod", "team": "a"}) == 200
    assert change(world, "merge", {"env": "test"}) == 200
    assert tags(world) == {"team": "a", "env": "test"}
    assert change(world, "Delete", {"TEAM": ""}) == 200
    assert tags(world) == {"env": "test"}
    assert world.get(f"{scope(world)}?api-version=2022-12-01")["tags"] == {"env": "test"}
    assert change(world, "Replace", {"x": "y"}) == 200
    assert tags(world) == {"x": "y"}


def test_they_are_of_one_subscription(world: World) -> None:
    change(world, "Merge", {"a": "b"})
    other = next(each["subscription"] for each in world.fleet if each["subscription"] not in scope(world))
    assert tags(world, f"/subscriptions/{other}") == {}


@pytest.mark.parametrize(
    "given",
    [{"a/b": "x"}, {"n" * 513: "x"}, {"azure-x": "x"}, {"a": "v" * 257}, {"a": 1}, None,
     {f"t{number}": "x" for number in range(MOST + 1)}],
)  # fmt: skip
def test_what_azure_would_not_take_is_refused_and_changes_nothing(world: World, given: object) -> None:
    assert change(world, "Merge", given) == 400
    assert tags(world) == {}
    assert change(world, "Swap", {"a": "b"}) == 400


def test_a_sandbox_may_begin_with_its_subscriptions_marked() -> None:
    world = World(machines=14, owner="somebody")
    assert tags(world) == {"open-update-manager-owner": "somebody"}
