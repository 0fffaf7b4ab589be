"""The clients of Azure's SDKs, built when first used and kept; and the one pipeline that sends calls with an effect.

The SDKs are imported inside: together they cost half a second that an app should not pay for being looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from shared.cloud.clock import Clock

if TYPE_CHECKING:
    from azure.core import PipelineClient
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline.transport import HttpTransport
    from azure.core.rest import HttpRequest, HttpResponse
    from azure.eventgrid._legacy import EventGridPublisherClient
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.hybridcompute import HybridComputeManagementClient
    from azure.mgmt.maintenance import MaintenanceManagementClient
    from azure.mgmt.resourcegraph import ResourceGraphClient

# Time-outs of one request, seconds (ours): together they are domain/run.py's SEND_TIMEOUT.
CONNECT_TIMEOUT = 5
READ_TIMEOUT = 30
# The same for a request that only reads, whose answer may be a page of a thousand rows: the SDKs' own is 300, the whole
# time of a function.
LOOK_TIMEOUT = 60
_CLIENTS_KEPT = 512  # per kind: subscriptions looked at by one worker


class Departure:
    """Whether a request left, and until when it might. One for each request with an effect."""

    def __init__(self, not_after: datetime) -> None:
        self._not_after = not_after
        self.left = False

    def leave(self, now: datetime) -> None:
        """Called last thing before the wire. Raises TimeoutError when the last instant has passed."""
        if now > self._not_after:
            raise TimeoutError(f"Not sent: it is {now.isoformat()}, after {self._not_after.isoformat()}.")
        self.left = True


class Azure:
    """One identity's view of Azure, and the name by which other deployments know this one.

    `transport` replaces the wire, for tests. `topic`: where events are published; "": they are off.
    """

    topic = ""

    def __init__(self, endpoint: str, audience: str, credential: Callable[[], TokenCredential], clock: Clock,
                 deployment: str, transport: HttpTransport[Any, Any] | None = None) -> None:  # fmt: skip
        self.endpoint = endpoint.rstrip("/")
        self.deployment = deployment
        self.clock = clock
        self._scope = f"{audience.rstrip('/')}/.default"
        self._credential = lru_cache(maxsize=1)(credential)
        self._transport = transport
        self.compute = lru_cache(maxsize=_CLIENTS_KEPT)(self._compute)
        self.hybrid = lru_cache(maxsize=_CLIENTS_KEPT)(self._hybrid)
        self.maintenance = lru_cache(maxsize=_CLIENTS_KEPT)(self._maintenance)
        self.graph = lru_cache(maxsize=1)(self._graph)
        self.events = lru_cache(maxsize=1)(self._events)
        self._sender = lru_cache(maxsize=1)(self._pipeline)

    def send(self, request: HttpRequest, departure: Departure | None = None) -> HttpResponse:
        """One request, exactly once: no retry, no redirect, bounded time-outs. Raises AzureError or TimeoutError."""
        return self._sender().send_request(
            request, departure=departure, connection_timeout=CONNECT_TIMEOUT, read_timeout=READ_TIMEOUT
        )

    def _pipeline(self) -> PipelineClient[HttpRequest, HttpResponse]:
        from azure.core import PipelineClient
        from azure.core.pipeline.policies import RequestIdPolicy, UserAgentPolicy
        from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

        from shared.cloud.gate import Gate

        login = ARMChallengeAuthenticationPolicy(self._credential(), self._scope)
        policies = [RequestIdPolicy(), UserAgentPolicy(base_user_agent="open-update-manager"), login, Gate(self.clock)]
        return PipelineClient(self.endpoint, policies=policies, **self._wire())

    def _compute(self, subscription: str) -> ComputeManagementClient:
        from azure.mgmt.compute import ComputeManagementClient

        return ComputeManagementClient(self._credential(), subscription, self.endpoint, **self._options())

    def _hybrid(self, subscription: str) -> HybridComputeManagementClient:
        from azure.mgmt.hybridcompute import HybridComputeManagementClient

        return HybridComputeManagementClient(self._credential(), subscription, self.endpoint, **self._options())

    def _maintenance(self, subscription: str) -> MaintenanceManagementClient:
        from azure.mgmt.maintenance import MaintenanceManagementClient

        return MaintenanceManagementClient(self._credential(), subscription, self.endpoint, **self._options())

    def _graph(self) -> ResourceGraphClient:
        from azure.mgmt.resourcegraph import ResourceGraphClient

        from shared.cloud.gate import Retry

        # A query that failed is asked again by a later message: waiting here would hold a function.
        once = Retry(retry_total=0)
        return ResourceGraphClient(self._credential(), self.endpoint, **{**self._options(), "retry_policy": once})

    def _events(self) -> EventGridPublisherClient:
        # The public class hands none of its options on to this one, which it wraps (4.22.1): time-outs, retries, wire.
        from azure.eventgrid._legacy import EventGridPublisherClient

        waits: dict[str, Any] = {"connection_timeout": CONNECT_TIMEOUT, "read_timeout": READ_TIMEOUT}
        return EventGridPublisherClient(self.topic, self._credential(), retry_total=0, **waits, **self._wire())

    def _options(self) -> dict[str, Any]:
        """For the clients that only read: they may retry, and they tell us the time."""
        from shared.cloud.gate import Gate, Retry

        waits = {"connection_timeout": CONNECT_TIMEOUT, "read_timeout": LOOK_TIMEOUT}
        policies = {"per_retry_policies": [Gate(self.clock)], "retry_policy": Retry()}
        return {"credential_scopes": [self._scope], **policies, **waits, **self._wire()}

    def _wire(self) -> dict[str, Any]:
        return {"transport": self._transport} if self._transport else {}
