"""A light stand-in for shared.cloud.azure.Azure: the same five doors, without the SDK's pipeline behind them."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec
import requests
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ODataV4Format,
    ServiceRequestError,
    ServiceResponseError,
)

from infra.local.sandbox.http import Request, Response
from shared.cloud.azure import Azure, Departure
from shared.cloud.clock import Clock
from tests.simulation.steps import Hub
from tests.simulation.wire import NeverConnected, Wire

if TYPE_CHECKING:
    from azure.core.messaging import CloudEvent
    from azure.core.rest import HttpRequest, HttpResponse
    from azure.eventgrid._legacy import EventGridPublisherClient
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.hybridcompute import HybridComputeManagementClient
    from azure.mgmt.maintenance import MaintenanceManagementClient
    from azure.mgmt.resourcegraph import ResourceGraphClient

ORIGIN = "https://127.0.0.1"
AUDIENCE = "https://management.azure.com"
TOPIC = f"{ORIGIN}/topics/maintenance/api/events"
DEPLOYMENT = "simulation"
"""Both instances are of this one."""
_COMPUTE, _HYBRID, _GRAPH = "2025-04-01", "2025-01-13", "2024-04-01"
_MAINTENANCE = "2023-04-01"
_TOPICS = "2018-01-01"
READ_TRIES = 3
"""The SDK's reading clients try again; fewer times than it does keep a story short."""
READ_WAIT = 2.0
_TRIED_AGAIN = frozenset({500, 503})


class LightResponse:
    """As much of azure.core.rest.HttpResponse as shared.cloud reads."""

    def __init__(self, answer: Response) -> None:
        self.status_code = answer.status
        self.headers = _Headers({name.lower(): value for name, value in answer.headers.items()})
        self.reason = ""
        self._body = answer.body

    def text(self) -> str:
        return self._body.decode()

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        return msgspec.json.decode(self._body)


class _Headers(dict[str, str]):
    """Looked up without case."""

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401
        return super().get(name.lower(), default)


