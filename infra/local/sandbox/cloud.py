"""The sandbox: one object that answers requests as Azure would, whatever front they came through."""

from collections.abc import Callable, Sequence
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from random import Random
from threading import Lock

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from infra.local.sandbox import activity, admin, arm, graph, inventory, maintenance, patching, tags
from infra.local.sandbox.catalogue import CatalogueEntry
from infra.local.sandbox.config import SandboxConfig, guid
from infra.local.sandbox.foreign import draw_foreign
from infra.local.sandbox.guests import Guest
from infra.local.sandbox.http import Refusal, Request, Response
from infra.local.sandbox.identity import EVENT_GRID, Caller
from infra.local.sandbox.openid import identity_answer
from infra.local.sandbox.routes import (
    ACTIVITY_VERSIONS,
    COMPUTE_VERSIONS,
    GRAPH_VERSIONS,
    HYBRID_VERSIONS,
    MAINTENANCE_VERSIONS,
    RESOURCES_VERSIONS,
    Call,
    Handler,
    Route,
    Routes,
)
from infra.local.sandbox.state import State
from infra.local.sandbox.throttles import ARM, ARM_TENANT_READS, ARM_TOGETHER, KIND_OF_METHOD, READS, WRITES
from infra.local.sandbox.topics import Delivery, is_for_a_topic

_SUBSCRIPTION = "/subscriptions/{subscription}"
_GROUP = f"{_SUBSCRIPTION}/resourceGroups/{{group}}"
_COMPUTE = "/providers/Microsoft.Compute"
_HYBRID = "/providers/Microsoft.HybridCompute"
_TAGS = "/providers/Microsoft.Resources/tags/default"


def _vm(method: str, template: str, handler: Handler) -> Route:
    return Route(method, template, COMPUTE_VERSIONS, handler)


def _arc(method: str, template: str, handler: Handler) -> Route:
    return Route(method, template, HYBRID_VERSIONS, handler)


_ONE_VM = f"{_GROUP}{_COMPUTE}/virtualMachines/{{name}}"
_ONE_ARC = f"{_GROUP}{_HYBRID}/machines/{{name}}"

_MAINTENANCE = "/providers/Microsoft.Maintenance"
_ASSIGNMENT = f"{_MAINTENANCE}/configurationAssignments/{{assignment}}"
_KEPT = (
    f"{_GROUP}{_MAINTENANCE}/maintenanceConfigurations/{{name}}",
    *(f"{scope}{_ASSIGNMENT}" for scope in (_ONE_VM, _ONE_ARC, _GROUP, _SUBSCRIPTION)),
)
_VERBS = {"PUT": maintenance.put, "GET": maintenance.get, "DELETE": maintenance.delete}

_ROUTES = (
    *(Route(verb, path, MAINTENANCE_VERSIONS, handler) for path in _KEPT for verb, handler in _VERBS.items()),
    Route(
        "GET",
        f"{_SUBSCRIPTION}{_MAINTENANCE}/maintenanceConfigurations",
        MAINTENANCE_VERSIONS,
        maintenance.list_configurations,
    ),
    Route("GET", "/subscriptions", RESOURCES_VERSIONS, arm.list_subscriptions),
    Route("GET", _SUBSCRIPTION, RESOURCES_VERSIONS, arm.get_subscription),
    Route("GET", f"{_SUBSCRIPTION}/resourcegroups", RESOURCES_VERSIONS, arm.list_groups),
    Route("GET", f"{_SUBSCRIPTION}{_TAGS}", RESOURCES_VERSIONS, tags.get),
    Route("PATCH", f"{_SUBSCRIPTION}{_TAGS}", RESOURCES_VERSIONS, tags.patch),
    _vm("GET", f"{_SUBSCRIPTION}{_COMPUTE}/virtualMachines", inventory.list_vms),
    _vm("GET", f"{_GROUP}{_COMPUTE}/virtualMachines", inventory.list_vms),
    _vm("GET", _ONE_VM, inventory.get_vm),
    _vm("GET", f"{_ONE_VM}/instanceView", inventory.get_instance_view),
    _vm("POST", f"{_ONE_VM}/assessPatches", patching.assess_vm),
    _vm("POST", f"{_ONE_VM}/installPatches", patching.install_vm),
    _vm("GET", f"{_SUBSCRIPTION}{_COMPUTE}/locations/{{location}}/operations/{{operation}}", patching.operation_state),
    _arc("GET", f"{_SUBSCRIPTION}{_HYBRID}/machines", inventory.list_arc),
    _arc("GET", f"{_GROUP}{_HYBRID}/machines", inventory.list_arc),
    _arc("GET", _ONE_ARC, inventory.get_arc),
    _arc("POST", f"{_ONE_ARC}/assessPatches", patching.assess_arc),
    _arc("POST", f"{_ONE_ARC}/installPatches", patching.install_arc),
    _arc(
        "GET",
        f"{_SUBSCRIPTION}{_HYBRID}/locations/{{location}}/operationStatus/{{operation}}",
        patching.arc_operation_state,
    ),
    _arc(
        "GET",
        f"{_SUBSCRIPTION}{_HYBRID}/locations/{{location}}/updateCenterOperationResults/{{operation}}",
        patching.operation_result,
    ),
    Route("POST", "/providers/Microsoft.ResourceGraph/resources", GRAPH_VERSIONS, graph.query_resources),
    Route(
        "GET",
        f"{_SUBSCRIPTION}/providers/Microsoft.Insights/eventtypes/management/values",
        ACTIVITY_VERSIONS,
        activity.list_events,
    ),
)

