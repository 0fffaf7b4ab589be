"""What the parts of the local cloud are started with: options, command lines, app settings, a clean environment."""

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from infra.local.places import PROJECT

AUDIENCE = "api://open-update-manager"
"""Whom tokens for the app are meant for."""

DEPLOYMENT = "local"
"""The app's name here. The subscriptions carry it from the beginning, as after the first day: a first start would wait
until its marker has settled."""

FOREIGN = ("OUM_", "AZURE_", "AzureWebJobs", "IDENTITY_", "MSI_", "WEBSITE_", "FUNCTIONS_", "PYTHON", "CONTAINER_NAME")
"""Starts of environment variables that the app, its SDKs or Python obey: ours only, never somebody else's."""

TOPIC = "maintenance"
"""The sandbox's topic that the app's events go to."""

SPEED = 800.0
"""Times faster than real machines: an installation of an hour takes under five seconds."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What kind of cloud. `speed` divides every duration inside machines; a port of 0 is chosen free.

    `crowded`: all machines in one subscription and region, so that they share one throttle. `driven`: Azure assesses
    none by itself. `saves`: the storage
    emulator writes all it holds to disk every five seconds, and answers nothing meanwhile.
    """

    machines: int = 60
    seed: int = 1
    speed: float = SPEED
    crowded: bool = False
    driven: bool = False
    saves: bool = True
    workers: int = 2
    port: int = 0
    app: Path = PROJECT
    settings: dict[str, str] = {}


class Cloud(msgspec.Struct, frozen=True, kw_only=True):
    """What a started sandbox says of itself: addresses, certificate files, its owner's token."""

    arm: str
    identity: str
    identity_header: str
    issuer: str
    ca: str
    cert: str
    key: str
    token: str


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """What a started Functions host says of itself: the app's two addresses, its functions, the key of /admin."""

    app: str
    app_tls: str
    functions: list[str]
    master_key: str


def sandbox_arguments(options: Options, folder: Path, guest: Path | None) -> list[str]:
    """The sandbox's command line; its certificate and journal go under `folder`."""
    arguments = ["--port", "0", "--identity-port", "0", "--app-audience", AUDIENCE]
    arguments += ["--seed", str(options.seed), "--machines", str(options.machines), "--speed", str(options.speed)]
    arguments += ["--run-dir", str(folder / "sandbox"), "--owner", DEPLOYMENT]
    arguments += ["--crowded"] if options.crowded else []
    arguments += ["--driven"] if options.driven else []
    return [*arguments, "--guest", str(guest)] if guest else arguments


def host_arguments(options: Options, cloud: Cloud, tls_port: int) -> list[str]:
    """The Functions host's command line."""
    arguments = ["--app", str(options.app), "--workers", str(options.workers)]
    arguments += ["--port", str(options.port), "--tls-port", str(tls_port), "--cert", cloud.cert, "--key", cloud.key]
    return [*arguments, "--issuer", cloud.issuer, "--audience", AUDIENCE, "--ca", cloud.ca]


def app_settings(options: Options, storage: str, cloud: Cloud, base_url: str) -> dict[str, str]:
    """The app's settings here: what a deployment sets to Azure's own addresses, and what the platform sets."""
    return {
        "AzureWebJobsStorage": storage,
        "OUM_BASE_URL": base_url,
        "OUM_DEPLOYMENT": DEPLOYMENT,
        "OUM_ARM_ENDPOINT": cloud.arm,
        "OUM_EVENTS_ENDPOINT": f"{cloud.arm}/topics/{TOPIC}/api/events",
        "IDENTITY_ENDPOINT": cloud.identity,
        "IDENTITY_HEADER": cloud.identity_header,
        "REQUESTS_CA_BUNDLE": cloud.ca,
        **options.settings,
    }


def environment(ours: Mapping[str, str], inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a part: what this process has, less what others set for other purposes, plus ours."""
    kept = {name: value for name, value in inherited.items() if not name.startswith(FOREIGN)}
    loopback = "127.0.0.1,localhost"  # never through a proxy
    return {**kept, "NO_PROXY": loopback, "no_proxy": loopback, **ours}


def module_command(module: str, arguments: list[str]) -> list[str]:
    """How this very Python runs a module so that it ends with us."""
    # `-X utf8`: Windows would write logs in its own code page.
    return [sys.executable, "-X", "utf8", "-m", "infra.local.leash", module, *arguments]


def free_port() -> int:
    """A port nobody listens on now: for an address that must be known before its server starts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
