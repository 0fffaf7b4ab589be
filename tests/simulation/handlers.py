"""Handlers of pre-events: each does what its seed has it do whenever it hears of a run, also of the same one again."""

from collections.abc import Callable, Iterator
from datetime import datetime
from random import Random
from typing import Any

from shared.domain.maintenance_id import ConfigurationId
from tests.simulation.clients import Clients
from tests.simulation.clock import WorldClock
from tests.simulation.window_events import STEP, EventsPlan, Handler, Kind, heard_until

PRE = "Microsoft.Maintenance.PreMaintenanceEvent"
AGAIN = (0.0, 0.1, 2.0)
Said = tuple[float, bool]
"""At which second, and whether it is a success."""


class Handlers:
    """`at` does something at a second of the clock."""

    def __init__(
        self, random: Random, plan: EventsPlan, configuration: ConfigurationId, clock: WorldClock, clients: Clients
    ) -> None:
        self._random = random
        self._plan = plan
        self._configuration = configuration
        self._clock = clock
        self._clients = clients
        self.at: Callable[[float, Callable[[], None]], None] = lambda second, act: None

    def hear(self, event: dict[str, Any]) -> None:
        """What a topic took."""
        data = event["data"]
        if event["type"] == PRE:
            run = data["fleet"]["run"] if "fleet" in data else ""
            self.told(run, datetime.fromisoformat(data["startDateTime"]), datetime.fromisoformat(data["endDateTime"]))

    def told(self, run: str, start: datetime, end: datetime) -> None:
        for handler in self._plan.handlers:
            if handler.kind is Kind.CANCELS:
                self.at(self._clock.seconds + handler.after, lambda: self._cancel(start))
            elif run:
                self._reports(handler, run, self._clock.since(heard_until(start, end)))

    def _reports(self, handler: Handler, run: str, until: float) -> None:
        for second, good in _says(handler, self._clock.seconds, until):
            for wait in (0.0, self._random.choice(AGAIN)) if handler.twice else (0.0,):
                self.at(second + wait, lambda good=good: self._report(handler.name, run, good))  # type: ignore[misc]

    def _report(self, name: str, run: str, good: bool) -> None:
        about = report_about(run, name, good)
        self._clients.ask("handler_report", lambda each: each.handler_report(run, name, good), about=about)

    def _cancel(self, start: datetime) -> None:
        about = start.isoformat()
        self._clients.ask("run_cancel", lambda each: each.run_cancel(self._configuration, start), about=about)


def report_about(run: str, handler: str, good: bool) -> str:
    """What a report is kept under."""
    return f"{run} {handler} {'succeeded' if good else 'failed'}"


def _says(handler: Handler, now: float, until: float) -> Iterator[Said]:
    soon = now + handler.after
    match handler.kind:
        case Kind.SILENT:
            return
        case Kind.CLOSE | Kind.LATE:
            yield max(now + STEP, until + handler.apart), True
        case Kind.FAILS:
            yield soon, False
        case Kind.REPENTS:
            yield from ((soon, False), (soon + handler.apart, True))
        case Kind.TURNS:
            yield from ((soon, True), (soon + handler.apart, False))
        case _:
            yield soon, True
