"""Runs: one step a message; listed, shown, cancelled and started now by callers."""

from typing import Any

import azure.functions as func
import msgspec

from functions.queue import CONNECTION, handle
from functions.web import (
    MAINTENANCE_VERSION,
    Call,
    answer,
    next_link,
    page_size,
    page_token,
    read_json,
    reply,
    require_version,
)
from shared.domain.errors import invalid
from shared.domain.messages import AdvanceRun
from shared.wiring import Services
from shared.workflows.runs import advance_run

blueprint = func.Blueprint()
_ANYBODY = func.AuthLevel.ANONYMOUS
# Azure's address of a run: below its configuration, by its start.
_KIND = "providers/Microsoft.Maintenance/maintenanceConfigurations"
RUN = (
    f"subscriptions/{{subscription}}/resourceGroups/{{group}}/{_KIND}/{{name}}"
    "/providers/Microsoft.Maintenance/applyUpdates/{run}"
)
PAGE, LARGEST_PAGE = 100, 1000  # runs, or machines of one


class RunNow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose window is opened now."""

    configuration: str


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted of a run: `Cancel`."""

    status: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Azure's body; what it reads back besides is taken, and dropped."""

    properties: Wanted


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a list goes on."""

    row: str


@blueprint.queue_trigger(arg_name="msg", queue_name="runs", connection=CONNECTION)
def run_advance(msg: func.QueueMessage) -> None:
    handle(msg, "runs", AdvanceRun, _advance)


@blueprint.route(route=RUN, methods=["GET", "PUT"], auth_level=_ANYBODY)
def run_resource(req: func.HttpRequest) -> func.HttpResponse:
    """Azure's applyUpdates of a configuration: a run, also one to come.

    PUT `{"properties": {"status": "Cancel"}}` works until the very end, for what has not started.
    """
    return answer(req, {"GET": _get, "PUT": _cancel}[req.method])


@blueprint.route(route="fleet/runs", methods=["GET", "POST"], auth_level=_ANYBODY)
def fleet_runs(req: func.HttpRequest) -> func.HttpResponse:
    """`?configuration=&$top=`: newest first. POST opens a window of a configuration at once: 202, or 409."""
    return answer(req, {"GET": _list, "POST": _now}[req.method])


@blueprint.route(route="fleet/runs/{run}", methods=["GET"], auth_level=_ANYBODY)
def run_machines(req: func.HttpRequest) -> func.HttpResponse:
    """A run with its machines: where each stands, and why."""
    return answer(req, _machines)


def _advance(built: Services, message: AdvanceRun) -> None:
    advance_run(built.store, message, built.azure.clock)


def _get(call: Call) -> func.HttpResponse:
    from functions.maintenance import apply_update, configuration_of
    from shared.workflows.maintenance import read_run

    require_version(call, MAINTENANCE_VERSION)
    return reply(apply_update(read_run(call.services.store, configuration_of(call), call.request.route_params["run"])))


def _cancel(call: Call) -> func.HttpResponse:
    from functions.maintenance import apply_update, configuration_of
    from shared.workflows.maintenance import cancel_run

    require_version(call, MAINTENANCE_VERSION)
    configuration, name = configuration_of(call), call.request.route_params["run"]
    if read_json(call, Change).properties.status.lower() not in ("cancel", "cancelled"):
        raise invalid("properties.status", "A run can only be cancelled: write Cancel.")
    now = call.services.azure.clock.now()
    return reply(apply_update(cancel_run(call.services.store, configuration, name, call.who, now), "Cancelled"))


def _list(call: Call) -> func.HttpResponse:
    from functions.maintenance import configuration_named, run_summary
    from shared.workflows.maintenance import list_runs

    given = call.request.params.get("configuration", "")
    configuration = configuration_named(given) if given else None
    runs, following = list_runs(call.services.store, configuration, _place(call), page_size(call, PAGE, LARGEST_PAGE))
    return reply(_with_next(call, {"value": [run_summary(each) for each in runs]}, "fleet/runs", following))


def _now(call: Call) -> func.HttpResponse:
    from functions.maintenance import configuration_named, run_summary
    from shared.domain.summary import summary
    from shared.workflows.maintenance import run_now

    configuration, now = configuration_named(read_json(call, RunNow).configuration), call.services.azure.clock.now()
    run = run_now(call.services.store, configuration, call.request_id, call.who, now)
    return reply(run_summary(summary(run, ())), 202)


def _machines(call: Call) -> func.HttpResponse:
    from functions.maintenance import run_events, run_machine, run_summary
    from shared.workflows.maintenance import show_run

    name = call.request.route_params["run"].lower()
    shown = show_run(call.services.store, name, _place(call), page_size(call, PAGE, LARGEST_PAGE))
    body = {**run_summary(shown.summary), "value": [run_machine(each) for each in shown.machines]}
    body.pop("machines")
    body["events"] = run_events(shown.run)
    return reply(_with_next(call, body, f"fleet/runs/{shown.summary.id}", shown.next))


def _place(call: Call) -> str:
    place = page_token(call, Place)
    return place.row if place else ""


def _with_next(call: Call, body: dict[str, Any], path: str, row: str) -> dict[str, Any]:
    return {**body, "nextLink": next_link(call, path, Place(row=row))} if row else body
