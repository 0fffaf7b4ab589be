"""The faults of one sandbox: those that testers asked for, those that its seed draws, and their use in the journal."""

from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

import msgspec

from infra.local.sandbox.fault import OUTSIDE, STANDING, SUBSCRIPTION, WAITING, Fault, Kind
from infra.local.sandbox.http import Json, Request
from infra.local.sandbox.journal import Journal
from infra.local.sandbox.weather import Weather


class Faults:
    """What was asked for goes before what is drawn; first added, first used."""

    def __init__(self, journal: Journal, weather: Weather) -> None:
        self._journal = journal
        self._weather = weather
        self._pending: list[Fault] = []
        self._drawn: Fault | None = None
        self.used: list[str] = []
        """Kinds that struck the request at hand."""

    def begin(self, request: Request) -> None:
        """Before a request: the seed may draw one fault for it."""
        self.used = []
        self._drawn = self._weather.draw(request)

    def add(self, fault: Fault, now: datetime) -> None:
        self._pending.append(fault)
        if fault.kind in STANDING:
            self._note("faultBegan", fault, now)

    def clear(self, now: datetime) -> None:
        """Takes back everything that was asked for, and the standing ones of the seed."""
        for fault in self._pending:
            if fault.kind in STANDING:
                self._note("faultEnded", fault, now)
        self._pending.clear()

    def facts(self) -> list[Json]:
        return [fault.facts() for fault in self._pending]

    def outside(self, request: Request, now: datetime) -> Fault | None:
        """What happens to the request on its way; at its subscription's door first."""
        return self.take(SUBSCRIPTION, request, now) or self.take(OUTSIDE, request, now)

    def take(self, kinds: AbstractSet[Kind], request: Request, now: datetime) -> Fault | None:
        """The fault of these kinds for this request, used up by one; None when none fits."""
        fault = self._asked(kinds, request)
        if fault is None and self._drawn is not None and self._drawn.kind in kinds:
            fault, self._drawn = self._drawn, None
        if fault is not None:
            self.strike(fault, request.path, now)
        return fault

    def strike(self, fault: Fault, path: str, now: datetime) -> None:
        """Records that it has happened."""
        self.used.append(fault.kind.value)
        self._note("fault", fault, now, path)

    def drawn_foreign(self) -> Fault | None:
        """The operation that somebody else starts just now; not yet recorded, for the machine may refuse it."""
        drawn, mine = self._drawn, self._drawn is not None and self._drawn.kind is Kind.FOREIGN
        self._drawn = None if mine else drawn
        return drawn if mine else None

    def long_lag(self, machine: str, now: datetime) -> timedelta:
        """How much later than usual a result of this machine shows in Resource Graph."""
        fault = self._weather.long_lag(machine)
        if fault is None:
            return timedelta()
        self.strike(fault, machine, now)
        return timedelta(seconds=fault.seconds)

    def supersedes(self, machine: str) -> bool:
        """Whether this machine, when busy, ends the old operation for a new one."""
        return self._weather.supersedes(machine)

    def clock_offset(self) -> timedelta:
        """By how much the `Date` header is off."""
        return timedelta(seconds=sum(fault.seconds for fault in self._pending if fault.kind is Kind.CLOCK))

    def hidden(self) -> frozenset[str]:
        """Subscriptions, in lower case, whose rows Resource Graph leaves out."""
        return frozenset(fault.subscription.lower() for fault in self._pending if fault.kind is Kind.FORBIDDEN)

    def _asked(self, kinds: AbstractSet[Kind], request: Request) -> Fault | None:
        for position, fault in enumerate(self._pending):
            if fault.kind not in kinds or not fault.fits(request):
                continue
            if fault.skip:
                self._pending[position] = msgspec.structs.replace(fault, skip=fault.skip - 1)
                continue
            self._use_up(position, fault)
            return fault
        return None

    def _use_up(self, position: int, fault: Fault) -> None:
        if fault.kind in STANDING or fault.times == 0:
            return
        left = msgspec.structs.replace(fault, times=fault.times - 1)
        self._pending[position : position + 1] = [left] if left.times > 0 else []

    def _note(self, event: str, fault: Fault, now: datetime, path: str = "") -> None:
        told = {name: value for name, value in fault.facts().items() if name not in WAITING or name == "kind"}
        self._journal.note(event, now, {**told, **({"path": path} if path else {})})
