"""The app's functions as the host sees them: what starts each, checked; anything this host cannot do is refused."""

from collections.abc import Iterable
from typing import Final

import msgspec

from infra.local.host.errors import Refused
from infra.local.host.wire import FunctionRecord

# Methods of Azure's httpTrigger; a trigger that names none takes all of them.
ALL_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"})
AUTH_LEVELS: Final = frozenset({"anonymous", "function", "admin"})


class TimerTrigger(msgspec.Struct, frozen=True, kw_only=True):
    """timerTrigger; the schedule is still unresolved text."""

    schedule: str
    run_on_startup: bool = False
    use_monitor: bool = True


class QueueTrigger(msgspec.Struct, frozen=True, kw_only=True):
    """queueTrigger; `binary` is dataType binary."""

    queue: str
    connection: str
    binary: bool = False


class HttpTrigger(msgspec.Struct, frozen=True, kw_only=True):
    """httpTrigger; the auth level in lower case, the methods in upper case."""

    route: str
    methods: frozenset[str]
    auth_level: str


class EventGridTrigger(msgspec.Struct, frozen=True, kw_only=True):
    """eventGridTrigger; who subscribes names the function in the webhook's address."""


Trigger = TimerTrigger | QueueTrigger | HttpTrigger | EventGridTrigger


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """One function of the app; `parameter` is the name of its trigger's argument."""

    id: str
    name: str
    parameter: str
    trigger: Trigger
    bindings: tuple[str, ...]


class _Binding(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    type: str
    name: str
    direction: str
    schedule: str = ""
    run_on_startup: bool | None = None
    use_monitor: bool | None = None
    queue_name: str = ""
    connection: str = ""
    data_type: str | None = None
    route: str | None = None
    methods: list[str] | None = None
    auth_level: str | None = None


def functions(records: Iterable[FunctionRecord]) -> tuple[Function, ...]:
    """Raises Refused naming the function and the binding that is not supported."""
    return tuple(_function(record) for record in records)


def _function(record: FunctionRecord) -> Function:
    if record.has_retry:
        raise Refused(f"Function {record.name}: retry policies are not supported by the local host.")
    bindings = [msgspec.json.decode(raw, type=_Binding) for raw in record.bindings]
    triggers = [binding for binding in bindings if _is_trigger(binding, record.name)]
    if len(triggers) != 1:
        raise Refused(f"Function {record.name} must have exactly one trigger, it has {len(triggers)}.")
    binding = triggers[0]
    return Function(
        id=record.id,
        name=record.name,
        parameter=binding.name,
        trigger=_trigger(binding, record.name),
        bindings=record.bindings,
    )


def _is_trigger(binding: _Binding, function: str) -> bool:
    if binding.type in {"timerTrigger", "queueTrigger", "httpTrigger", "eventGridTrigger"}:
        return True
    if binding.type == "http" and binding.name == "$return":
        return False
    raise Refused(
        f"Function {function}: binding {binding.name} of type {binding.type} is not supported by the local host, "
        "which knows timerTrigger, queueTrigger, httpTrigger, eventGridTrigger and the http return value."
    )


def _trigger(binding: _Binding, function: str) -> Trigger:
    if binding.type == "timerTrigger":
        monitor = binding.use_monitor is not False
        return TimerTrigger(schedule=binding.schedule, run_on_startup=bool(binding.run_on_startup), use_monitor=monitor)
    if binding.type == "queueTrigger":
        binary = (binding.data_type or "").lower() == "binary"
        return QueueTrigger(queue=binding.queue_name, connection=binding.connection, binary=binary)
    return EventGridTrigger() if binding.type == "eventGridTrigger" else _http(binding, function)


def _http(binding: _Binding, function: str) -> HttpTrigger:
    level = (binding.auth_level or "function").lower()
    if level not in AUTH_LEVELS:
        raise Refused(f"Function {function}: auth level {level} is not supported by the local host.")
    methods = frozenset(method.upper() for method in binding.methods or ALL_METHODS)
    if unknown := methods - ALL_METHODS:
        raise Refused(f"Function {function}: unknown HTTP method {sorted(unknown)[0]}.")
    return HttpTrigger(route=function if binding.route is None else binding.route, methods=methods, auth_level=level)
