"""Maintenance configurations at Azure's own addresses, and the windows that each will open.

What answers a call is imported by it: the calendar and its zones are nothing that a cold start should pay for.
"""

from datetime import UTC, datetime
from functools import partial

import azure.functions as func
import msgspec

from functions.web import (
    MAINTENANCE_VERSION,
    Call,
    answer,
    condition,
    page_size,
    read_body,
    reply,
    require_version,
    resource_reply,
)
from shared.domain.errors import invalid

blueprint = func.Blueprint()
_ANYBODY = func.AuthLevel.ANONYMOUS
_KIND = "providers/Microsoft.Maintenance/maintenanceConfigurations"
IN_SUBSCRIPTION = f"subscriptions/{{subscription}}/{_KIND}"
IN_GROUP = f"subscriptions/{{subscription}}/resourceGroups/{{group}}/{_KIND}"
WINDOWS, MOST_WINDOWS = 10, 1000  # windows in one answer
FIRST_YEAR, LAST_YEAR = 2000, 9000  # of windows asked for; the calendar reckons no further (domain/occurrence.py)


@blueprint.route(route=f"{IN_GROUP}/{{name}}", methods=["GET", "PUT", "PATCH", "DELETE"], auth_level=_ANYBODY)
def configuration_resource(req: func.HttpRequest) -> func.HttpResponse:
    """One configuration, with its ETag; `If-Match` and `If-None-Match` are honoured."""
    return answer(req, {"GET": _get, "PUT": _put, "PATCH": _patch, "DELETE": _delete}[req.method])


@blueprint.route(route=IN_GROUP, methods=["GET"], auth_level=_ANYBODY)
def configurations_of_group(req: func.HttpRequest) -> func.HttpResponse:
    return answer(req, _list)


@blueprint.route(route=IN_SUBSCRIPTION, methods=["GET"], auth_level=_ANYBODY)
def configurations_of_subscription(req: func.HttpRequest) -> func.HttpResponse:
    return answer(req, _list)


@blueprint.route(route="fleet/occurrences/{*resource}", methods=["GET"], auth_level=_ANYBODY)
def fleet_occurrences(req: func.HttpRequest) -> func.HttpResponse:
    """The next windows of the configuration with this id: `?$top=&after=` an instant, default now."""
    return answer(req, _occurrences)


def _get(call: Call) -> func.HttpResponse:
    from shared.domain.configuration import shape
    from shared.domain.maintenance_id import configuration_id
    from shared.workflows.configurations import read_configuration

    require_version(call, MAINTENANCE_VERSION)
    found = read_configuration(call.services.store, configuration_id(*_names(call)))
    return resource_reply(call, shape(found.configuration), found.etag)


def _put(call: Call) -> func.HttpResponse:
    from shared.domain.configuration import shape
    from shared.domain.maintenance_id import configuration_id
    from shared.workflows.configurations import put_configuration

    require_version(call, MAINTENANCE_VERSION)
    services, address = call.services, configuration_id(*_names(call))
    made, new = put_configuration(services.azure, services.store, address, read_body(call), condition(call))
    return resource_reply(call, shape(made.configuration), made.etag, 201 if new else 200)


def _patch(call: Call) -> func.HttpResponse:
    from shared.domain.configuration import shape
    from shared.domain.maintenance_id import configuration_id
    from shared.workflows.configurations import patch_configuration

    require_version(call, MAINTENANCE_VERSION)
    services, address = call.services, configuration_id(*_names(call))
    made = patch_configuration(services.azure, services.store, address, read_body(call), condition(call))
    return resource_reply(call, shape(made.configuration), made.etag)


def _delete(call: Call) -> func.HttpResponse:
    """200 with what it was; 204 when there was none."""
    from shared.domain.configuration import shape
    from shared.domain.maintenance_id import configuration_id
    from shared.workflows.configurations import delete_configuration

    require_version(call, MAINTENANCE_VERSION)
    was = delete_configuration(call.services.store, configuration_id(*_names(call)), condition(call))
    return reply(shape(was)) if was else func.HttpResponse(status_code=204)


def _list(call: Call) -> func.HttpResponse:
    from functions.maintenance import list_reply
    from shared.domain.configuration import shape
    from shared.workflows.configurations import list_configurations

    return list_reply(call, _KIND, partial(list_configurations, call.services.store), shape)


def _occurrences(call: Call) -> func.HttpResponse:
    from shared.domain.configuration import run_id
    from shared.domain.maintenance_id import parse_configuration_id
    from shared.workflows.configurations import list_occurrences

    address = parse_configuration_id(f"/{call.request.route_params.get('resource') or ''}", "id")
    count = page_size(call, WINDOWS, MOST_WINDOWS)
    configuration, found = list_occurrences(call.services.store, address, _after(call), count)
    value = [{"id": run_id(configuration.id, each.start), "start": each.start, "end": each.end} for each in found]
    body = {"id": str(configuration.id), "enabled": configuration.enabled, "value": value}
    return reply(msgspec.to_builtins(body))


def _after(call: Call) -> datetime:
    """`after`, an instant with its offset. Raises RequestError 400."""
    text = call.request.params.get("after", "")
    if not text:
        return call.services.azure.clock.now()
    try:
        after = datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid("after", "after must be an instant such as 2026-03-14T22:00:00Z.") from error
    if after.tzinfo is None or not FIRST_YEAR <= after.year < LAST_YEAR:
        text = f"after must have an offset, such as Z, and lie in the years {FIRST_YEAR} to {LAST_YEAR - 1}."
        raise invalid("after", text)
    return after.astimezone(UTC)


def _names(call: Call) -> tuple[str, str, str]:
    route = call.request.route_params
    return route["subscription"], route["group"], route["name"]
