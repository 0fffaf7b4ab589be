"""Starts the sandbox as a process of its own: `python -m infra.local.sandbox`."""

import argparse
import asyncio
from datetime import UTC, datetime
from pathlib import Path

from infra.local.sandbox.catalogue import load_catalogue
from infra.local.sandbox.cloud import Sandbox
from infra.local.sandbox.config import APP_AUDIENCE, SandboxConfig
from infra.local.sandbox.guests import Guest
from infra.local.sandbox.server import listen, serve
from infra.local.sandbox.weather import Day


def main() -> None:
    """Reads the arguments and serves until told to stop."""
    options = _arguments().parse_args()
    arm, identity = listen(options.port), listen(options.identity_port)
    config = SandboxConfig(
        seed=options.seed,
        machines=options.machines,
        speed=options.speed,
        app_audience=options.app_audience,
        origin=f"https://127.0.0.1:{arm.getsockname()[1]}",
        crowded=options.crowded,
        platform=not options.driven,
        day=_day(options),
        owner=options.owner,
    )
    sandbox = Sandbox(config, clock=lambda: datetime.now(UTC), catalogue=load_catalogue(), guest=_guest(options.guest))
    asyncio.run(serve(sandbox, arm, identity, options.run_dir))


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="infra.local.sandbox", description="A stand-in for Azure on loopback.")
    parser.add_argument("--port", type=int, default=0, help="HTTPS port of ARM; 0 takes a free one")
    parser.add_argument("--identity-port", type=int, default=0, help="HTTP port of the managed identity")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same fleet")
    parser.add_argument("--machines", type=int, default=60)
    parser.add_argument("--speed", type=float, default=120.0, help="divides the durations inside machines")
    parser.add_argument("--crowded", action="store_true", help="all machines in one subscription and region")
    parser.add_argument("--driven", action="store_true", help="Azure assesses no machine by itself")
    parser.add_argument("--run-dir", type=Path, required=True, help="where the certificate files go")
    parser.add_argument("--guest", type=Path, help="root folder of a real Debian; one Arc machine is made of it")
    parser.add_argument("--app-audience", default=APP_AUDIENCE)
    parser.add_argument("--owner", default="", help="the deployment of the app that the subscriptions are marked with")
    _add_faults(parser)
    return parser


def _add_faults(parser: argparse.ArgumentParser) -> None:
    """Faults by seed; none without these."""
    parser.add_argument("--fault-rate", type=float, default=0.0, help="share of ARM requests that meet a fault, < 1")
    parser.add_argument("--fault-seed", type=int, help="what they are drawn from; --seed when left out")
    parser.add_argument("--fault-kinds", default="", help="only these, comma separated; see sandbox/fault.py")
    parser.add_argument("--forbidden", type=int, default=0, help="subscriptions that answer 403")
    parser.add_argument("--throttled", type=int, default=0, help="subscriptions that answer 429")
    parser.add_argument("--clock-offset", type=float, default=0.0, help="how wrong the Date header may be, in seconds")


def _day(options: argparse.Namespace) -> Day:
    return Day(
        rate=options.fault_rate,
        seed=options.seed if options.fault_seed is None else options.fault_seed,
        kinds=tuple(kind for kind in options.fault_kinds.split(",") if kind),
        forbidden=options.forbidden,
        throttled=options.throttled,
        clock=options.clock_offset,
    )


def _guest(root: Path | None) -> Guest | None:
    """The real system, loaded only when there is one: it needs root rights and a mirror."""
    if root is None:
        return None
    from infra.local.guests.debian import open_guest

    return open_guest(root)


if __name__ == "__main__":
    main()
