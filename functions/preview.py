"""What assignments come to: the machines that a configuration or a scope takes, and why not the others.

What answers a call is imported by it, as in configurations.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import azure.functions as func
import msgspec

from functions.web import Call, answer, next_link, page_size, page_token, read_body, reply
from shared.domain.index import Cursor
from shared.domain.reason import Reason

if TYPE_CHECKING:
    from shared.domain.overlap import Overlap
    from shared.workflows.preview import Line, Preview

blueprint = func.Blueprint()
PAGE, LARGEST_PAGE = 100, 1000  # machines


@blueprint.route(route="fleet/preview/{*resource}", methods=["GET", "POST"], auth_level=func.AuthLevel.ANONYMOUS)
def fleet_preview(req: func.HttpRequest) -> func.HttpResponse:
    """Of a configuration, an assignment or a machine by its id; POST: of an assignment with this body, not stored."""
    return answer(req, _draft if req.method == "POST" else _show)


def _show(call: Call) -> func.HttpResponse:
    from shared.domain.assignment import parse_assignment_id
    from shared.domain.maintenance_id import parse_configuration_id
    from shared.workflows.assignments import read_assignment
    from shared.workflows.preview import preview_assignment, preview_configuration

    store, now, text = call.services.store, call.services.azure.clock.now(), _resource(call)
    kind = text.lower()
    if "/microsoft.maintenance/configurationassignments/" in kind:
        stored = read_assignment(store, parse_assignment_id(text, "id")).assignment
        return _page(call, preview_assignment(store, stored, *_part(call), now))
    if "/microsoft.maintenance/maintenanceconfigurations/" in kind:
        return _page(call, preview_configuration(store, parse_configuration_id(text, "id"), *_part(call), now))
    return _machine(call, text)


def _draft(call: Call) -> func.HttpResponse:
    from shared.domain.assignment import parse_assignment_id, read_assignment
    from shared.workflows.preview import preview_assignment

    store, now = call.services.store, call.services.azure.clock.now()
    given = read_assignment(read_body(call), parse_assignment_id(_resource(call), "id"))
    return _page(call, preview_assignment(store, given, *_part(call), now))


def _machine(call: Call, text: str) -> func.HttpResponse:
    from shared.domain.resource_id import parse_machine_id
    from shared.workflows.preview import preview_machine

    now = call.services.azure.clock.now()
    record, found, met = preview_machine(call.services.store, parse_machine_id(text), now)
    value = [
        {"assignment": str(each.assignment), "configuration": str(each.configuration), **_verdict(each.reason)}
        for each in found
    ]
    return reply({"id": record.machine.id, "value": value, "overlaps": [_overlap(each) for each in met]})


def _page(call: Call, page: Preview) -> func.HttpResponse:
    value = [_line(each) for each in page.lines]
    value += [{"id": machine, "assignments": [], **_verdict(why)} for machine, why in page.unseen.items()]
    body: dict[str, Any] = {"value": value, "overlaps": [_overlap(each) for each in page.overlaps]}
    if page.next:
        body["nextLink"] = next_link(call, f"fleet/preview{_resource(call)}", page.next)
    return reply(body)


def _line(line: Line) -> dict[str, Any]:
    machine = line.record.machine
    known = {"id": machine.id, "name": machine.name, "kind": machine.kind, "os": machine.os}
    by = {"assignments": [str(each) for each in line.assignments], "others": [str(each) for each in line.others]}
    return {**known, "location": machine.location, "tags": machine.tags, **by, **_verdict(line.reason)}


def _verdict(why: Reason | None) -> dict[str, Any]:
    return {"taken": why is None, "reason": msgspec.to_builtins(why)}


def _overlap(met: Overlap) -> dict[str, Any]:
    span: dict[str, Any] = msgspec.to_builtins({"start": met.start, "end": met.end})
    return {"first": str(met.first), "second": str(met.second), **span}


def _part(call: Call) -> tuple[Cursor | None, int]:
    from shared.domain.maintenance_id import check_row

    place = page_token(call, Cursor)
    if place is not None and place.row:
        check_row(place.row)
    return place, page_size(call, PAGE, LARGEST_PAGE)


def _resource(call: Call) -> str:
    return f"/{call.request.route_params.get('resource') or ''}"