_NOBODY = Caller("", "")


class Sandbox:
    """Answers one request at a time; what time brings is caught up with before each answer."""

    def __init__(
        self,
        config: SandboxConfig,
        *,
        clock: Callable[[], datetime],
        catalogue: Sequence[CatalogueEntry],
        guest: Guest | None = None,
        key: RSAPrivateKey | None = None,
    ) -> None:
        self.config = config
        self._clock = clock
        self._state = State(config, catalogue, guest, clock(), key)
        self._routes = Routes(_ROUTES)
        self._lock = Lock()
        self._request_ids = Random(f"{config.seed}:request")

    def owner_token(self) -> str:
        """A token of the owner, valid for ARM and the app for 24 h."""
        return self._state.identity.owner_token(self._clock())

    @property
    def issuer(self) -> str:
        return self._state.identity.issuer

    @property
    def identity_header(self) -> str:
        return self._state.identity.identity_header

    def handle(self, request: Request) -> Response:
        """The answer to a request; never raises for anything a request can contain."""
        with self._lock:
            now = self._clock()
            self._state.operations.settle(now)
            self._state.platform.settle(now)
            if not admin.asks_for_fleet(request):
                return self._tracked(request, self._answer(request, now), now)
        return admin.fleet(self._state)

    def outgoing(self) -> list[Delivery]:
        """Events that webhooks are to get now; the front sends them."""
        with self._lock:
            return self._state.topics.outgoing()

    def delivered(self, delivery: Delivery, status: int) -> None:
        """What a webhook answered to one; 0: nothing."""
        with self._lock:
            self._state.topics.delivered(delivery, status, self._clock())

    def _tracked(self, request: Request, response: Response, now: datetime) -> Response:
        """With the headers that every answer of ARM carries."""
        tracking = {
            "Date": _date((now + self._state.faults.clock_offset()).replace(microsecond=0)),
            "x-ms-request-id": guid(self._request_ids.getrandbits(128)),
            "x-ms-client-request-id": request.header("x-ms-client-request-id"),
        }
        return response.with_headers({name: value for name, value in tracking.items() if value})

    def _answer(self, request: Request, now: datetime) -> Response:
        try:
            if request.path.startswith(f"{admin.PREFIX}/"):
                return admin.answer(self._state, request, now)
            found = identity_answer(self._state.identity, self.config, request, now)
            return found if found is not None else self._azure(request, now)
        except Refusal as refusal:
            return refusal.response()

    def _azure(self, request: Request, now: datetime) -> Response:
        """An ARM request: faults first, then the token, and an entry in the journal in any case."""
        self._state.faults.begin(request)
        draw_foreign(self._state, now)
        fault = self._state.faults.outside(request, now)
        lost = fault is not None and not fault.arrives
        caller, response = (_NOBODY, None) if lost else self._carry_out(request, now)
        answer = fault.befall(response) if fault is not None else response
        assert answer is not None  # without a fault the request was carried out
        self._note(request, caller, response, answer, now)
        return answer

    def _note(
        self, request: Request, caller: Caller, response: Response | None, answer: Response, now: datetime
    ) -> None:
        effect = request.method.upper() != "GET" and response is not None and response.status == 202
        facts = {
            "method": request.method.upper(),
            "url": request.url,
            "principal": caller.id,
            "machine": _machine_of(request.path),
            "clientRequestId": request.header("x-ms-client-request-id"),
            "status": answer.status,
            "effect": effect,
            "fault": bool(self._state.faults.used),
            "faults": list(self._state.faults.used),
            "arrived": response is not None,
            "azureStatus": response.status if response is not None else 0,
        }
        self._state.journal.note("request", now, facts)

    def _carry_out(self, request: Request, now: datetime) -> tuple[Caller, Response]:
        caller = _NOBODY
        try:
            if is_for_a_topic(request):
                caller = self._state.identity.caller(request, now, EVENT_GRID)
                return caller, self._state.topics.publish(request, now)
            caller = self._state.identity.caller(request, now)
            return caller, self._dispatch(request, caller, now)
        except Refusal as refusal:
            return caller, refusal.response()

    def _dispatch(self, request: Request, caller: Caller, now: datetime) -> Response:
        route, parameters = self._routes.find(request)
        subscription = parameters.get("subscription", "")
        remaining: dict[str, str] = {}
        kind = KIND_OF_METHOD.get(request.method.upper(), WRITES)
        if subscription:
            self._state.buckets.take(ARM_TOGETHER[kind], (subscription.lower(),), now)
            left = self._state.buckets.take(ARM[kind], (caller.id, subscription.lower()), now)
            remaining[f"x-ms-ratelimit-remaining-subscription-{kind}"] = str(left)
        elif kind == READS:
            left = self._state.buckets.take(ARM_TENANT_READS, (caller.id,), now)
            remaining[f"x-ms-ratelimit-remaining-tenant-{kind}"] = str(left)
        call = Call(request=request, parameters=parameters, caller=caller, now=now)
        return route.handler(self._state, call).with_headers(remaining)


@lru_cache(maxsize=64)
def _date(second: datetime) -> str:
    """As HTTP writes it; many answers fall into one second."""
    return format_datetime(second, usegmt=True)


def _machine_of(path: str) -> str:
    """The machine id a path starts with, as it was written; "" when there is none."""
    parts = path.split("/")
    kinds = ("virtualmachines", "machines")
    at_machine = len(parts) >= 9 and parts[5].lower() == "providers" and parts[7].lower() in kinds
    return "/".join(parts[:9]) if at_machine else ""
