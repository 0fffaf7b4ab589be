"""Takes events to webhooks, as Event Grid does: one event a request, again and again until somebody takes it."""

import asyncio
import json
import ssl
from pathlib import Path

import aiohttp

from infra.local.sandbox.cloud import Sandbox
from infra.local.sandbox.topics import RETRIES, Delivery

ANSWER_SECONDS = 30.0
"""How long a webhook may take. Source: Event Grid, delivery and retry."""
# Source: Event Grid, CloudEvents schema, content mode structured; delivery headers.
HEADERS = {"Content-Type": "application/cloudevents+json; charset=utf-8", "aeg-event-type": "Notification"}


class Couriers:
    """One task a delivery; `authority` signed the certificates of webhooks on this machine."""

    def __init__(self, sandbox: Sandbox, authority: Path) -> None:
        self._sandbox = sandbox
        self._tls = ssl.create_default_context(cafile=authority)
        self._tasks: set[asyncio.Task[None]] = set()

    def send_off(self) -> None:
        """Everything that is to be delivered now sets out."""
        for delivery in self._sandbox.outgoing():
            task = asyncio.create_task(self._deliver(delivery))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """What is under way is given up."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, delivery: Delivery) -> None:
        body = json.dumps(delivery.event).encode()
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for pause in RETRIES:
                await asyncio.sleep(pause)
                status = await self._post(session, delivery.url, body)
                self._sandbox.delivered(delivery, status)
                if status // 100 == 2:
                    return

    async def _post(self, session: aiohttp.ClientSession, url: str, body: bytes) -> int:
        """The answer's status; 0: there was none."""
        try:
            async with session.post(url, data=body, headers=HEADERS, ssl=self._tls) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return 0
