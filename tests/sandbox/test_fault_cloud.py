"""Faults inside the cloud: busy machines, expiring addresses, short pages, late rows, subscriptions, the clock."""

import json
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

from tests.sandbox.world import World, install_body

SUBSCRIPTIONS = "/subscriptions?api-version=2022-12-01"


@pytest.fixture
def world() -> World:
    return World()


def last(world: World, *names: str) -> tuple[Any, ...]:
    entry = world.journal("request")[-1]
    return tuple(entry[name] for name in names)


def error(content: bytes) -> str:
    return str(json.loads(content)["error"]["code"])


@pytest.mark.parametrize("vm", [True, False])
def test_a_machine_can_be_busy_on_request(world: World, vm: bool) -> None:
    machine = world.one(vm=vm)
    world.fault("busy", path_contains=machine["id"], seconds=20)
    assert world.post(machine, "assessPatches").status == 409
    (foreign,) = world.journal("operationAccepted")
    assert (foreign["machine"], foreign["principal"]) == (machine["id"], "platform")
    assert last(world, "status", "azureStatus", "faults") == (409, 409, ["busy"])
    world.clock.advance(19)
    assert world.post(machine, "assessPatches").status == 409
    world.clock.advance(1)
    assert world.post(machine, "assessPatches").status == 202


@pytest.mark.parametrize("vm", [True, False])
@pytest.mark.parametrize("os", ["Windows", "Linux"])
def test_a_machine_can_accept_and_supersede(world: World, vm: bool, os: str) -> None:
    """The older operation ends without having done anything; its address says Failed."""
    machine = world.one(vm=vm, os=os)
    first = world.post(machine, "installPatches", install_body(machine))
    world.fault("supersede", path_contains=machine["id"])
    second = world.post(machine, "assessPatches")
    assert (first.status, second.status) == (202, 202)
    status = json.loads(world.send("GET", first.headers["Azure-AsyncOperation"]).body)
    assert (status["status"], status["error"]["code"]) == ("Failed", "NEWER_OPERATION_SUPERSEDED")
    assert world.finish(second)[1]["status"] == "Succeeded"
    events = [entry["event"] for entry in world.journal() if entry["event"] not in ("request", "fault")]
    assert events == ["operationAccepted", "operationEnded", "operationAccepted", "operationEnded"]
    (now,) = [each for each in world.get("/sandbox/fleet") if each["id"] == machine["id"]]
    assert now["pending"] == machine["pending"]


def test_a_free_machine_supersedes_what_somebody_else_began(world: World) -> None:
    machine = world.one()
    world.fault("supersede")
    assert world.post(machine, "assessPatches").status == 202
    assert world.struck() == ["supersede"]
    ended = world.journal("operationEnded")
    assert [(entry["principal"], entry["status"]) for entry in ended] == [("platform", "Failed")]


@pytest.mark.parametrize("installation", [False, True])
def test_somebody_else_starts_an_operation(world: World, installation: bool) -> None:
    machine = world.one(vm=True)
    world.fault("foreign", machine=machine["id"].upper(), seconds=30, installation=installation)
    (accepted,) = world.journal("operationAccepted")
    kind = "installation" if installation else "assessment"
    assert (accepted["kind"], accepted["principal"], accepted["machine"]) == (kind, "platform", machine["id"])
    assert world.struck() == ["foreign"]
    view = world.get(f"{machine['id']}/instanceView?api-version=2025-04-01")["patchStatus"]
    summary = "lastPatchInstallationSummary" if installation else "availablePatchSummary"
    assert view[summary]["status"] == "InProgress"
    assert world.post(machine, "assessPatches").status == 409
    world.clock.advance(30)
    assert world.post(machine, "assessPatches").status == 202
    (now,) = [each for each in world.get("/sandbox/fleet") if each["id"] == machine["id"]]
    assert now["pending"] == ([] if installation else machine["pending"])


def test_nobody_starts_anything_where_it_cannot_be(world: World) -> None:
    off, busy = world.one(script="deallocated", pending=0), world.one()
    world.post(busy, "assessPatches")
    for machine, status in ((off["id"], 409), (busy["id"], 409), (f"{busy['id']}x", 404)):
        assert world.send("POST", "/sandbox/faults", {"kind": "foreign", "machine": machine}).status == status
    assert world.struck() == []


@pytest.mark.parametrize("vm", [True, False])
@pytest.mark.parametrize(("status", "code"), [(404, "NotFound"), (410, "Gone")])
def test_the_addresses_of_an_operation_expire_when_stated(world: World, vm: bool, status: int, code: str) -> None:
    machine = world.one(vm=vm)
    world.fault("expire", path_contains=machine["id"], seconds=90, status=status)
    accepted = world.post(machine, "assessPatches")
    world.clock.advance(89)
    assert world.send("GET", accepted.headers["Azure-AsyncOperation"]).status == 200
    world.clock.advance(1)
    for address in ("Location", "Azure-AsyncOperation"):
        answer = world.send("GET", accepted.headers[address])
        assert (answer.status, error(answer.body)) == (status, code)
    (expires,) = world.journal("operationExpires")
    assert (expires["at"], expires["status"]) == ("2026-11-20T09:01:30.0000000Z", status)
    assert len(world.journal("operationEnded")) == 1


