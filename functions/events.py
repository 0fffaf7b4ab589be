"""Pre and post events of maintenance runs, and what handlers report."""

import azure.functions as func
import msgspec

from functions.queue import CONNECTION, handle
from functions.web import Call, answer, read_json, reply
from shared.domain.errors import invalid
from shared.domain.messages import SendEvents
from shared.wiring import Services

blueprint = func.Blueprint()
_SAID = {"succeeded": True, "failed": False}


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a handler fared: Succeeded or Failed."""

    status: str
    message: str = ""


@blueprint.queue_trigger(arg_name="msg", queue_name="events", connection=CONNECTION)
def event_send(msg: func.QueueMessage) -> None:
    handle(msg, "events", SendEvents, _send)


@blueprint.route(route="fleet/runs/{run}/handlers/{handler}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def handler_report(req: func.HttpRequest) -> func.HttpResponse:
    """What a handler that the run waits for did: 200, the same again too; 409 for the opposite, or too late."""
    return answer(req, _report)


def _send(built: Services, message: SendEvents) -> None:
    from shared.workflows.events import send_events

    send_events(built.azure, built.store, message)


def _report(call: Call) -> func.HttpResponse:
    from functions.maintenance import run_events
    from shared.domain.run_events import LONGEST_MESSAGE, Report
    from shared.workflows.events import report_handler

    said, route = read_json(call, Said), call.request.route_params
    succeeded, text = _SAID.get(said.status.lower()), said.message.strip()
    if succeeded is None:
        raise invalid("status", "A handler reports Succeeded or Failed.")
    if len(text) > LONGEST_MESSAGE or not (text.isprintable() or not text):
        raise invalid("message", f"A message has at most {LONGEST_MESSAGE} characters, in one line.")
    now = call.services.azure.clock.now()
    report = Report(handler=route["handler"], succeeded=succeeded, message=text, at=now, who=call.who)
    return reply(run_events(report_handler(call.services.store, route["run"].lower(), report)))
