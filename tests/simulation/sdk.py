"""The app's own Azure, unchanged, its SDK pipelines ending at the wire instead of a socket."""

import time
from typing import Any, cast

from azure.core.credentials import AccessToken

from infra.local.sandbox.cloud import Sandbox
from infra.local.sandbox.transport import SandboxTransport
from shared.cloud.azure import Azure
from shared.cloud.clock import Clock
from tests.simulation.cloud import AUDIENCE, DEPLOYMENT, ORIGIN
from tests.simulation.steps import Hub
from tests.simulation.wire import Wire


class Holder:
    """A credential that has its token already."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:  # noqa: ANN401 - azure-core's own signature
        return AccessToken(self._token, int(time.time()) + 86400)


def real_azure(wire: Wire, token: str, clock: Clock, hub: Hub, kind: type[Azure] = Azure) -> Azure:
    """Waiting between the SDK's own tries passes simulated time."""
    transport = SandboxTransport(cast("Sandbox", wire), sleep=hub.pause)
    transport.session.trust_env = False  # looking for proxies takes a third of a request's time
    return kind(ORIGIN, AUDIENCE, lambda: Holder(token), clock, DEPLOYMENT, transport)
