"""The app's own health, for people and for monitors."""

import azure.functions as func
import msgspec

from functions.web import Call, answer, reply
from shared.workflows.health import read_health

blueprint = func.Blueprint()


@blueprint.route(route="fleet/health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def fleet_health(req: func.HttpRequest) -> func.HttpResponse:
    """`status` is Degraded while there is a problem; each problem says in a sentence what to do."""
    return answer(req, _health)


def _health(call: Call) -> func.HttpResponse:
    health = read_health(call.services.store, call.services.azure.clock.now())
    events = "on" if call.services.azure.topic else "off: OUM_EVENTS_ENDPOINT is empty"
    status = "Degraded" if health.problems else "Healthy"
    return reply({"status": status, "events": events, **msgspec.to_builtins(health)})