class Item:
    """A model of the SDK: ids and statuses as attributes, everything as a dictionary."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body
        self.id = body.get("id")
        self.statuses = [_Status(each) for each in body.get("statuses") or []]

    def as_dict(self) -> dict[str, Any]:
        return self._body

    serialize = as_dict


class _Status:
    def __init__(self, body: dict[str, Any]) -> None:
        self.code = body.get("code")


class LightAzure(Azure):
    """One instance's view of the sandbox."""

    def __init__(self, wire: Wire, token: str, clock: Clock, hub: Hub) -> None:
        super().__init__(ORIGIN, AUDIENCE, _no_credential, clock, DEPLOYMENT)
        self._wire_to = wire
        self._hub = hub
        self._login = {"Authorization": f"Bearer {token}"}

    def send(self, request: "HttpRequest", departure: Departure | None = None) -> "HttpResponse":
        if departure:
            departure.leave(self.clock.now())
        body = request.content or b""
        raw = body.encode() if isinstance(body, str) else bytes(body)
        return cast("HttpResponse", self.ask(request.method, request.url, raw, request.headers))

    def ask(self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> LightResponse:
        """One request, exactly once. Raises azure-core's errors."""
        asked = self.clock.local()
        request = Request(method=method, url=url, headers={**(headers or {}), **self._login}, body=body)
        try:
            answer = LightResponse(self._wire_to.handle(request))
        except NeverConnected as error:
            raise ServiceRequestError("refused", error=error) from error
        except requests.RequestException as error:
            raise ServiceResponseError("no answer", error=error) from error
        date = answer.headers.get("date")
        if date:
            self.clock.observe(date, asked)
        return answer

    def read(self, url: str) -> dict[str, Any]:
        """A GET of the reading clients, tried again as the SDK does. Raises AzureError."""
        for left in range(READ_TRIES - 1, -1, -1):
            try:
                answer = self.ask("GET", url)
            except AzureError:
                if not left:
                    raise
            else:
                if answer.status_code == 200:
                    return cast("dict[str, Any]", answer.json())
                if not left or answer.status_code not in _TRIED_AGAIN:
                    raise _http_error(answer)
            self._hub.pause(READ_WAIT)
        raise AssertionError("never reached")

    def pages(self, url: str) -> Iterator[Item]:
        while url:
            page = self.read(url)
            yield from (Item(each) for each in page["value"])
            url = page.get("nextLink") or ""

    def _compute(self, subscription: str) -> "ComputeManagementClient":
        base = f"{ORIGIN}/subscriptions/{subscription}"
        return cast("ComputeManagementClient", _Compute(_Vms(self, base)))

    def _hybrid(self, subscription: str) -> "HybridComputeManagementClient":
        base = f"{ORIGIN}/subscriptions/{subscription}"
        return cast("HybridComputeManagementClient", _Hybrid(_Arcs(self, base)))

    def _maintenance(self, subscription: str) -> "MaintenanceManagementClient":
        base = f"{ORIGIN}/subscriptions/{subscription}"
        return cast("MaintenanceManagementClient", _Maintenance(_Schedules(self, base)))

    def _graph(self) -> "ResourceGraphClient":
        return cast("ResourceGraphClient", _Graph(self))

    def _events(self) -> "EventGridPublisherClient":
        return cast("EventGridPublisherClient", _Topic(self))


class _Compute:
    def __init__(self, vms: "_Vms") -> None:
        self.virtual_machines = vms


class _Hybrid:
    def __init__(self, arcs: "_Arcs") -> None:
        self.machines = arcs


class _Vms:
    def __init__(self, azure: LightAzure, base: str) -> None:
        self._azure = azure
        self._base = base

    def list_all(self, *, status_only: str = "false") -> Iterator[Item]:
        query = f"api-version={_COMPUTE}&statusOnly={status_only}"
        return self._azure.pages(f"{self._base}/providers/Microsoft.Compute/virtualMachines?{query}")

    def get(self, group: str, name: str, *, expand: str = "") -> Item:
        machine = f"{self._base}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"
        more = f"&$expand={expand}" if expand else ""
        return Item(self._azure.read(f"{machine}?api-version={_COMPUTE}{more}"))

    def instance_view(self, group: str, name: str) -> Item:
        machine = f"{self._base}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"
        return Item(self._azure.read(f"{machine}/instanceView?api-version={_COMPUTE}"))


class _Arcs:
    def __init__(self, azure: LightAzure, base: str) -> None:
        self._azure = azure
        self._base = base

    def list_by_subscription(self) -> Iterator[Item]:
        return self._azure.pages(f"{self._base}/providers/Microsoft.HybridCompute/machines?api-version={_HYBRID}")

    def get(self, group: str, name: str) -> Item:
        machine = f"{self._base}/resourceGroups/{group}/providers/Microsoft.HybridCompute/machines/{name}"
        return Item(self._azure.read(f"{machine}?api-version={_HYBRID}"))


class _Maintenance:
    def __init__(self, schedules: "_Schedules") -> None:
        self.maintenance_configurations = schedules


class _Schedules:
    def __init__(self, azure: LightAzure, base: str) -> None:
        self._azure = azure
        self._base = base

    def list(self) -> Iterator[Item]:
        kind = "Microsoft.Maintenance/maintenanceConfigurations"
        return self._azure.pages(f"{self._base}/providers/{kind}?api-version={_MAINTENANCE}")


class _Answer:
    def __init__(self, body: dict[str, Any]) -> None:
        self.data = body["data"]
        self.skip_token = body.get("$skipToken")


class _Graph:
    def __init__(self, azure: LightAzure) -> None:
        self._azure = azure

    def resources(self, query: Any) -> _Answer:  # noqa: ANN401 - the SDK's own model
        options = {"$top": query.options.top, "$skipToken": query.options.skip_token}
        body = {"subscriptions": query.subscriptions, "query": query.query, "options": options}
        url = f"{ORIGIN}/providers/Microsoft.ResourceGraph/resources?api-version={_GRAPH}"
        answer = self._azure.ask("POST", url, msgspec.json.encode(body))
        if answer.status_code != 200:
            raise _http_error(answer)
        return _Answer(answer.json())


class _Topic:
    def __init__(self, azure: LightAzure) -> None:
        self._azure = azure

    def send(self, event: "CloudEvent[Any]") -> None:
        fields = ("id", "source", "type", "specversion", "subject", "time", "data")
        body = msgspec.json.encode([{name: getattr(event, name) for name in fields}])
        headers = {"Content-Type": "application/cloudevents-batch+json; charset=utf-8"}
        answer = self._azure.ask("POST", f"{self._azure.topic}?api-version={_TOPICS}", body, headers)
        if answer.status_code != 200:
            raise _http_error(answer)


def _http_error(answer: LightResponse) -> HttpResponseError:
    error = HttpResponseError(f"({answer.status_code}) {answer.text()}")
    error.status_code = answer.status_code
    error.response = cast("Any", answer)
    try:
        error.error = ODataV4Format(answer.json()["error"])
    except (KeyError, TypeError, msgspec.DecodeError):
        error.error = None  # not Azure's body
    return error


def _no_credential() -> Any:  # noqa: ANN401 - never asked for
    raise AssertionError("the light clients log in by themselves")
