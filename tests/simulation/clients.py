"""Clients of the app: they ask again without a clear answer, and what they said and were told is kept for the laws."""

from collections.abc import Callable
from datetime import datetime

from shared.domain.errors import RequestError
from tests.simulation.app import Instance
from tests.simulation.host import Host
from tests.simulation.scheduler import Scheduler
from tests.simulation.steps import Invocation

TRIES = 8
LATER = (429, 503)
"""Statuses by which the app says that Azure does not answer now."""
WAITS = (0.8, 5.0, 20.0)
"""Seconds before a client asks again."""


class Call:
    """One time that a client asked; `about` is what for. `answered` is None without a good answer."""

    __slots__ = ("about", "answer", "answered", "asked", "function")

    def __init__(self, function: str, about: str, asked: datetime) -> None:
        self.function = function
        self.about = about
        self.asked = asked
        self.answered: datetime | None = None
        self.answer: object = None


class Clients:
    """Asks some instance, as the host gives it to a request."""

    def __init__(
        self, host: Host, scheduler: Scheduler, choose: Callable[[], float], now: Callable[[], datetime]
    ) -> None:
        """`choose`: how long to wait before the next try."""
        self._host, self._scheduler, self._choose, self._now = host, scheduler, choose, now
        self.calls: list[Call] = []
        self.refused: list[str] = []
        """What clients were refused, as `function code`."""

    def ask(
        self,
        function: str,
        act: Callable[[Instance], object],
        left: int = TRIES,
        about: str = "",
        on_refusal: Callable[[RequestError], None] = lambda _: None,
    ) -> None:
        """And again, until there is a clear answer; `left` times at most."""
        call = Call(function, about, self._now())
        self.calls.append(call)

        def ended(invocation: Invocation) -> None:
            failure = invocation.failure
            if isinstance(failure, RequestError) and failure.status not in LATER:
                self.refused.append(f"{function} {failure.code}")
                on_refusal(failure)
            elif invocation.crashed or failure:
                if left:
                    again = self._scheduler.now + self._choose()
                    self._scheduler.at(again, lambda: self.ask(function, act, left - 1, about, on_refusal))
            else:
                call.answered, call.answer = self._now(), invocation.answer

        instance = self._host._any()
        self._host._start(function, instance, lambda: act(instance), ended)

    def of(self, function: str, about: str | None = None) -> list[Call]:
        """What was asked of that function, in order."""
        return [each for each in self.calls if each.function == function and about in (None, each.about)]
