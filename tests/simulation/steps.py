"""Invocations that stop at every I/O step, so that somebody else decides what happens next."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]

_T = TypeVar("_T")

Act = Callable[[], Any]
Order = Callable[[Act], Any]
"""What is to happen at a step instead of the step's own act."""


class Crash(BaseException):
    """The worker is gone: nothing of the app may catch this."""


class Step(msgspec.Struct, frozen=True):
    """One I/O step: `place` is a table, `queue`, `arm` or `time`; `verb` what is done there; `about` to what.

    `about` is put into words only when somebody reads the story: most steps nobody ever reads of.
    """

    place: str
    verb: str
    about: object


class Invocation:
    """One run of one function on one instance. `function` is its name in the app."""

    def __init__(self, number: int, function: str, instance: str, work: Act) -> None:
        self.number = number
        self.function = function
        self.instance = instance
        self.step: Step | None = None
        self.began = 0.0
        """Seconds on the world's clock."""
        self.crashed = False
        self.failure: Exception | None = None
        self.answer: object = None
        self.after: Callable[[Invocation], None] = lambda _: None
        self.fiber = greenlet(self._run)
        self.dying = False
        self.over = False
        self._work = work

    def stop(self) -> None:
        """Dies where it stands, before the step it waits at."""
        self.crashed = self.dying = True
        if self.fiber:  # a fiber that never started has nothing to unwind
            self.fiber.throw(Crash)

    def _run(self, order: Order | None) -> None:
        try:
            self.answer = self._work()
        except Crash:
            self.crashed = True
        except Exception as failure:  # noqa: BLE001 - recorded: whoever started the invocation judges it
            self.failure = failure
        self.over = True


class Hub:
    """Where every port of the simulated world asks to do its I/O. Outside an invocation nothing stops."""

    def __init__(self) -> None:
        self._main = getcurrent()
        self.current: Invocation | None = None

    def io(self, step: Step, act: Callable[[], _T]) -> _T:
        """Hand the step out, wait for the order, and do the step, or what is ordered instead."""
        current = self.current
        if current is None:
            return act()
        if current.dying:
            raise Crash
        order: Order | None = self._main.switch(step)
        if order is None:
            return act()
        answer: _T = order(act)
        return answer

    def pause(self, seconds: float) -> None:
        """Simulated time passes for the current invocation."""
        self.io(Step("time", "pause", seconds), lambda: None)

    def resume(self, invocation: Invocation, order: Order | None = None) -> None:
        """Up to its next step, or to its end."""
        self.current = invocation
        try:
            invocation.step = invocation.fiber.switch(order)
        finally:
            self.current = None

    def stop(self, invocation: Invocation) -> None:
        self.current = invocation
        try:
            invocation.stop()
        finally:
            self.current = None
