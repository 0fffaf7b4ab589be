"""Resource Graph as the app meets it: rows that come late, pages, scope and quota."""

import json
from typing import Any

import pytest

from infra.local.sandbox.throttles import GRAPH_QUERIES
from tests.sandbox.world import World, install_body

PATH = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"


def ask(world: World, query: str, **body: object) -> Any:  # noqa: ANN401 - any JSON
    """An answer that must succeed, after a second so that the quota is no matter."""
    world.clock.advance(1)
    answer = world.send("POST", PATH, {"query": query, **body})
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def rows(world: World, table: str, machine: dict[str, Any]) -> list[dict[str, Any]]:
    return list(ask(world, f"{table} | where id startswith '{machine['id']}/' | order by id asc")["data"])


@pytest.fixture
def world() -> World:
    return World()


def test_rows_come_one_to_three_seconds_after_the_end(world: World) -> None:
    machine = world.one(vm=False, pending=2)
    before = rows(world, "patchassessmentresources", machine)
    accepted = world.post(machine, "assessPatches")
    while world.send("GET", accepted.headers["Location"]).status == 202:
        world.clock.advance(0.1)
    query = f"patchassessmentresources | where id startswith '{machine['id']}/'"

    def now() -> Any:  # noqa: ANN401 - any JSON
        return json.loads(world.send("POST", PATH, {"query": query}).body)["data"]

    ended = world.clock.now
    assert [row["id"] for row in now()] == [row["id"] for row in before]
    world.clock.advance(0.7)
    assert len(now()) == len(before)
    world.clock.advance(2.5)
    assert len(now()) == len(machine["pending"]) + 1
    summary = next(row for row in now() if row["type"].endswith("/patchassessmentresults"))
    assert summary["properties"]["lastModifiedDateTime"] <= ended.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(("os", "source"), [("Windows", "WU-WSUS"), ("Linux", "APT")])
def test_assessment_rows_have_azures_form(world: World, os: str, source: str) -> None:
    machine = next(
        item for item in world.fleet if item["os"] == os and "gce" in item["id"].lower() and item["script"] == "healthy"
        and item["pending"]
    )  # fmt: skip
    world.finish(world.post(machine, "assessPatches"))
    world.clock.advance(5)
    summary, *patches = rows(world, "patchassessmentresources", machine)
    own = machine["id"].lower()
    assert summary["id"] == f"{own}/patchAssessmentResults/latest"
    assert summary["type"] == "microsoft.hybridcompute/machines/patchassessmentresults"
    assert summary["properties"]["patchServiceUsed"] == source
    assert sum(summary["properties"]["availablePatchCountByClassification"].values()) == len(patches)
    assert summary["resourceGroup"] == machine["id"].split("/")[4].lower()
    for row in patches:
        assert row["id"] == f"{own}/patchAssessmentResults/latest/softwarePatches/{row['name']}"
        assert row["type"] == "microsoft.hybridcompute/machines/patchassessmentresults/softwarepatches"
        assert ("kbId" in row["properties"]) == (os == "Windows")
        assert ("version" in row["properties"]) == (os == "Linux")
    assert {row["name"] for row in patches} == set(machine["pending"])


def test_installations_are_kept_and_show_while_they_run(world: World) -> None:
    machine = world.one(os="Linux", vm=True, pending=4)
    accepted = world.post(machine, "installPatches", install_body(machine))
    world.clock.advance(3)
    (running,) = rows(world, "patchinstallationresources", machine)
    assert running["properties"]["status"] == "InProgress"
    world.finish(accepted)
    world.finish(world.post(machine, "installPatches", install_body(machine)))
    world.clock.advance(5)
    found = rows(world, "patchinstallationresources", machine)
    summaries = [row for row in found if row["type"].endswith("/patchinstallationresults")]
    assert [row["properties"]["status"] for row in summaries] == ["Succeeded", "Succeeded"]
    patches = [row for row in found if row["type"].endswith("/softwarepatches")]
    assert {row["properties"]["installationState"] for row in patches} == {"Installed"}
    assert len(patches) == len(machine["pending"])
    assert all("/patchInstallationResults/" in row["id"] for row in found)


