"""Messages that were given up: one trigger a poison queue, and the call that puts a message back."""

import azure.functions as func
import msgspec

from functions.queue import CONNECTION
from functions.web import Call, answer, read_json, reply
from shared.domain.messages import POISON_SUFFIX
from shared.wiring import services
from shared.workflows.poison import discard_message, park_message, replay_message, replay_queue

blueprint = func.Blueprint()


class Discard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a message will not be handled."""

    reason: str


@blueprint.queue_trigger(arg_name="msg", queue_name=f"inventory{POISON_SUFFIX}", connection=CONNECTION)
def inventory_poison(msg: func.QueueMessage) -> None:
    _park("inventory", msg)


@blueprint.queue_trigger(arg_name="msg", queue_name=f"inventory-sweeps{POISON_SUFFIX}", connection=CONNECTION)
def inventory_sweeps_poison(msg: func.QueueMessage) -> None:
    _park("inventory-sweeps", msg)


@blueprint.queue_trigger(arg_name="msg", queue_name=f"assessments{POISON_SUFFIX}", connection=CONNECTION)
def assessments_poison(msg: func.QueueMessage) -> None:
    _park("assessments", msg)


@blueprint.queue_trigger(arg_name="msg", queue_name=f"planned-assessments{POISON_SUFFIX}", connection=CONNECTION)
def planned_assessments_poison(msg: func.QueueMessage) -> None:
    _park("planned-assessments", msg)


@blueprint.queue_trigger(arg_name="msg", queue_name=f"planned-results{POISON_SUFFIX}", connection=CONNECTION)
def planned_results_poison(msg: func.QueueMessage) -> None:
    _park("planned-results", msg)


@blueprint.queue_trigger(arg_name="msg", queue_name=f"installations{POISON_SUFFIX}", connection=CONNECTION)
def installations_poison(msg: func.QueueMessage) -> None:
    _park("installations", msg)


@blueprint.queue_trigger(arg_name="msg", queue_name=f"runs{POISON_SUFFIX}", connection=CONNECTION)
def runs_poison(msg: func.QueueMessage) -> None:
    _park("runs", msg)


@blueprint.queue_trigger(arg_name="msg", queue_name=f"openings{POISON_SUFFIX}", connection=CONNECTION)
def openings_poison(msg: func.QueueMessage) -> None:
    _park("openings", msg)


@blueprint.queue_trigger(arg_name="msg", queue_name=f"events{POISON_SUFFIX}", connection=CONNECTION)
def events_poison(msg: func.QueueMessage) -> None:
    _park("events", msg)


@blueprint.queue_trigger(arg_name="msg", queue_name=f"operations{POISON_SUFFIX}", connection=CONNECTION)
def operations_poison(msg: func.QueueMessage) -> None:
    _park("operations", msg)


@blueprint.queue_trigger(arg_name="msg", queue_name=f"results{POISON_SUFFIX}", connection=CONNECTION)
def results_poison(msg: func.QueueMessage) -> None:
    _park("results", msg)


@blueprint.queue_trigger(arg_name="msg", queue_name=f"fleet{POISON_SUFFIX}", connection=CONNECTION)
def fleet_poison(msg: func.QueueMessage) -> None:
    _park("fleet", msg)


@blueprint.route(route="fleet/poison/{queue}/{message}/replay", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def poison_replay(req: func.HttpRequest) -> func.HttpResponse:
    """Put a parked message back on its queue: 202."""
    return answer(req, _replay)


@blueprint.route(route="fleet/poison/{queue}/{message}/discard", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def poison_discard(req: func.HttpRequest) -> func.HttpResponse:
    """Keep a parked message as a record only: 200; the body says why."""
    return answer(req, _discard)


@blueprint.route(route="fleet/poison/{queue}/replay", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def poison_replay_all(req: func.HttpRequest) -> func.HttpResponse:
    """Put the parked messages of a queue back: 202 with how many, and whether some are left."""
    return answer(req, _replay_all)


def _park(queue: str, msg: func.QueueMessage) -> None:
    built = services()
    park_message(built.store, queue, msg.get_body(), built.azure.clock.now())


def _replay(call: Call) -> func.HttpResponse:
    route, now = call.request.route_params, call.services.azure.clock.now()
    poison = replay_message(call.services.store, route["queue"], route["message"], now, call.who)
    return reply({"queue": poison.queue, "id": poison.id}, 202)


def _replay_all(call: Call) -> func.HttpResponse:
    queue, now = call.request.route_params["queue"], call.services.azure.clock.now()
    count, is_more = replay_queue(call.services.store, queue, now, call.who)
    return reply({"queue": queue, "replayed": count, "more": is_more}, 202)


def _discard(call: Call) -> func.HttpResponse:
    route, now = call.request.route_params, call.services.azure.clock.now()
    because = (call.who, read_json(call, Discard).reason)
    poison = discard_message(call.services.store, route["queue"], route["message"], because, now)
    return reply({"queue": poison.queue, "id": poison.id})
