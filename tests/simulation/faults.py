"""What goes wrong at a step, drawn by the seed: crashes before and after, errors with and without effect, delays."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

import requests
from azure.core.exceptions import HttpResponseError, ServiceResponseError

from shared.cloud.azure import READ_TIMEOUT
from shared.store.table import Change, Conflict, Merge
from tests.simulation.steps import Act, Crash, Hub, Order, Step
from tests.simulation.tables import Changes, TableAccount
from tests.simulation.wire import NeverConnected, error_response

LONGEST_FLIGHT = 20.0
"""Seconds from the gate to Azure at most: connecting takes 5 s at most, the rest is the network's."""


class StorageFault(HttpResponseError):
    """Storage answers 503, or nothing."""

    def __init__(self) -> None:
        super().__init__("ServerBusy: a fault of the simulation")
        self.status_code = 503


class Fault(NamedTuple):
    """`name` is what a story says. `order` is None for a plain delay, which the scheduler sees to."""

    name: str
    order: Order | None = None
    delay: float = 0.0


Draw = Callable[[Step], Fault]


class Faults:
    """Draws the fault of a step when there is to be one."""

    def __init__(self, random: Random, hub: Hub, tables: TableAccount) -> None:
        self._random = random
        self._hub = hub
        self._tables = tables

    def draw(self, step: Step) -> Fault:
        """Of the kinds that this step can have."""
        if step.place == "time":
            return crash_before()
        kind: Draw = self._random.choice(self._kinds(step))
        return kind(step)

    def outage(self, step: Step) -> Fault:
        """The place is down."""
        if step.place == "arm":
            return self._arm_status(503, effect=False)
        return _lost("no effect", StorageFault())

    def _kinds(self, step: Step) -> tuple[Draw, ...]:
        common: tuple[Draw, ...] = (_before, _after, self._delay)
        if step.place == "arm":
            kinds: tuple[Draw, ...] = (self._throttled, self._server_error, self._timeout, self._refused, self._slow)
            return (*common, *kinds, self._timeout) if step.verb.endswith("Patches") else (*common, *kinds)
        if step.place == "queue":
            return (*common, _storage_lost, _storage_done, _twice)
        if step.verb not in ("write", "transact"):
            return (*common, _storage_lost)
        guarded: tuple[Draw, ...] = (_conflict_done, self._stale) if _is_guarded(step) else ()
        return (*common, _storage_lost, _storage_done, self._frozen, *guarded)

    def _delay(self, step: Step) -> Fault:
        """Before the step. On the way to Azure only as long as a connection may take."""
        if step.place == "arm":
            seconds = self._random.uniform(0.5, LONGEST_FLIGHT)
        else:
            seconds = self._random.choice((3.0, 12.0, 40.0, 90.0, 300.0)) * self._random.uniform(0.5, 1.5)
        return Fault(f"delayed by {seconds:.0f} s", delay=seconds)

    def _frozen(self, step: Step) -> Fault:
        """After the step: the worker stands still for seconds or many minutes."""
        seconds = self._random.choice((12.0, 70.0, 200.0, 700.0)) * self._random.uniform(0.8, 1.5)
        return Fault(f"done, then frozen for {seconds:.0f} s", self._then(seconds))

    def _slow(self, step: Step) -> Fault:
        """Azure answers late, or too late."""
        seconds = self._random.uniform(3, 1.5 * READ_TIMEOUT)
        if seconds < READ_TIMEOUT:
            return Fault(f"answered after {seconds:.0f} s", self._then(seconds))
        return Fault("done, no answer in time", self._then(READ_TIMEOUT, requests.exceptions.ReadTimeout()))

    def throttled(self) -> Fault:
        return _throttled(self._random.choice((0, 1, 5, 30)))

    def refused(self) -> Fault:
        """Mostly for good; a 409 is asked again."""
        status, code = self._random.choice(
            ((403, "AuthorizationFailed"), (403, "AuthorizationFailed"), (409, "Conflict"))
        )
        return Fault(f"{status}", lambda act: error_response(status, code))

    def asleep(self) -> Fault:
        """Longer than the shortest windows leave for a start."""
        seconds = self._random.uniform(65, 330)
        return Fault(f"delayed by {seconds:.0f} s", delay=seconds)

    def frozen(self) -> Fault:
        """As long, once the step is done."""
        seconds = self._random.uniform(65, 330)
        return Fault(f"done, then frozen for {seconds:.0f} s", self._then(seconds))

    def met(self) -> Fault:
        """As long as another needs to come to the same row."""
        seconds = self._random.uniform(0.5, 6)
        return Fault(f"delivered again, delayed by {seconds:.0f} s", delay=seconds)

    def late_refusal(self) -> Fault:
        """Busy, said so late that the run has taken its next step meanwhile."""
        seconds = self._random.uniform(12, 25)

        def order(act: Act) -> Any:  # noqa: ANN401
            self._hub.pause(seconds)
            return error_response(409, "Conflict")

        return Fault(f"409 after {seconds:.0f} s", order)

    def _then(self, seconds: float, failure: Exception | None = None) -> Order:
        def order(act: Act) -> Any:  # noqa: ANN401 - whatever the step answers
            answer = act()
            self._hub.pause(seconds)
            if failure:
                raise failure
            return answer

        return order

    def _throttled(self, step: Step) -> Fault:
        return _throttled(self._random.choice((0, 1, 5, 30, 120)))

    def _server_error(self, step: Step) -> Fault:
        return self._arm_status(self._random.choice((500, 502, 503, 504)), effect=self._random.random() < 0.5)

    def _arm_status(self, status: int, *, effect: bool) -> Fault:
        def order(act: Act) -> Any:  # noqa: ANN401
            if effect:
                act()
            return error_response(status, "ServerError")

        return Fault(f"{status} {'after' if effect else 'without'} effect", order)

    def _timeout(self, step: Step) -> Fault:
        failure = requests.exceptions.ReadTimeout()
        if self._random.random() < 0.5:
            return Fault("connection lost after effect", self._then(self._random.uniform(0, READ_TIMEOUT), failure))
        return _lost("connection lost without effect", requests.exceptions.ConnectionError("reset"))

    def _refused(self, step: Step) -> Fault:
        """What Azure says without having started anything."""
        if self._random.random() < 0.3:
            return _lost("never connected", NeverConnected())
        if step.verb == "operation":
            return Fault("404", lambda act: error_response(self._random.choice((404, 410)), "NotFound"))
        status = self._random.choice((409, 403)) if step.verb.endswith("Patches") else 429
        return Fault(str(status), lambda act: error_response(status, "Refused"))

    def _stale(self, step: Step) -> Fault:
        """Somebody else wrote every row of the transaction meanwhile, to the same values."""

        def order(act: Act) -> Any:  # noqa: ANN401
            for change in _changes(step):
                self._tables.touch(step.place, change.row.partition, change.row.key)
            return act()

        return Fault("rows touched by somebody else", order)


