"""What the host says when it starts, and what it refuses: always one clear sentence and exit code 1."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from infra.local.azurite import Azurite
from infra.local.host import options
from tests.host.running import refusal, started, wait_until, write_app

HEAD = """
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
"""

TIMER = """
@app.timer_trigger(schedule={schedule!r}, arg_name="timer")
def tick(timer: func.TimerRequest) -> None:
    pass
"""

EVERYTHING = (
    HEAD
    + """
import logging

@app.timer_trigger(schedule="%EVERY_SECOND%", arg_name="timer", run_on_startup=True)
async def often(timer: func.TimerRequest, context: func.Context) -> None:
    logging.info("%s for %s", context.function_name, timer.past_due)

@app.timer_trigger(schedule="0 0 0 1 1 *", arg_name="timer")
def yearly(timer: func.TimerRequest) -> None:
    pass

@app.queue_trigger(arg_name="message", queue_name="startup-everything", connection="OtherStorage")
def work(message: func.QueueMessage) -> None:
    pass

@app.route(route="things/{id}", methods=["GET"])
def thing(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("")
"""
)


def test_every_kind_of_trigger_is_indexed_and_the_ready_line_is_the_only_output(
    tmp_path: Path, azurite: Azurite
) -> None:
    settings = {
        "AzureWebJobsStorage": azurite.connection_string,
        "OtherStorage": azurite.connection_string,
        "EVERY_SECOND": "* * * * * *",
    }
    with started(write_app(tmp_path, EVERYTHING), "--workers", "2", **settings) as host:
        assert list(host.ready) == ["app", "app_tls", "functions", "master_key"]
        assert host.ready["app"].startswith("http://127.0.0.1:")
        assert host.ready["app_tls"] is None
        assert host.ready["functions"] == ["often", "yearly", "work", "thing"]
        assert len(host.ready["master_key"]) >= 40
        assert len(host.first_workers(2)) == 2
        wait_until(lambda: len(host.log("often for False")) >= 3, "the timer runs by its schedule")
        assert host.outcomes("yearly") == []
        assert host.stop() == 0
        assert host.process.stdout is not None
        assert host.process.stdout.read() == b""


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (
            HEAD
            + """
@app.event_hub_message_trigger(arg_name="event", event_hub_name="h", connection="AzureWebJobsStorage")
def on_event(event: func.EventHubEvent) -> None:
    pass
""",
            "Function on_event: binding event of type eventHubTrigger is not supported",
        ),
        (
            HEAD
            + """
@app.queue_output(arg_name="out", queue_name="q", connection="AzureWebJobsStorage")
@app.route(route="x")
def send(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse:
    return func.HttpResponse("")
""",
            "Function send: binding out of type queue is not supported",
        ),
        (
            HEAD
            + """
@app.blob_trigger(arg_name="blob", path="c/{name}", connection="AzureWebJobsStorage")
def on_blob(blob: func.InputStream) -> None:
    pass
""",
            "Function on_blob: binding blob of type blobTrigger is not supported",
        ),
        (
            HEAD
            + """
@app.timer_trigger(schedule="0 * * * * *", arg_name="timer")
@app.retry(strategy="fixed_delay", max_retry_count="3", delay_interval="00:00:10")
def again(timer: func.TimerRequest) -> None:
    pass
""",
            "Function again: retry policies are not supported",
        ),
        (HEAD + TIMER.format(schedule="*/5 * * * *"), "Function tick: the schedule '*/5 * * * *' has 5 fields"),
        (HEAD + TIMER.format(schedule="0 0 25 * * *"), "Function tick: the schedule '0 0 25 * * *' is wrong: Bad hour"),
        (HEAD + TIMER.format(schedule="%NOWHERE%"), "schedule of function tick uses %NOWHERE%, but there is no app"),
        (
            HEAD
            + """
@app.queue_trigger(arg_name="message", queue_name="jobs", connection="Missing")
def work(message: func.QueueMessage) -> None:
    pass
""",
            "Function work needs the app setting Missing, a storage connection string",
        ),
        (
            HEAD
            + """
@app.route(route="a{b}c")
def odd(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("")
""",
            "Function odd: the route segment 'a{b}c' is not supported",
        ),
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("x = 1", "Could not find top level function app instances in function_app.py"),
        (HEAD, "No function was found in"),
        (
            HEAD
            + """
@app.route(route="x")
def wrong(request: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("")
""",
            "cannot load the wrong function",
        ),
        (
            HEAD
            + """
@app.function_name("same")
@app.route(route="x")
def one(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("")

@app.function_name("same")
@app.route(route="y")
def two(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("")
""",
            "same",
        ),
        ("import os; os._exit(4)", "did not start"),
    ],
    ids=lambda value: value[:40] if " " in value and "\n" not in value else "",
)
def test_an_app_that_cannot_run_is_refused(tmp_path: Path, code: str, sentence: str) -> None:
    assert sentence in refusal(write_app(tmp_path, code))


def test_an_app_without_function_app_is_refused(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    assert "No function was found" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("host_json", "sentence"),
    [
        ({"version": "3.0"}, 'version must be "2.0"'),
        ({"version": "2.0", "functionTimeout": "soon"}, "functionTimeout"),
    ],
)
def test_a_wrong_host_json_is_refused(tmp_path: Path, host_json: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(write_app(tmp_path, HEAD, host_json))


def test_a_storage_that_cannot_be_reached_is_refused(tmp_path: Path) -> None:
    nowhere = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;QueueEndpoint=http://127.0.0.1:1/a;"
    code = EVERYTHING.replace("%EVERY_SECOND%", "0 * * * * *")
    sentence = refusal(write_app(tmp_path, code), OtherStorage=nowhere)
    assert "Function work: queue startup-everything cannot be made" in sentence


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Port {port} of 127.0.0.1 cannot be used" in refusal(write_app(tmp_path, HEAD), "--port", str(port))


def test_a_certificate_that_is_not_there_is_refused(tmp_path: Path) -> None:
    arguments = ("--cert", str(tmp_path / "no.pem"), "--key", str(tmp_path / "no.key"))
    assert "cannot be used" in refusal(write_app(tmp_path, HEAD), *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--app", ".", "--cert", "x"],
        ["--app", ".", "--issuer", "https://x"],
        ["--app", ".", "--workers", "0"],
        ["--app", ".", "--nonsense"],
    ],
)
def test_a_wrong_command_line_is_explained(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        options.parse(arguments)
    assert end.value.code == 2
    assert "usage: python -m infra.local.host" in capsys.readouterr().err


def test_unknown_keys_of_host_json_are_warnings_that_name_them(tmp_path: Path) -> None:
    route = """
@app.route(route="x")
def x(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("")
"""
    host_json = {"version": "2.0", "extensions": {"queues": {"batchsize": 1}}, "singleton": {}}
    with started(write_app(tmp_path, HEAD + route, host_json)) as host:
        wait_until(lambda: len(host.log(level="warning")) == 2, "two warnings")
        assert {line["message"] for line in host.log(level="warning")} == {
            "host.json: extensions.queues.batchsize is not honoured by the local host.",
            "host.json: singleton is not honoured by the local host.",
        }


def test_the_log_level_of_host_json_holds_for_host_and_app(tmp_path: Path) -> None:
    code = (
        HEAD
        + """
import logging
@app.route(route="x")
def x(req: func.HttpRequest) -> func.HttpResponse:
    logging.info("quiet")
    logging.warning("loud %s", 1)
    logging.getLogger("mine").error("louder", exc_info=ValueError("why"))
    return func.HttpResponse("")
"""
    )
    host_json = {
        "version": "2.0",
        "logging": {"logLevel": {"default": "Warning"}},
        "extensions": {"http": {"routePrefix": ""}},
    }
    with started(write_app(tmp_path, code, host_json)) as host:
        assert host.call("GET", "/x").status == 200
        wait_until(lambda: bool(host.log("louder")), "the app's log arrived")
        lines = [json.loads(line) for line in host.raw]
        assert [(line["level"], line["message"].splitlines()[0]) for line in lines] == [
            ("warning", "loud 1"),
            ("error", "louder"),
        ]
        assert "ValueError: why" in lines[1]["message"]
        assert [line["logger"] for line in lines] == ["root", "mine"]
        assert all(line["time"].endswith("Z") and line["invocation"] for line in lines)
