"""Pre and post events through the real app in the local host, to a webhook; handlers report and cancel over HTTP."""

from datetime import datetime
from typing import Any

from infra.local.launch import TOPIC
from infra.local.stack import Stack
from infra.local.webhook import Webhook
from shared.domain.opening import ASSIGNED_WITHIN
from tests.domain.maintenance import fleet
from tests.domain.test_native_event import DATA, ID
from tests.local.waiting import until
from tests.scenarios.api import Answer, ask

GROUP = "/subscriptions/77777777-2222-3333-4444-555555555555/resourceGroups/events-api"
FOLDER = f"{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations"
PRE, POST = "Microsoft.Maintenance.PreMaintenanceEvent", "Microsoft.Maintenance.PostMaintenanceEvent"


def of(hook: Webhook, configuration: str) -> list[dict[str, Any]]:
    return [each for each in list(hook.events) if each["source"].lower() == configuration.lower()]


def subscribe(stack: Stack, hook: Webhook) -> None:
    stack.sandbox.post("/sandbox/subscriptions", {"topic": TOPIC, "url": hook.url})


def test_a_run_tells_a_webhook_before_and_after_and_a_refused_delivery_comes_again(stack: Stack) -> None:
    path = f"{FOLDER}/told"
    with Webhook(refusals=1) as hook:
        subscribe(stack, hook)
        assert ask(stack, "PUT", path, fleet(timeZone="UTC", recurEvery="Day")).status == 201
        run = ask(stack, "POST", "/fleet/runs", {"configuration": path}).body
        assert until(lambda: any(each["type"] == POST for each in of(hook, path)), 60)
        told = {each["type"]: each for each in of(hook, path)}
    assert {each["id"].lower() for each in told.values()} == {run["run"].lower()}
    assert told[POST]["data"]["status"] == "Succeeded"
    events = ask(stack, "GET", f"/fleet/runs/{run['id']}").body["events"]
    assert events["postEventSent"] is not None


def test_handlers_report_and_cancel_what_the_event_told_them_of(stack: Stack) -> None:
    path, block = f"{FOLDER}/waits", {"preEventLead": "PT24H", "waitFor": ["drain", "backup"]}
    with Webhook() as hook:
        subscribe(stack, hook)
        assert ask(stack, "PUT", path, fleet(block, timeZone="UTC", recurEvery="Day")).status == 201
        assert until(lambda: len(of(hook, path)) == 1, ASSIGNED_WITHIN.total_seconds() + 60)
        (pre,) = of(hook, path)
        where = pre["data"]["fleet"]
        assert (pre["type"], where["waitFor"]) == (PRE, ["drain", "backup"])

        def report(name: str, body: object) -> Answer:
            return ask(stack, "POST", f"{where['reportTo']}/{name}", body)

        first = report("drain", {"status": "Succeeded", "message": "drained"})
        assert (first.status, first.body["handlers"][0]["status"]) == (200, "Succeeded")
        assert report("DRAIN", {"status": "succeeded"}).body == first.body
        assert report("drain", {"status": "Failed"}).error[0] == "HandlerReported"
        assert report("other", {"status": "Succeeded"}).status == 404
        bodies: tuple[Any, ...] = (
            {"status": "Perhaps"},
            {"status": "Failed", "message": "a\nb"},
            {},
            {"status": 1},
            [],
            {"x": 1},
        )
        for wrong in bodies:
            assert report("backup", wrong).status == 400
        assert ask(stack, "POST", "/fleet/runs/none/handlers/drain", {"status": "Succeeded"}).status == 404
        shown = ask(stack, "GET", f"/fleet/runs/{where['run']}").body["events"]
        assert [each["status"] for each in shown["handlers"]] == ["Succeeded", "Pending"]
        assert datetime.fromisoformat(shown["reportBy"]) == datetime.fromisoformat(where["reportBy"])
        assert ask(stack, "PUT", pre["id"], {"properties": {"status": "Cancel"}}).status == 200
        late = report("backup", {"status": "Succeeded"})
        assert (late.status, late.error[0]) == (409, "RunNotWaiting")


def test_health_has_nothing_against_events_that_are_taken(stack: Stack) -> None:
    body = ask(stack, "GET", "/fleet/health").body
    assert body["events"] == "on"
    assert [each for each in body["problems"] if each["code"] == "EventUnsent"] == []


def test_azures_own_events_are_recorded_for_a_configuration_that_is_here(stack: Stack) -> None:
    """Through Event Grid's webhook, in its schema; the key is the host's, for App Service lets this path alone."""
    path = f"{FOLDER}/native"
    assert ask(stack, "PUT", path, fleet({"enabled": False}, timeZone="UTC", recurEvery="Day")).status == 201
    hook = f"/runtime/webhooks/EventGrid?functionName=native_event&code={stack.host.master_key}"
    data = {**DATA, "maintenanceConfigurationId": path, "status": "Succeeded"}
    event = {"id": ID, "topic": path, "subject": "native", "data": data, "eventType": POST, "dataVersion": "1.0",
             "eventTime": "2023-05-09T15:55:00.3717473Z", "metadataVersion": "1"}  # fmt: skip
    stack.platform.post(hook, [event])
    (kept,) = ask(stack, "GET", f"/fleet/events{path}").body["value"]
    assert (kept["id"], kept["type"], kept["status"]) == (ID, POST, "Succeeded")
    assert ask(stack, "GET", "/fleet/events/subscriptions/x").status == 400