def _is_guarded(step: Step) -> bool:
    """Whether the write can conflict at all; a Merge never does."""
    return any(not isinstance(change, Merge) for change in _changes(step))


def _changes(step: Step) -> Sequence[Change]:
    return step.about.all if isinstance(step.about, Changes) else ()


def _throttled(seconds: int) -> Fault:
    return Fault(f"429, Retry-After {seconds}", lambda act: error_response(429, "TooManyRequests", seconds))


def crash_before() -> Fault:
    return _lost("crash before", Crash())


def crash_after() -> Fault:
    def order(act: Act) -> Any:  # noqa: ANN401
        act()
        raise Crash

    return Fault("crash after", order)


def _before(step: Step) -> Fault:
    return crash_before()


def _after(step: Step) -> Fault:
    return crash_after()


def _lost(name: str, failure: BaseException) -> Fault:
    def order(act: Act) -> Any:  # noqa: ANN401
        raise failure

    return Fault(name, order)


def _done(name: str, failure: Exception) -> Fault:
    def order(act: Act) -> Any:  # noqa: ANN401
        act()
        raise failure

    return Fault(name, order)


def _storage_lost(step: Step) -> Fault:
    return _lost("storage error, no effect", StorageFault())


def _storage_done(step: Step) -> Fault:
    return _done("storage error after effect", ServiceResponseError("connection reset"))


def _conflict_done(step: Step) -> Fault:
    """The answer was lost and the SDK asked again: its second try meets the row that its first one wrote."""
    return _done("done, answer lost, tried again: conflict", Conflict("the row is there already"))


def _twice(step: Step) -> Fault:
    def order(act: Act) -> Any:  # noqa: ANN401
        act()
        return act()

    return Fault("sent twice", order)
