"""The host itself: reads the app, starts the workers, opens the fronts, runs timers and pumps, and ends them all."""

import asyncio
import random
import secrets
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from infra.local.host import hostjson
from infra.local.host.admin import Admin
from infra.local.host.appsettings import Settings, disabled, switched_on
from infra.local.host.auth import Authentication, TokenOptions
from infra.local.host.eventgrid import EventGrid
from infra.local.host.front import Site, application
from infra.local.host.invoker import PoolInvoker
from infra.local.host.log import Logger
from infra.local.host.metadata import Function, functions
from infra.local.host.options import Options
from infra.local.host.pool import Pool
from infra.local.host.pump import Runs
from infra.local.host.routes import Routes
from infra.local.host.server import Fronts
from infra.local.host.slot import WorkerOptions
from infra.local.host.triggers import Triggers, check

# In-flight invocations may end by themselves for this long after a stop was asked for; then their workers end.
GRACE_SECONDS: Final = 1.5
# After that the pumps give the messages of the ended invocations back.
RELEASE_SECONDS: Final = 1.0


class Ready(msgspec.Struct, frozen=True):
    """What a started host says of itself, as one JSON line."""

    app: str
    app_tls: str | None
    functions: tuple[str, ...]
    master_key: str


class Host:
    """One host process. `open`, then `watch` until a stop is wanted, `quiesce`, and in any case `close`."""

    def __init__(self, options: Options, settings: Settings, logger: Logger) -> None:
        """Raises Refused for a wrong host.json, a taken port or an unusable certificate."""
        self._options = options
        self._settings = settings
        self._logger = logger
        self._config = hostjson.read(options.app)
        logger.level = self._config.log_level
        self._fronts = Fronts(options)
        self._key = secrets.token_urlsafe(32)
        self._pool = Pool(self._worker_options(), logger)
        self._invoker = PoolInvoker(self._pool, self._config.function_timeout, logger)
        runs = Runs(invoker=self._invoker, logger=logger, rng=random.Random())
        self._triggers = Triggers(settings, str(options.app), runs)

    async def open(self) -> Ready:
        """Everything started and answering; timers and queues run. Raises Refused."""
        for warning in self._config.warnings:
            self._logger.warning(warning)
        indexed = await self._pool.start(self._options.workers)
        found = functions(indexed.functions)
        enabled = tuple(function for function in found if not disabled(function.name, self._settings))
        for name in sorted({function.name for function in found} - {function.name for function in enabled}):
            self._logger.warning("Function is disabled.", function=name)
        check(enabled, self._settings)
        site = self._site(found, enabled)
        for function in enabled:
            await self._triggers.add(function, self._config.queues, self._options.lease)
        await self._fronts.open(application(site))
        self._triggers.start()
        names = tuple(function.name for function in found)
        return Ready(app=self._fronts.url, app_tls=self._fronts.tls_url, functions=names, master_key=self._key)

    async def watch(self) -> None:
        """Waits for ever; raises what ended a timer, a pump or the keeping of a worker, none of which may end."""
        await asyncio.gather(self._triggers.watch(), self._pool.watch())

    async def quiesce(self) -> None:
        """Takes nothing new, gives what runs a short grace, then ends the workers; their messages are given back."""
        self._logger.info("Stopping.")
        self._triggers.stop()
        await self._fronts.stop_listening()
        await self._invoker.idle(GRACE_SECONDS)
        await self._pool.stop()
        await self._triggers.drain(RELEASE_SECONDS)

    async def close(self) -> None:
        """Leaves nothing behind, whatever was opened."""
        await self._pool.stop()
        await self._triggers.close()
        await self._fronts.close()

    def _site(self, found: tuple[Function, ...], enabled: tuple[Function, ...]) -> Site:
        return Site(
            routes=Routes(enabled, self._config.route_prefix),
            invoker=self._invoker,
            event_grid=EventGrid(enabled, self._invoker, self._key),
            admin=Admin(found, self._invoker, lambda: datetime.now(UTC)),
            logger=self._logger,
            master_key=self._key,
            home_page=not switched_on("AzureWebJobsDisableHomepage", self._settings),
            authentication=self._authentication(),
        )

    def _authentication(self) -> Authentication | None:
        options = self._options
        if not options.issuer or not options.audience:
            return None
        return Authentication(
            TokenOptions(issuer=options.issuer, audience=options.audience, ca=options.ca), self._logger
        )

    def _worker_options(self) -> WorkerOptions:
        environment = {
            **self._settings,
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "AzureWebJobsScriptRoot": str(self._options.app),
            "WEBSITE_HOSTNAME": self._fronts.host_name,
        }
        if self._options.issuer:
            environment["WEBSITE_AUTH_ENABLED"] = "True"
        return WorkerOptions(app=str(self._options.app), log_level=self._config.log_level, environment=environment)


async def until(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Runs the work until it ends or a stop is wanted, whichever is first; raises what the work raised."""
    task = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        task.cancel()
    if task.done():
        task.result()
    await asyncio.gather(task, return_exceptions=True)
