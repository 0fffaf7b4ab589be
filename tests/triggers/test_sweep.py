"""Bad input over every route of the real app in the local Functions host: never a 5xx, always Azure's error body."""

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from infra.local.host.metadata import ALL_METHODS, Function, HttpTrigger
from infra.local.launch import Options
from infra.local.stack import Stack
from tests.local.waiting import until
from tests.triggers.bad import Bad, Route, cases
from tests.triggers.raw import Reply, ask, fault

CALLERS = 8
GUID = "11111111-2222-3333-4444-555555555555"
READ_QUERIES = ("fleet_machines", "operation_get", "configurations_of_group", "fleet_occurrences", "fleet_preview")
VERSION = "api-version=2025-04-01"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Stack]:
    """A cloud of its own: nobody else's machines are hit."""
    with Stack.start(Options(machines=11)) as running:
        running.app.post("/fleet/inventory")
        assert until(lambda: bool(machines(running)), 60)
        yield running


def machines(cloud: Stack) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cloud.app.get("/fleet/machines", dict)["value"]
    return found


def routes(indexed: dict[str, Function], machine: str) -> dict[str, Route]:
    """Every HTTP route of the app by method and name, with values that fit."""
    parts = machine.split("/")
    values = {
        "subscription": parts[2], "group": parts[4], "provider": parts[6], "kind": parts[7], "name": parts[8],
        "location": "global", "attempt": GUID, "installation": GUID, "run": GUID, "queue": "runs", "message": "0" * 32,
        "handler": "drain",
        "path": "nothing/here", "assignment": "a", "parentKind": "hostGroups", "parent": "p",
        "resource": f"{'/'.join(parts[1:5])}/providers/Microsoft.Maintenance/maintenanceConfigurations/nightly",
    }  # fmt: skip
    found = {}
    for name, function in indexed.items():
        if isinstance(function.trigger, HttpTrigger):
            own = {key: value for key, value in values.items() if f"{key}}}" in function.trigger.route}
            methods = {"GET"} if function.trigger.methods == ALL_METHODS else function.trigger.methods
            query = f"{VERSION}&machine={machine}" if name == "operation_get" else VERSION
            for method in sorted(methods):
                found[f"{method} {name}"] = Route(
                    template=function.trigger.route,
                    method=method,
                    values=own,
                    query=query,
                    reads_query=name in READ_QUERIES,
                )
    return found


def test_no_bad_request_breaks_a_route(indexed: dict[str, Function], cloud: Stack) -> None:
    seed = int(os.environ.get("SWEEP_SEED", random.randrange(10**6)))
    asked: Counter[str] = Counter()
    wrong = []
    every = routes(indexed, machines(cloud)[0]["id"])
    requests = [(name, bad) for name, route in every.items() for bad in cases(route, seed)]
    with ThreadPoolExecutor(CALLERS) as callers:
        replies = callers.map(lambda each: ask(cloud.host.app, cloud.cloud.token, each[1]), requests)
        for (name, bad), reply in zip(requests, replies, strict=True):
            asked[name] += 1
            if why := fault(bad, reply):
                wrong.append(f"{name}: {bad} -> {why}")
    log = (cloud.folder / "host.log").read_text(encoding="utf-8", errors="replace")
    assert wrong == [], _told(wrong, seed, log)
    swept = {name.partition(" ")[2] for name in asked}
    assert swept == {name for name, function in indexed.items() if isinstance(function.trigger, HttpTrigger)}
    assert min(asked.values()) > 50
    assert cloud.cloud.token not in log
    assert "AccountKey" not in log


def _told(wrong: list[str], seed: int, log: str) -> str:
    """The first wrong answers, and what the host wrote when it or the app failed."""
    errors = [line for line in log.splitlines() if '"level":"error"' in line]
    first = [f"{len(wrong)} answers are wrong, again with SWEEP_SEED={seed}; the first:", *wrong[:20]]
    return "\n".join([*first, "The host's last errors:", *errors[-20:]])


def test_an_inventory_that_azure_refuses_is_asked_for_again_later(cloud: Stack) -> None:
    """503 with Azure's own words and Retry-After, never the app's 500."""
    refused = {"status": 403, "method": "GET", "path_contains": "/subscriptions", "headers": {"Retry-After": "17"}}
    cloud.sandbox.post("/sandbox/faults", refused)
    reply = ask(cloud.host.app, cloud.cloud.token, Bad(method="POST", target="/fleet/inventory"))
    error = json.loads(reply.body)["error"]
    assert (reply.status, reply.retry_after, error["code"]) == (503, "17", "AuthorizationFailed")
    assert error["message"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=0),
        Reply(status=500, body=b'{"error":{"code":"a","message":"b","details":[]}}', content_type="application/json"),
        Reply(status=404),
        Reply(status=400, body=b"[]", content_type="application/json"),
        Reply(status=400, body=b'{"error":{"code":"","message":"b","details":[]}}', content_type="application/json"),
        Reply(status=400, body=b'{"error":{"code":"a","message":"b","details":[]}}', content_type="text/plain"),
    ],
)
def test_the_judge_sees_what_is_wrong(reply: Reply) -> None:
    assert fault(Bad(method="GET", target="/"), reply)
