"""The command line."""

import argparse
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import msgspec

from infra.local.host.pump import DEFAULT_LEASE


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the host was started with; no issuer = no authentication, no certificate = no TLS front."""

    app: Path
    port: int
    tls_port: int
    cert: str | None
    key: str | None
    workers: int
    issuer: str | None
    audience: str | None
    ca: str | None
    lease: timedelta


def parse(arguments: Sequence[str] | None) -> Options:
    """Ends the process with argparse's message when they are wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if (given.cert is None) != (given.key is None):
        parser.error("--cert and --key go together")
    if (given.issuer is None) != (given.audience is None):
        parser.error("--issuer and --audience go together")
    if given.workers < 1 or given.lease < 1:
        parser.error("--workers and --lease must be at least 1")
    fields = {**vars(given), "app": given.app.resolve(), "lease": timedelta(seconds=given.lease)}
    return Options(**fields)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.local.host",
        description="A local stand-in for the Azure Functions host. The app's settings are its environment.",
    )
    parser.add_argument("--app", type=Path, required=True, help="folder with function_app.py and host.json")
    parser.add_argument("--port", type=int, default=0, help="plain HTTP; 0 = a free port")
    parser.add_argument("--tls-port", type=int, default=0, help="HTTPS, when there is a certificate; 0 = a free port")
    parser.add_argument("--cert", help="certificate chain of the HTTPS front, PEM")
    parser.add_argument("--key", help="its private key, PEM")
    parser.add_argument("--workers", type=int, default=1, help="worker processes")
    parser.add_argument("--issuer", help="whose tokens are accepted; without it nobody is asked for a token")
    parser.add_argument("--audience", help="for which audience")
    parser.add_argument("--ca", help="PEM file the issuer's certificate chains to")
    seconds = int(DEFAULT_LEASE.total_seconds())
    parser.add_argument(
        "--lease", type=int, default=seconds, help="seconds a queue message that runs stays hidden without a renewal"
    )
    return parser
