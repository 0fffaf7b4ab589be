"""Installations asked for now with Azure's installPatches; each is a run with a window that opens at once."""

import azure.functions as func

from functions.operations import accepted
from functions.queue import CONNECTION, handle
from functions.web import MACHINE, Call, answer, read_body, require_version
from shared.domain.messages import StartInstallation
from shared.wiring import Services
from shared.workflows.installation import request_installation, start_installation

blueprint = func.Blueprint()


@blueprint.route(route=f"{MACHINE}/installPatches", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def installation_request(req: func.HttpRequest) -> func.HttpResponse:
    """Azure's installPatches: 202 with the addresses to follow."""
    return answer(req, _request)


@blueprint.queue_trigger(arg_name="msg", queue_name="installations", connection=CONNECTION)
def installation_start(msg: func.QueueMessage) -> None:
    handle(msg, "installations", StartInstallation, _start)


def _request(call: Call) -> func.HttpResponse:
    require_version(call)
    store, now = call.services.store, call.services.azure.clock.now()
    operation = request_installation(store, call.machine, read_body(call), call.who, call.request_id, now)
    return accepted(call, operation)


def _start(built: Services, message: StartInstallation) -> None:
    start_installation(built.azure, built.store, message, built.settings.maximum_duration)
