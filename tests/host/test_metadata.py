"""What the worker library reports becomes triggers; what this host cannot do is refused by name."""

import json
from collections.abc import Mapping

import pytest

from infra.local.host.errors import Refused
from infra.local.host.metadata import ALL_METHODS, HttpTrigger, QueueTrigger, TimerTrigger, Trigger, functions
from infra.local.host.wire import FunctionRecord

RETURN = {"type": "http", "name": "$return", "direction": "OUT"}


def record(*bindings: Mapping[str, object], has_retry: bool = False) -> FunctionRecord:
    raw = tuple(json.dumps({"direction": "IN", "name": "x", **binding}) for binding in bindings)
    return FunctionRecord(id="1", name="f", bindings=raw, has_retry=has_retry)


def trigger(*bindings: Mapping[str, object]) -> Trigger:
    return functions([record(*bindings)])[0].trigger


def test_timers() -> None:
    assert trigger({"type": "timerTrigger", "schedule": "%S%"}) == TimerTrigger(schedule="%S%")
    assert trigger(
        {"type": "timerTrigger", "schedule": "0 * * * * *", "runOnStartup": True, "useMonitor": False}
    ) == TimerTrigger(schedule="0 * * * * *", run_on_startup=True, use_monitor=False)


def test_queues() -> None:
    queue = {"type": "queueTrigger", "queueName": "q", "connection": "C"}
    assert trigger(queue) == QueueTrigger(queue="q", connection="C")
    assert trigger({**queue, "dataType": "BINARY"}) == QueueTrigger(queue="q", connection="C", binary=True)


def test_http() -> None:
    assert trigger({"type": "httpTrigger"}, RETURN) == HttpTrigger(
        route="f", methods=ALL_METHODS, auth_level="function"
    )
    http = {"type": "httpTrigger", "route": "", "methods": ["get", "Post"], "authLevel": "ANONYMOUS"}
    assert trigger(http, RETURN) == HttpTrigger(route="", methods=frozenset({"GET", "POST"}), auth_level="anonymous")


@pytest.mark.parametrize("kind", ["blobTrigger", "serviceBusTrigger", "queue", "blob", "table", "eventGrid", "http"])
def test_other_bindings_are_refused_by_name(kind: str) -> None:
    with pytest.raises(Refused, match=rf"Function f: binding out of type {kind} is not supported"):
        functions([record({"type": "timerTrigger"}, {"type": kind, "name": "out"})])


def test_a_retry_policy_is_refused() -> None:
    with pytest.raises(Refused, match="Function f: retry policies"):
        functions([record({"type": "timerTrigger"}, has_retry=True)])


def test_more_or_less_than_one_trigger_is_refused() -> None:
    with pytest.raises(Refused, match="it has 2"):
        functions([record({"type": "timerTrigger"}, {"type": "queueTrigger"})])
    with pytest.raises(Refused, match="it has 0"):
        functions([record(RETURN)])


def test_unknown_methods_and_levels_are_refused() -> None:
    with pytest.raises(Refused, match="BREW"):
        functions([record({"type": "httpTrigger", "methods": ["BREW"]})])
    with pytest.raises(Refused, match="user"):
        functions([record({"type": "httpTrigger", "authLevel": "user"})])