def test_linux_other_is_others_in_rows_and_other_in_results() -> None:
    world = World(machines=250)
    for machine in world.fleet:
        if "debian" not in str(machine["pending"]) or machine["script"] != "healthy":
            continue
        _, result = world.finish(world.post(machine, "assessPatches"))
        world.clock.advance(5)
        classes = {
            row["properties"].get("classifications", [""])[0]
            for row in rows(world, "patchassessmentresources", machine)
        }
        if machine["kind"] == "AzureVM" and "Others" in classes:
            words = {patch["classifications"][0] for patch in result["availablePatches"]}
            assert "Other" in words
            assert "Others" not in words
            assert "Other" not in classes
            return
    raise AssertionError("no machine misses an update of the class Other")


def test_pages_hold_each_row_once(world: World) -> None:
    query = "resources | project id, name | order by id asc"
    seen: list[str] = []
    options: dict[str, object] = {"$top": 25}
    while True:
        page = ask(world, query, options=options)
        seen += [row["id"] for row in page["data"]]
        assert page["count"] == len(page["data"])
        assert page["totalRecords"] == 60
        if "$skipToken" not in page:
            break
        options = {"$top": 25, "$skipToken": page["$skipToken"]}
    assert seen == sorted(machine["id"] for machine in world.fleet)


def test_without_an_id_column_the_rest_is_cut_off_and_said_so(world: World) -> None:
    page = ask(world, "resources | project name", options={"$top": 5})
    assert page["resultTruncated"] == "true"
    assert "$skipToken" not in page


def test_scope_is_the_subscriptions_named(world: World) -> None:
    one = world.fleet[0]["subscription"]
    found = ask(world, "resources | project id, subscriptionId", subscriptions=[one.upper()])["data"]
    assert {row["subscriptionId"] for row in found} == {one}
    assert ask(world, "resources", subscriptions=["cfbbd179-59d2-4052-aa06-9270a38aa9d6"])["data"] == []


def test_a_vms_power_is_in_resources(world: World) -> None:
    off = world.one(script="deallocated", pending=0)
    column = "power = properties.extended.instanceView.powerState.code"
    (row,) = ask(world, f"resources | where id =~ '{off['id']}' | project {column}")["data"]
    assert row == {"power": "PowerState/deallocated"}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"query": "securityresources"}, "securityresources"),
        ({"query": "resources", "options": {"resultFormat": "table"}}, "table"),
        ({"query": "resources", "options": {"authorizationScopeFilter": "AtScopeExact"}}, "authorizationScopeFilter"),
        ({"query": "resources", "options": {"$top": 0}}, "$top"),
        ({"query": "resources", "options": {"$skipToken": "abc"}}, "$skipToken"),
        ({"query": "resources", "facets": [{"expression": "location"}]}, "facets"),
        ({"query": "resources", "managementGroups": ["x"]}, "managementGroups"),
        ({"query": "resources", "subscriptions": "x"}, "subscriptions"),
        ({}, "no query"),
    ],
)
def test_what_is_not_served_is_refused_by_name(world: World, body: dict[str, Any], named: str) -> None:
    answer = world.send("POST", PATH, body)
    assert answer.status == 400
    assert named in json.loads(answer.body)["error"]["message"]


def test_the_quota_is_fifteen_in_five_seconds(world: World) -> None:
    left = [
        int(world.send("POST", PATH, {"query": "resources | take 1"}).headers["x-ms-user-quota-remaining"])
        for _ in range(GRAPH_QUERIES)
    ]
    assert left == list(range(14, -1, -1))
    refused = world.send("POST", PATH, {"query": "resources | take 1"})
    assert refused.status == 429
    assert refused.headers["x-ms-user-quota-remaining"] == "0"
    assert refused.headers["x-ms-user-quota-resets-after"] == "00:00:05"
    world.clock.advance(int(refused.headers["Retry-After"]))
    assert world.send("POST", PATH, {"query": "resources | take 1"}).status == 200
