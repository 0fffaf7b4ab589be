"""Operations: followed one look a message, and shown to callers at Azure's operation addresses."""

from urllib.parse import quote

import azure.functions as func

from functions.bodies import operation_error, operation_output, operation_status
from functions.queue import CONNECTION, handle
from functions.web import Call, answer, reply
from shared.domain.errors import invalid
from shared.domain.messages import FollowOperation
from shared.domain.operation import Operation, State
from shared.domain.resource_id import parse_machine_id
from shared.wiring import Services
from shared.workflows.machines import read_machine, read_operation
from shared.workflows.operations import follow

blueprint = func.Blueprint()
# How soon a caller may look again, seconds (ours): an operation takes minutes, a look costs two point reads.
RETRY_AFTER = 5
_VERSION = "2025-04-01"


@blueprint.queue_trigger(arg_name="msg", queue_name="operations", connection=CONNECTION)
def operation_follow(msg: func.QueueMessage) -> None:
    handle(msg, "operations", FollowOperation, _follow)


@blueprint.route(
    route="subscriptions/{subscription}/providers/{provider}/locations/{location}/operations/{attempt}",
    methods=["GET"],
    auth_level=func.AuthLevel.ANONYMOUS,
)
def operation_get(req: func.HttpRequest) -> func.HttpResponse:
    """Azure-AsyncOperation's document; with `monitor=true` Location's form: 202, then 200 with the result."""
    return answer(req, _show)


def accepted(call: Call, operation: Operation) -> func.HttpResponse:
    """202 with Location, Azure-AsyncOperation and Retry-After, as Azure answers."""
    address = parse_machine_id(operation.machine)
    url = (
        f"{call.services.settings.base_url}/subscriptions/{address.subscription}/providers/{address.provider}"
        f"/locations/global/operations/{operation.attempt}?api-version={_VERSION}&machine={quote(operation.machine)}"
    )
    headers = {"Azure-AsyncOperation": url, "Location": f"{url}&monitor=true", "Retry-After": str(RETRY_AFTER)}
    return func.HttpResponse(status_code=202, headers=headers)


def _show(call: Call) -> func.HttpResponse:
    address = parse_machine_id(call.request.params.get("machine", ""))
    if address.subscription != call.request.route_params["subscription"].lower():
        raise invalid("machine", "The machine is not in this subscription.")
    operation, updates = read_operation(call.services.store, address, call.request.route_params["attempt"])
    system = read_machine(call.services.store, address).machine.os
    output = operation_output(operation, system, address.is_vm, updates)
    wait = {} if operation.state is State.ENDED else {"Retry-After": str(RETRY_AFTER)}
    if "monitor" not in call.request.params:
        return reply(operation_status(operation, output), 200, wait)
    if operation.state is not State.ENDED:
        return func.HttpResponse(status_code=202, headers=wait)
    return reply(output) if output is not None else reply({"error": operation_error(operation)}, 409)


def _follow(built: Services, message: FollowOperation) -> None:
    follow(built.azure, built.store, message)