def query(world: World, text: str) -> list[Any]:
    """Every page of a query by the official client, until it gives no token."""
    pages: list[Any] = []
    token = None
    while True:
        options = QueryRequestOptions(skip_token=token)
        page = world.graph().resources(QueryRequest(query=text, options=options))
        pages.append(page)
        token = page.skip_token
        if not token:
            return pages


def test_resource_graphs_pages_may_be_short_or_empty(world: World) -> None:
    world.fault("page", rows=7)
    world.fault("page", rows=0)
    pages = query(world, "resources | project id | order by id asc")
    assert [page.count for page in pages] == [7, 0, 53]
    assert [page.skip_token is not None for page in pages] == [True, True, False]
    assert {row["id"] for page in pages for row in page.data} == {machine["id"] for machine in world.fleet}
    assert world.struck() == ["page", "page"]


def test_pages_of_a_list_may_be_short_or_empty(world: World) -> None:
    subscription = world.one(vm=True)["subscription"]
    client = world.compute(subscription).virtual_machines
    whole = [vm.id for vm in client.list_all()]
    world.fault("page", rows=3)
    world.fault("page", rows=0)
    pages = [[vm.id for vm in page] for page in client.list_all().by_page()]
    assert [len(page) for page in pages[:2]] == [3, 0]
    assert [id_ for page in pages for id_ in page] == whole


def test_resource_graph_may_lag(world: World) -> None:
    machine = world.one(pending=1)
    text = f"patchassessmentresources | where id startswith '{machine['id']}/' | order by id asc"
    before = query(world, text)[0].data
    world.finish(world.post(machine, "assessPatches"))
    world.clock.advance(60)
    world.fault("graphLag", seconds=3600)
    assert query(world, text)[0].data == before
    assert len(query(world, text)[0].data) == 1 + len(machine["pending"])
    assert world.struck() == ["graphLag"]


def test_a_forbidden_subscription_refuses_alone(world: World) -> None:
    first, second = sorted({machine["subscription"] for machine in world.fleet})[:2]
    world.fault("forbidden", subscription=first.upper())
    with pytest.raises(HttpResponseError) as raised:
        list(world.compute(first).virtual_machines.list_all())
    assert not isinstance(raised.value, ClientAuthenticationError)
    assert raised.value.status_code == 403
    assert "AuthorizationFailed" in str(raised.value)
    list(world.compute(second).virtual_machines.list_all())
    rows = world.graph().resources(QueryRequest(query="resources | project subscriptionId, id")).data
    assert first not in {row["subscriptionId"] for row in rows}
    assert second in {row["subscriptionId"] for row in rows}
    assert last(world, "status") == (200,)
    assert world.send("DELETE", "/sandbox/faults").status == 204
    list(world.compute(first).virtual_machines.list_all())
    assert [entry["event"] for entry in world.journal() if "Began" in entry["event"] or "Ended" in entry["event"]] == [
        "faultBegan", "faultEnded",
    ]  # fmt: skip


@pytest.mark.parametrize("wait", [0, 17])
def test_a_throttled_subscription_refuses_alone(world: World, wait: int) -> None:
    first, second = sorted({machine["subscription"] for machine in world.fleet})[:2]
    world.fault("throttled", subscription=first, retry_after=wait)
    answers = [world.send("GET", f"/subscriptions/{first}/resourcegroups?api-version=2021-04-01") for _ in range(3)]
    assert [(answer.status, error(answer.body)) for answer in answers] == [(429, "SubscriptionRequestsThrottled")] * 3
    assert answers[0].headers.get("Retry-After") == (str(wait) if wait else None)
    assert world.send("GET", f"/subscriptions/{second}/resourcegroups?api-version=2021-04-01").status == 200


def test_a_subscription_that_is_not_there_cannot_be_forbidden(world: World) -> None:
    body = {"kind": "forbidden", "subscription": "cfbbd179-59d2-4052-aa06-9270a38aa9d6"}
    assert world.send("POST", "/sandbox/faults", body).status == 404


@pytest.mark.parametrize(("seconds", "date"), [(-90, "08:58:30"), (90, "09:01:30")])
def test_the_date_header_may_be_off(world: World, seconds: int, date: str) -> None:
    world.fault("clock", seconds=seconds)
    assert date in world.send("GET", SUBSCRIPTIONS).headers["Date"]
    assert date in world.send("GET", "/subscriptions/none?api-version=2022-12-01").headers["Date"]
    (began,) = world.journal("faultBegan")
    assert (began["kind"], began["seconds"], began["time"][:19]) == ("clock", seconds, "2026-11-20T09:00:00")
    world.send("DELETE", "/sandbox/faults")
    assert "09:00:00" in world.send("GET", SUBSCRIPTIONS).headers["Date"]
