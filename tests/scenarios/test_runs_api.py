"""Maintenance runs over HTTP, in the real app in the local Functions host: started now, read, listed and cancelled."""

from datetime import UTC, datetime, timedelta
from typing import Any

from infra.local.stack import Stack
from tests.domain.maintenance import fleet
from tests.local.waiting import until
from tests.scenarios.api import ask

GROUP = "/subscriptions/77777777-2222-3333-4444-555555555555/resourceGroups/runs-api"
FOLDER = f"{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations"
FULL = fleet(timeZone="UTC", recurEvery="Day")


def run(stack: Stack, address: str) -> Any:  # noqa: ANN401 - any JSON
    return ask(stack, "GET", address).body


def test_a_run_now_is_listed_and_closes(stack: Stack) -> None:
    """A configuration without machines: there is nothing to wait for."""
    path = f"{FOLDER}/now"
    assert ask(stack, "PUT", path, FULL).status == 201
    made = ask(stack, "POST", "/fleet/runs", {"configuration": path}, x_ms_client_request_id="one")
    assert made.status == 202
    assert ask(stack, "POST", "/fleet/runs", {"configuration": path}, x_ms_client_request_id="one").body == made.body
    address = made.body["run"]
    assert until(lambda: run(stack, address)["properties"]["status"] == "Completed", 60)
    assert run(stack, address)["properties"]["resourceId"].lower() == path.lower()
    (listed,) = ask(stack, "GET", f"/fleet/runs?configuration={path}").body["value"]
    assert (listed["id"], listed["outcome"]) == (made.body["id"], "Succeeded")
    assert ask(stack, "GET", f"/fleet/runs/{listed['id']}").body["value"] == []
    refused = ask(stack, "PUT", address, {"properties": {"status": "Cancel"}})
    assert (refused.status, refused.error[0]) == (409, "RunClosed")


def test_a_window_to_come_is_pending_and_can_be_cancelled(stack: Stack) -> None:
    path = f"{FOLDER}/tomorrow"
    assert ask(stack, "PUT", path, FULL).status == 201
    start = datetime.fromisoformat(ask(stack, "GET", f"/fleet/occurrences{path}").body["value"][0]["start"])
    address = f"{path}/providers/Microsoft.Maintenance/applyUpdates/{start.astimezone(UTC):%Y%m%d%H%M%S}"
    assert run(stack, address)["properties"]["status"] == "Pending"
    wrong = ask(stack, "PUT", address, {"properties": {"status": "Faster"}})
    assert wrong.error == ("InvalidParameter", "properties.status")
    done = ask(stack, "PUT", address, {"properties": {"status": "Cancel"}})
    assert (done.status, done.body["properties"]["status"]) == (200, "Cancelled")
    other = start + timedelta(seconds=1)
    gone = ask(stack, "GET", address.replace(f"{start:%H%M%S}", f"{other:%H%M%S}"))
    assert gone.status == 404
