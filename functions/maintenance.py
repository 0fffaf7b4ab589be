"""Lists of Microsoft.Maintenance, and runs in the words of its applyUpdates and in ours under /fleet."""

from collections.abc import Callable
from typing import Any, TypeVar

import azure.functions as func
import msgspec

from functions.web import MAINTENANCE_VERSION, Call, next_link, page_size, page_token, reply, require_version
from shared.domain.maintenance_id import (
    PROVIDER,
    ConfigurationId,
    check_place,
    check_row,
    configuration_id,
    parse_configuration_id,
)
from shared.domain.opening import run_address, stamp
from shared.domain.run import Run, RunMachine
from shared.domain.run_events import Report, hear_by
from shared.domain.summary import Summary

TYPE = f"{PROVIDER}/applyUpdates"
PAGE, LARGEST_PAGE = 100, 1000  # configurations or assignments

_Kind = TypeVar("_Kind")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a list goes on."""

    key: str


def list_reply(
    call: Call,
    kind: str,
    read: Callable[[str, str, str, int], tuple[list[_Kind], str]],
    shape: Callable[[_Kind], dict[str, Any]],
) -> func.HttpResponse:
    """A page of what there is in the route's subscription or resource group; `kind` as it ends the route."""
    require_version(call, MAINTENANCE_VERSION)
    subscription, group = call.request.route_params["subscription"], call.request.route_params.get("group", "")
    check_place(subscription, group)
    place, size = page_token(call, Place), page_size(call, PAGE, LARGEST_PAGE)
    first = check_row(place.key) if place else ""
    found, following = read(subscription, group, first, size)
    body: dict[str, Any] = {"value": [shape(each) for each in found]}
    if following:
        where = f"resourceGroups/{group}/{kind}" if group else kind
        body["nextLink"] = next_link(call, f"subscriptions/{subscription}/{where}", Place(key=following))
    return reply(body)


def configuration_of(call: Call) -> ConfigurationId:
    """Whose run the route names. Raises RequestError 400."""
    route = call.request.route_params
    return configuration_id(route["subscription"], route["group"], route["name"])


def configuration_named(text: str) -> ConfigurationId:
    """Raises RequestError 400."""
    return parse_configuration_id(text, "configuration")


def apply_update(run: Summary, status: str = "") -> dict[str, Any]:
    """Azure's resource of a run. Source: Microsoft.Maintenance ApplyUpdate."""
    configuration = parse_configuration_id(run.configuration, "configuration")
    properties = {"status": status or run.status, "resourceId": run.configuration, "lastUpdateTime": run.start}
    return {
        "id": run_address(configuration, run.start),
        "name": stamp(run.start),
        "type": TYPE,
        "properties": msgspec.to_builtins(properties),
    }


def run_summary(run: Summary) -> dict[str, Any]:
    configuration = parse_configuration_id(run.configuration, "configuration") if run.configuration else None
    body: dict[str, Any] = {
        "id": run.id,
        "run": run_address(configuration, run.start) if configuration else None,
        "configuration": run.configuration or None,
        "start": run.start,
        "end": run.end,
        "phase": run.phase,
        "status": run.status,
        "outcome": run.outcome,
        "reason": run.reason,
        "requestedBy": run.requested_by,
        "machines": run.machines,
    }
    return {name: value for name, value in msgspec.to_builtins(body).items() if value is not None}


def run_machine(part: RunMachine) -> dict[str, Any]:
    body = {
        "machine": part.machine,
        "step": part.step,
        "outcome": part.outcome,
        "reason": part.reason,
        "wave": part.wave,
        "ended": part.ended,
    }
    return {name: value for name, value in msgspec.to_builtins(body).items() if value is not None}


def run_events(run: Run) -> dict[str, Any]:
    """What a run told and heard; `handlers` stands there where it waits for some."""
    events, heard = run.events, {each.handler: each for each in run.events.reports}
    body: dict[str, Any] = {
        "preEventSent": events.pre_sent,
        "postEventSent": events.post_sent,
        "notPublished": events.trouble or None,
        "handlers": [{"name": name, **_said(heard.get(name))} for name in events.wait_for] or None,
        "reportBy": hear_by(run.start, run.plan.begin_by) if events.wait_for and run.plan else None,
    }
    return {name: value for name, value in msgspec.to_builtins(body).items() if value is not None}


def _said(report: Report | None) -> dict[str, Any]:
    if report is None:
        return {"status": "Pending"}
    status = "Succeeded" if report.succeeded else "Failed"
    return {"status": status, "message": report.message, "at": report.at, "reportedBy": report.who}
