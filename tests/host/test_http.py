"""The HTTP front over real sockets: requests reach the function as Azure's host hands them on, answers come back."""

import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.host.running import HOST_JSON, RunningHost, started, wait_until, write_app

CODE = """
import json, logging, os, threading, time
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
together = threading.Barrier(3)


@app.route(route="echo/{name}", methods=["GET", "POST"])
def echo(req: func.HttpRequest) -> func.HttpResponse:
    seen = {
        "method": req.method, "url": req.url, "query": dict(req.params), "params": dict(req.route_params),
        "headers": dict(req.headers), "body": req.get_body().hex(),
    }
    return func.HttpResponse(json.dumps(seen), mimetype="application/json")


@app.route(route="shaped")
async def shaped(req: func.HttpRequest) -> func.HttpResponse:
    answer = func.HttpResponse(b"\\x00\\xff", status_code=202, headers={"Location": "/x", "Retry-After": "3"})
    answer.headers.add("Set-Cookie", "a=1; Path=/p; Max-Age=60; Secure; HttpOnly; SameSite=Lax")
    answer.headers.add("Set-Cookie", "b=2; Domain=example.com; Expires=Wed, 21 Oct 2026 07:28:00 GMT")
    return answer


@app.route(route="nothing", methods=["DELETE"])
def nothing(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(status_code=204)


@app.route(route="plain")
def plain(req: func.HttpRequest) -> str:
    return "grüß"


@app.route(route="size")
def size(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(str(len(req.get_body())))


@app.route(route="fails")
def fails(req: func.HttpRequest) -> func.HttpResponse:
    raise ValueError("a secret of the app")


@app.route(route="fails/later")
async def fails_later(req: func.HttpRequest) -> func.HttpResponse:
    raise KeyError("x")


@app.route(route="together")
def all_together(req: func.HttpRequest) -> func.HttpResponse:
    together.wait(timeout=20)
    return func.HttpResponse(status_code=204)


@app.route(route="keyed", auth_level=func.AuthLevel.FUNCTION)
def keyed(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("in")


@app.route(route="mastered", auth_level=func.AuthLevel.ADMIN)
def mastered(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("in")


@app.route(route="whoami")
def whoami(req: func.HttpRequest) -> func.HttpResponse:
    logging.info("where am I")
    names = ("WEBSITE_HOSTNAME", "FUNCTIONS_WORKER_RUNTIME", "WEBSITE_AUTH_ENABLED", "OUM_HOST_WORKER_SECRET", "MINE")
    found = {"cwd": os.getcwd(), **{name: os.environ.get(name) for name in names}}
    return func.HttpResponse(json.dumps(found))


@app.route(route="switched_off")
def switched_off(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("never")


@app.route(route="{*path}", methods=["GET", "PUT"])
def rest(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(dict(req.route_params)), status_code=404)
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    folder = tmp_path_factory.mktemp("http")
    authority = trustme.CA()
    server = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    server.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    app = write_app(folder / "app", CODE)
    files = ("--cert", str(folder / "server.pem"), "--key", str(folder / "server.pem"))
    settings = {"MINE": "yes", "AzureWebJobs.switched_off.Disabled": "true", "AzureWebJobsDisableHomepage": "1"}
    with started(app, "--workers", "1", *files, **settings) as running:
        yield running


def test_a_request_arrives_whole(host: RunningHost) -> None:
    body = bytes(range(256))
    headers = {"X-Mixed-Case": "Kept", "x-ms-client-request-id": "7"}
    seen = host.call("POST", "/ECHO/B%C3%B6b%20%2F?q=1&Q2=%C3%A4&q=2", body, headers).json()
    assert seen["method"] == "POST"
    assert seen["url"] == host.ready["app"] + "/ECHO/B%C3%B6b%20%2F?q=1&Q2=%C3%A4&q=2"
    assert seen["query"] == {"q": "1,2", "Q2": "ä"}
    assert seen["params"] == {"name": "Böb %2F"}
    assert bytes.fromhex(seen["body"]) == body
    assert seen["headers"]["x-mixed-case"] == "Kept"
    assert seen["headers"]["x-ms-client-request-id"] == "7"
    assert all(name == name.lower() for name in seen["headers"])


def test_odd_requests_arrive_too(host: RunningHost) -> None:
    """A line break in the path, bytes that are no UTF-8 in a header, a body that is not what its header says."""
    headers = {"X-Odd": "\xff", "Content-Encoding": "gzip"}
    seen = host.call("POST", "/echo/a%0d%0ab", b"plain", headers).json()
    assert seen["params"] == {"name": "a\r\nb"}
    assert seen["headers"]["x-odd"] == "\ufffd"
    assert bytes.fromhex(seen["body"]) == b"plain"


def test_both_fronts_have_the_same_routes(host: RunningHost, tmp_path_factory: pytest.TempPathFactory) -> None:
    context = ssl.create_default_context(cafile=tmp_path_factory.getbasetemp() / "http0" / "ca.pem")
    seen = host.call("GET", "/echo/x", tls=context).json()
    assert seen["url"] == host.ready["app_tls"] + "/echo/x"


def test_an_answer_comes_back_whole(host: RunningHost) -> None:
    answer = host.call("GET", "/shaped")
    assert (answer.status, answer.body) == (202, b"\x00\xff")
    assert answer.headers["location"] == "/x"
    assert answer.headers["retry-after"] == "3"
    assert answer.cookies == (
        "a=1; Path=/p; Max-Age=60; Secure; HttpOnly; SameSite=Lax",
        "b=2; Domain=example.com; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
    )


def test_an_answer_without_a_body(host: RunningHost) -> None:
    answer = host.call("DELETE", "/nothing")
    assert (answer.status, answer.body) == (204, b"")


def test_a_bare_string_is_text(host: RunningHost) -> None:
    answer = host.call("GET", "/plain")
    assert (answer.status, answer.body.decode()) == (200, "grüß")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(("path", "error"), [("/fails", "a secret of the app"), ("/fails/later", "KeyError")])
def test_a_failure_is_a_500_that_tells_nothing(host: RunningHost, path: str, error: str) -> None:
    answer = host.call("GET", path)
    assert (answer.status, answer.body) == (500, b"")

    def logged() -> bool:
        return any(error in line["error"] and "Traceback" in line["stack"] for line in host.log(outcome="Failed"))

    wait_until(logged, "the error is logged with its stack")


def test_a_method_no_route_takes_is_not_found(host: RunningHost) -> None:
    assert host.call("PATCH", "/echo/x").status == 404
    assert host.call("PUT", "/echo/x").json() == {"path": "echo/x"}


def test_the_root_reaches_a_catch_all_when_the_home_page_is_off(host: RunningHost) -> None:
    answer = host.call("GET", "/")
    assert (answer.status, answer.json()) == (404, {"path": ""})
    assert host.call("POST", "/").status == 204


@pytest.mark.parametrize("path", ["/runtime/webhooks/EventGrid", "/.auth/me"])
def test_the_platforms_paths_never_reach_the_app(host: RunningHost, path: str) -> None:
    answer = host.call("GET", path)
    assert (answer.status, answer.body) == (404, b"")


@pytest.mark.parametrize("function", ["keyed", "mastered"])
def test_functions_with_a_key(host: RunningHost, function: str) -> None:
    key = host.ready["master_key"]
    assert host.call("GET", f"/{function}").status == 401
    assert host.call("GET", f"/{function}", headers={"x-functions-key": key + "x"}).status == 401
    assert host.call("GET", f"/{function}?code=").status == 401
    assert host.call("GET", f"/{function}", headers={"X-Functions-Key": key}).body == b"in"
    assert host.call("GET", f"/{function}?code={key}").body == b"in"


def test_a_body_of_100_mb_is_the_most(host: RunningHost) -> None:
    most = 100 * 1024 * 1024
    assert host.call("POST", "/size", bytes(most)).body == str(most).encode()
    assert host.call("POST", "/size", bytes(most + 1)).status == 413


def test_sync_functions_run_side_by_side(host: RunningHost) -> None:
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(host.call("GET", "/together").status)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [204, 204, 204]


def test_a_disabled_function_is_not_there(host: RunningHost) -> None:
    assert host.call("GET", "/switched_off").json() == {"path": "switched_off"}
    wait_until(lambda: bool(host.log("Function is disabled.", function="switched_off")), "it is logged")


def test_the_worker_has_the_settings_and_stands_in_the_apps_folder(host: RunningHost) -> None:
    seen = host.call("GET", "/whoami").json()
    assert seen["WEBSITE_HOSTNAME"] == host.ready["app"].removeprefix("http://")
    assert seen["FUNCTIONS_WORKER_RUNTIME"] == "python"
    assert seen["WEBSITE_AUTH_ENABLED"] is None
    assert seen["OUM_HOST_WORKER_SECRET"] is None
    assert seen["MINE"] == "yes"
    assert Path(seen["cwd"]).name == "app"
    wait_until(lambda: bool(host.outcomes("whoami")), "the invocation is logged")
    invocation = host.log("where am I")[0]["invocation"]
    assert host.log("Invocation.", function="whoami", invocation=invocation)


def test_the_home_page_goes_first_unless_it_is_off(tmp_path: Path) -> None:
    with started(write_app(tmp_path, CODE)) as host:
        answer = host.call("GET", "/")
        assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")


def test_the_route_prefix_of_host_json_is_honoured(tmp_path: Path) -> None:
    host_json = {**HOST_JSON, "extensions": {"http": {"routePrefix": "v1"}}}
    with started(write_app(tmp_path, CODE, host_json)) as host:
        assert host.call("GET", "/v1/plain").status == 200
        assert host.call("GET", "/plain").status == 404


def test_a_stopping_host_finishes_what_runs(tmp_path: Path) -> None:
    code = """
import time, azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="slow")
def slow(req: func.HttpRequest) -> func.HttpResponse:
    print("began", flush=True)
    time.sleep(0.7)
    return func.HttpResponse("done")
"""
    with started(write_app(tmp_path, code)) as host:
        bodies: list[bytes] = []
        call = threading.Thread(target=lambda: bodies.append(host.call("GET", "/slow").body))
        call.start()
        wait_until(lambda: "began\n" in host.raw, "the function began")
        assert host.stop() == 0
        call.join()
        assert bodies == [b"done"]
