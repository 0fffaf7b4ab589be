"""`python -m infra.local.host`: reads the command line, runs the host, says how it went by the exit code."""

import asyncio
import logging
import os
import sys
from datetime import UTC, datetime

import msgspec

from infra.local.host import options
from infra.local.host.errors import Refused
from infra.local.host.host import Host, until
from infra.local.host.log import LibraryHandler, Logger
from infra.local.host.options import Options
from infra.local.host.signals import stop_requested


def main() -> int:
    """0 after a stop by signal, 1 when the app or the command line cannot be honoured."""
    logger = Logger(lambda: datetime.now(UTC))
    logging.basicConfig(level=logging.WARNING, handlers=[LibraryHandler(logger)], force=True)
    try:
        asyncio.run(_serve(options.parse(None), logger))
    except Refused as refused:
        logger.error(str(refused))
        return 1
    return 0


async def _serve(given: Options, logger: Logger) -> None:
    stop = stop_requested()
    host = Host(given, dict(os.environ), logger)
    try:
        await until(stop, _work(host))
        await host.quiesce()
    finally:
        await host.close()


async def _work(host: Host) -> None:
    ready = await host.open()
    sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
    sys.stdout.flush()
    await host.watch()


if __name__ == "__main__":
    sys.exit(main())
