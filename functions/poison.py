"""Messages that were given up: one trigger a poison queue, and the call that puts a message back."""

import azure.functions as func

from functions.queue import CONNECTION
from functions.web import Call, answer, reply
from shared.domain.messages import POISON_SUFFIX
from shared.wiring import services
from shared.workflows.poison import park_message, replay_message

blueprint = func.Blueprint()


@blueprint.queue_trigger(arg_name="msg", queue_name=f"inventory{POISON_SUFFIX}", connection=CONNECTION)
def inventory_poison(msg: func.QueueMessage) -> None:
    _park("inventory", msg)


@blueprint.queue_trigger(arg_name="msg", queue_name=f"assessments{POISON_SUFFIX}", connection=CONNECTION)
def assessments_poison(msg: func.QueueMessage) -> None:
    _park("assessments", msg)


@blueprint.queue_trigger(arg_name="msg", queue_name=f"installations{POISON_SUFFIX}", connection=CONNECTION)
def installations_poison(msg: func.QueueMessage) -> None:
    _park("installations", msg)


@blueprint.queue_trigger(arg_name="msg", queue_name=f"runs{POISON_SUFFIX}", connection=CONNECTION)
def runs_poison(msg: func.QueueMessage) -> None:
    _park("runs", msg)


@blueprint.queue_trigger(arg_name="msg", queue_name=f"operations{POISON_SUFFIX}", connection=CONNECTION)
def operations_poison(msg: func.QueueMessage) -> None:
    _park("operations", msg)


@blueprint.queue_trigger(arg_name="msg", queue_name=f"fleet{POISON_SUFFIX}", connection=CONNECTION)
def fleet_poison(msg: func.QueueMessage) -> None:
    _park("fleet", msg)


@blueprint.route(route="fleet/poison/{queue}/{message}/replay", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def poison_replay(req: func.HttpRequest) -> func.HttpResponse:
    """Put a parked message back on its queue: 202."""
    return answer(req, _replay)


def _park(queue: str, msg: func.QueueMessage) -> None:
    built = services()
    park_message(built.store, queue, msg.get_body(), built.azure.clock.now())


def _replay(call: Call) -> func.HttpResponse:
    route, now = call.request.route_params, call.services.azure.clock.now()
    poison = replay_message(call.services.store, route["queue"], route["message"], now)
    return reply({"queue": poison.queue, "id": poison.id}, 202)
