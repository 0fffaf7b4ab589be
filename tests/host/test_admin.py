"""The host's own API below /admin."""

from collections.abc import Iterator

import pytest

from infra.local.azurite import Azurite
from tests.host.running import RunningHost, started, wait_until, write_app

CODE = """
import logging
import azure.functions as func

app = func.FunctionApp()


@app.timer_trigger(schedule="0 0 0 1 1 *", arg_name="timer")
def yearly(timer: func.TimerRequest) -> None:
    logging.info("yearly %s", timer.past_due)


@app.queue_trigger(arg_name="message", queue_name="%WORK%", connection="AzureWebJobsStorage")
def work(message: func.QueueMessage) -> None:
    logging.info("got %s of try %s", message.get_body().decode(), message.dequeue_count)


@app.route(route="http")
def http(req: func.HttpRequest) -> str:
    return ""
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, azurite: Azurite) -> Iterator[RunningHost]:
    app = write_app(tmp_path_factory.mktemp("app"), CODE)
    with started(app, AzureWebJobsStorage=azurite.connection_string, WORK="admin-work") as running:
        yield running


def test_a_timer_is_run_now(host: RunningHost) -> None:
    answer = host.admin("POST", "functions/Yearly", b"{}")
    assert (answer.status, answer.body) == (202, b"")
    wait_until(lambda: host.outcomes("yearly") == ["Succeeded"], "yearly ran")
    assert host.log("yearly False")


def test_a_queue_function_is_run_with_the_given_input(host: RunningHost) -> None:
    assert host.admin("POST", "functions/work", '{"input": "grüß"}'.encode()).status == 202
    wait_until(lambda: bool(host.log("got grüß of try 1")), "work ran")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "functions/nobody", b"", 404),
        ("POST", "functions/http", b"", 400),
        ("POST", "functions/work", b"not json", 400),
        ("POST", "functions/work", b'{"input": 7}', 400),
        ("GET", "functions/work", None, 404),
        ("GET", "nothing", None, 404),
    ],
)
def test_what_cannot_be_done(host: RunningHost, method: str, path: str, body: bytes | None, status: int) -> None:
    assert host.admin(method, path, body).status == status


def test_the_status(host: RunningHost) -> None:
    assert host.admin("GET", "host/status").json()["state"] == "Running"


def test_the_functions_and_their_bindings_are_listed(host: RunningHost) -> None:
    listed = {function["name"]: function["config"]["bindings"] for function in host.admin("GET", "functions").json()}
    assert sorted(listed) == ["http", "work", "yearly"] == sorted(host.ready["functions"])
    assert [binding["type"] for binding in listed["http"]] == ["httpTrigger", "http"]
    assert listed["work"][0]["queueName"] == "%WORK%"


@pytest.mark.parametrize("path", ["host/status", "functions", "functions/yearly"])
@pytest.mark.parametrize("headers", [{}, {"x-functions-key": "wrong"}, {"Authorization": "Bearer x"}])
def test_nothing_without_the_master_key(host: RunningHost, path: str, headers: dict[str, str]) -> None:
    for method in ("GET", "POST"):
        answer = host.call(method, f"/admin/{path}", headers=headers)
        assert (answer.status, answer.body) == (401, b"")
