"""What the parts are started with: nothing of the machine's own Azure set-up reaches the app."""

from pathlib import Path

from infra.local.launch import Cloud, Options, app_settings, environment, host_arguments, sandbox_arguments

CLOUD = Cloud(
    arm="https://127.0.0.1:1",
    identity="http://127.0.0.1:2/msi/token",
    identity_header="h",
    issuer="https://127.0.0.1:1/t/v2.0",
    ca="ca.pem",
    cert="c.pem",
    key="k.pem",
    token="t",  # noqa: S106 - no secret: nothing real
)


def test_what_others_set_for_azure_or_python_is_left_out() -> None:
    mine = {"PATH": "/bin", "AZURE_CLIENT_ID": "x", "IDENTITY_ENDPOINT": "x", "PYTHONPATH": "x", "https_proxy": "p"}
    there = environment({"IDENTITY_ENDPOINT": "ours"}, mine)
    assert there["IDENTITY_ENDPOINT"] == "ours"
    assert there["PATH"] == "/bin"
    assert not {"AZURE_CLIENT_ID", "PYTHONPATH"} & there.keys()
    assert there["NO_PROXY"] == there["no_proxy"] == "127.0.0.1,localhost"


def test_only_endpoints_differ_from_a_deployment_and_a_caller_may_add() -> None:
    settings = app_settings(Options(settings={"OUM_ASSESSMENT_AGE": "PT1H"}), "storage", CLOUD, "https://127.0.0.1:9")
    assert settings["OUM_ARM_ENDPOINT"] == CLOUD.arm
    assert settings["OUM_EVENTS_ENDPOINT"] == f"{CLOUD.arm}/topics/maintenance/api/events"
    assert settings["OUM_BASE_URL"] == "https://127.0.0.1:9"
    assert settings["OUM_ASSESSMENT_AGE"] == "PT1H"


def test_the_guest_is_only_named_where_there_is_one() -> None:
    assert "--guest" not in sandbox_arguments(Options(), Path("run"), None)
    assert sandbox_arguments(Options(seed=7), Path("run"), Path("root"))[-2:] == ["--guest", "root"]


def test_the_host_is_given_the_sandboxes_certificate_and_issuer() -> None:
    arguments = host_arguments(Options(port=7071, workers=3), CLOUD, 9)
    pairs = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert pairs["--port"] == "7071"
    assert pairs["--workers"] == "3"
    assert (pairs["--cert"], pairs["--key"], pairs["--issuer"]) == (CLOUD.cert, CLOUD.key, CLOUD.issuer)
