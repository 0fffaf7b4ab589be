"""Configuration assignments at Azure's own addresses: on a machine, a resource group and a subscription.

What answers a call is imported by it, as in configurations.py.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import azure.functions as func

from functions.web import (
    MACHINE,
    MAINTENANCE_VERSION,
    Call,
    answer,
    condition,
    read_body,
    reply,
    require_version,
    resource_reply,
)
from shared.domain.errors import RequestError

if TYPE_CHECKING:
    from shared.domain.assignment import AssignmentId

blueprint = func.Blueprint()
_ANYBODY = func.AuthLevel.ANONYMOUS
_KIND = "providers/Microsoft.Maintenance/configurationAssignments"
IN_SUBSCRIPTION = f"subscriptions/{{subscription}}/{_KIND}"
IN_GROUP = f"subscriptions/{{subscription}}/resourceGroups/{{group}}/{_KIND}"
ON_MACHINE = f"{MACHINE}/{_KIND}"
# A resource inside another one, as Azure's client writes its address: a host of a host group, a VM of a scale set.
ON_PART = (
    "subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{parentKind}/{parent}/{kind}/{name}"
    f"/{_KIND}/{{*path}}"
)
_VERBS = ["GET", "PUT", "PATCH", "DELETE"]


@blueprint.route(route=f"{ON_MACHINE}/{{assignment}}", methods=["GET", "PUT", "DELETE"], auth_level=_ANYBODY)
def assignment_of_machine(req: func.HttpRequest) -> func.HttpResponse:
    return answer(req, _resource)


@blueprint.route(route=f"{IN_GROUP}/{{assignment}}", methods=_VERBS, auth_level=_ANYBODY)
def assignment_of_group(req: func.HttpRequest) -> func.HttpResponse:
    return answer(req, _resource)


@blueprint.route(route=f"{IN_SUBSCRIPTION}/{{assignment}}", methods=_VERBS, auth_level=_ANYBODY)
def assignment_of_subscription(req: func.HttpRequest) -> func.HttpResponse:
    return answer(req, _resource)


@blueprint.route(route=ON_PART, methods=["GET", "PUT", "DELETE"], auth_level=_ANYBODY)
def assignment_of_part(req: func.HttpRequest) -> func.HttpResponse:
    """Refused with the reason: what lies inside another resource is not patched in the guest."""
    return answer(req, _part)


@blueprint.route(route=ON_MACHINE, methods=["GET"], auth_level=_ANYBODY)
def assignments_of_machine(req: func.HttpRequest) -> func.HttpResponse:
    """A machine's own; which scopes take it is told by /fleet/preview."""
    return answer(req, _machine)


@blueprint.route(route=IN_GROUP, methods=["GET"], auth_level=_ANYBODY)
def assignments_of_group(req: func.HttpRequest) -> func.HttpResponse:
    """Those on the group and on its machines."""
    return answer(req, _list)


@blueprint.route(route=IN_SUBSCRIPTION, methods=["GET"], auth_level=_ANYBODY)
def assignments_of_subscription(req: func.HttpRequest) -> func.HttpResponse:
    """All in it; Azure declares this list and does not serve it."""
    return answer(req, _list)


def _resource(call: Call) -> func.HttpResponse:
    require_version(call, MAINTENANCE_VERSION)
    return {"GET": _get, "PUT": _put, "PATCH": _patch, "DELETE": _delete}[call.request.method](call, _address(call))


def _get(call: Call, address: AssignmentId) -> func.HttpResponse:
    from shared.domain.assignment import shape
    from shared.workflows.assignments import read_assignment

    found = read_assignment(call.services.store, address)
    return resource_reply(call, shape(found.assignment), found.etag)


def _put(call: Call, address: AssignmentId) -> func.HttpResponse:
    from shared.domain.assignment import shape
    from shared.workflows.assignments import put_assignment

    services = call.services
    made, new = put_assignment(services.azure, services.store, address, read_body(call), condition(call))
    return resource_reply(call, shape(made.assignment), made.etag, 201 if new else 200)


def _patch(call: Call, address: AssignmentId) -> func.HttpResponse:
    from shared.domain.assignment import shape
    from shared.workflows.assignments import patch_assignment

    made = patch_assignment(call.services.store, address, read_body(call), condition(call))
    return resource_reply(call, shape(made.assignment), made.etag)


def _delete(call: Call, address: AssignmentId) -> func.HttpResponse:
    """200 with what it was; 204 when there was none."""
    from shared.domain.assignment import shape
    from shared.workflows.assignments import delete_assignment

    was = delete_assignment(call.services.store, address, condition(call))
    return reply(shape(was)) if was else func.HttpResponse(status_code=204)


def _machine(call: Call) -> func.HttpResponse:
    from shared.domain.assignment import shape
    from shared.domain.maintenance_id import check_place
    from shared.workflows.assignments import list_on_machine

    require_version(call, MAINTENANCE_VERSION)
    machine = call.machine
    check_place(machine.subscription, machine.group)
    return reply({"value": [shape(each) for each in list_on_machine(call.services.store, machine)]})


def _list(call: Call) -> func.HttpResponse:
    from functions.maintenance import list_reply
    from shared.domain.assignment import shape
    from shared.workflows.assignments import list_assignments

    return list_reply(call, _KIND, partial(list_assignments, call.services.store), shape)


def _part(call: Call) -> func.HttpResponse:
    require_version(call, MAINTENANCE_VERSION)
    route = call.request.route_params
    kind = f"{route['provider']}/{route['parentKind']}/{route['kind']}"
    text = f"A {kind} is not patched in the guest. Assign to the address of the machine itself, or to a scope with it."
    raise RequestError(404, "InvalidResourceType", text, kind)


def _address(call: Call) -> AssignmentId:
    from shared.domain.assignment import on_machine, on_scope

    route = call.request.route_params
    if "name" in route:
        return on_machine(call.machine, route["assignment"])
    return on_scope(route["subscription"], route.get("group", ""), route["assignment"])
