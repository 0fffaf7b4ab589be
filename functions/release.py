"""What an operator ends by hand: an operation that is stuck, a run that does not close."""

import azure.functions as func
import msgspec

from functions.web import Call, answer, read_json, reply
from shared.domain.resource_id import parse_machine_id
from shared.workflows.release import close_run, release_operation

blueprint = func.Blueprint()
_ANYBODY = func.AuthLevel.ANONYMOUS


class Release(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose operation, and why it is ended."""

    machine: str
    reason: str


class Close(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a run is ended."""

    reason: str


@blueprint.route(route="fleet/operations/{attempt}/release", methods=["POST"], auth_level=_ANYBODY)
def operation_release(req: func.HttpRequest) -> func.HttpResponse:
    """End an operation and free its machine: 200; 409 when it ended by itself, is being sent or still runs."""
    return answer(req, _release)


@blueprint.route(route="fleet/runs/{run}/close", methods=["POST"], auth_level=_ANYBODY)
def run_close(req: func.HttpRequest) -> func.HttpResponse:
    """Start nothing more in a run: 202; 409 when it has closed."""
    return answer(req, _close)


def _release(call: Call) -> func.HttpResponse:
    asked, services = read_json(call, Release), call.services
    address = parse_machine_id(asked.machine)
    attempt = call.request.route_params["attempt"]
    done = release_operation(services.azure, services.store, address, attempt, call.who, asked.reason)
    body = {"machine": done.machine, "attempt": done.attempt, "kind": done.kind, "outcome": done.outcome}
    return reply(msgspec.to_builtins({**body, "ended": done.ended, "reason": done.reason}))


def _close(call: Call) -> func.HttpResponse:
    asked, now = read_json(call, Close), call.services.azure.clock.now()
    run = close_run(call.services.store, call.request.route_params["run"], call.who, asked.reason, now)
    body = {"run": run.id, "cancelled": run.cancelled, "reason": run.cancelled_because}
    return reply(msgspec.to_builtins(body), 202)
