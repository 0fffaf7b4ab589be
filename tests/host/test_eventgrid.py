"""Event Grid's webhook: its key, its two handshakes, and each event to the function that the address names."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.host.running import Answer, RunningHost, started, wait_until, write_app

CODE = """
import logging
import azure.functions as func

app = func.FunctionApp()


@app.event_grid_trigger(arg_name="event")
def told(event: func.EventGridEvent) -> None:
    logging.info("told %s %s %s", event.id, event.event_type, event.get_json().get("a"))
    if event.id == "bad":
        raise ValueError("bad")


@app.route(route="{*path}")
def every(req: func.HttpRequest) -> str:
    return "app"
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    with started(write_app(tmp_path_factory.mktemp("app"), CODE)) as running:
        yield running


def event(id_: str, **data: object) -> dict[str, Any]:
    return {"id": id_, "topic": "/t", "subject": "s", "eventType": "T", "eventTime": "2026-11-26T02:00:00.1234567Z",
            "data": data, "dataVersion": "1.0", "metadataVersion": "1"}  # fmt: skip


def send(host: RunningHost, body: object, function: str = "told", kind: str = "Notification", key: str = "") -> Answer:
    code = key or host.ready["master_key"]
    path = f"/runtime/webhooks/EventGrid?functionName={function}&code={code}"
    return host.call("POST", path, json.dumps(body).encode(), {"aeg-event-type": kind})


def test_each_event_of_a_batch_reaches_the_function(host: RunningHost) -> None:
    assert send(host, [event("1", a=1), event("2", a=2)], "Told").status == 202
    wait_until(lambda: bool(host.log("told 1 T 1") and host.log("told 2 T 2")), "both came")


def test_one_that_fails_is_wanted_again(host: RunningHost) -> None:
    assert send(host, [event("good"), event("bad")]).status == 500


def test_who_subscribes_has_to_prove_the_address_his(host: RunningHost) -> None:
    handshake = [event("v", validationCode="code-1", validationUrl="https://x.invalid")]
    answer = send(host, handshake, kind="SubscriptionValidation")
    assert (answer.status, answer.json()) == (200, {"validationResponse": "code-1"})
    path = f"/runtime/webhooks/EventGrid?functionName=told&code={host.ready['master_key']}"
    asked = host.call("OPTIONS", path, headers={"WebHook-Request-Origin": "eventgrid.azure.net"})
    assert (asked.status, asked.headers["webhook-allowed-origin"]) == (200, "eventgrid.azure.net")


@pytest.mark.parametrize(
    ("body", "function", "key", "status"),
    [([event("1")], "told", "wrong", 401), ([event("1")], "nobody", "", 404), ([event("1")], "every", "", 404),
     ([], "told", "", 400), ("text", "told", "", 400), ([1], "told", "", 400)],
)  # fmt: skip
def test_other_calls_are_refused(host: RunningHost, body: object, function: str, key: str, status: int) -> None:
    assert send(host, body, function, key=key).status == status
