"""Invocations that stop at every I/O step, so that somebody else decides what happens next."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]

_T = TypeVar("_T")

Act = Callable[[], Any]
Order = Callable[[Act], Any]
"""What is to happen at a step instead of the step's own act."""


class Crash(BaseException):
    """The worker is gone: nothing of the app may catch this."""


class Step(NamedTuple):
    """One I/O step: `place` is a table, `queue`, `arm` or `time`; `verb` what is done there; `about` to what."""

    place: str
    verb: str
    about: str


class Invocation:
    """One run of one function on one instance. `function` is its name in the app."""

    def __init__(self, number: int, function: str, instance: str, work: Act) -> None:
        self.number = number
        self.function = function
        self.instance = instance
        self.step: Step | None = None
        self.crashed = False
        self.failure: Exception | None = None
        self.answer: object = None
        self.after: Callable[[Invocation], None] = lambda _: None
        self._work = work
        self._fiber = greenlet(self._run)
        self._dying = False

    @property
    def over(self) -> bool:
        return bool(self._fiber.dead)

    def go_on(self, order: Order | None) -> None:
        """Up to its next step, or to its end."""
        self.step = self._fiber.switch(order)

    def stop(self) -> None:
        """Dies where it stands, before the step it waits at."""
        self.crashed = self._dying = True
        if self._fiber:  # a fiber that never started has nothing to unwind
            self._fiber.throw(Crash)

    def wait(self, main: greenlet, step: Step) -> Order | None:
        """Called inside: hand the step out and wait for the order."""
        if self._dying:
            raise Crash
        order: Order | None = main.switch(step)
        return order

    def _run(self, order: Order | None) -> None:
        try:
            self.answer = self._work()
        except Crash:
            self.crashed = True
        except Exception as failure:  # noqa: BLE001 - recorded: whoever started the invocation judges it
            self.failure = failure


class Hub:
    """Where every port of the simulated world asks to do its I/O. Outside an invocation nothing stops."""

    def __init__(self) -> None:
        self._main = getcurrent()
        self.current: Invocation | None = None

    def io(self, step: Step, act: Callable[[], _T]) -> _T:
        """Do it, or what is ordered instead."""
        if self.current is None:
            return act()
        order = self.current.wait(self._main, step)
        if order is None:
            return act()
        answer: _T = order(act)
        return answer

    def pause(self, seconds: float) -> None:
        """Simulated time passes for the current invocation."""
        self.io(Step("time", "pause", str(seconds)), lambda: None)

    def resume(self, invocation: Invocation, order: Order | None = None) -> None:
        self.current = invocation
        try:
            invocation.go_on(order)
        finally:
            self.current = None

    def stop(self, invocation: Invocation) -> None:
        self.current = invocation
        try:
            invocation.stop()
        finally:
            self.current = None
