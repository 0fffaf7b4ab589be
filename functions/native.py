"""Azure's own schedules, taken over in one call; and the events that it sends of them."""

import re

import azure.functions as func
import msgspec

from functions.web import Call, answer, next_link, page_size, page_token, read_json, reply
from shared.domain.errors import invalid
from shared.wiring import services

blueprint = func.Blueprint()
MOST_SUBSCRIPTIONS = 100  # named in one call (ours)
SUBSCRIPTION = re.compile(r"[0-9a-fA-F-]{36}")


PAGE, LARGEST_PAGE = 100, 1000  # events


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a list goes on."""

    row: str


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which subscriptions to read; none named: the settings', or every one that the identity sees."""

    subscriptions: tuple[str, ...] = ()


@blueprint.route(route="fleet/import", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def native_import(req: func.HttpRequest) -> func.HttpResponse:
    """200 with what became of each configuration and assignment; imported ones are disabled."""
    return answer(req, _import)


@blueprint.event_grid_trigger(arg_name="event")
def native_event(event: func.EventGridEvent) -> None:
    """A pre or post event of one of Azure's configurations, in Event Grid's own schema."""
    from shared.workflows.native_events import record_native_event

    record_native_event(services().store, event.event_type, event.id, event.event_time, event.get_json())


@blueprint.route(route="fleet/events/{*resource}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def native_events(req: func.HttpRequest) -> func.HttpResponse:
    """By a configuration's id: what Azure told of its runs, newest first."""
    return answer(req, _events)


def _events(call: Call) -> func.HttpResponse:
    from shared.domain.maintenance_id import check_row, parse_configuration_id
    from shared.workflows.native_events import list_native_events

    address = parse_configuration_id(f"/{call.request.route_params.get('resource') or ''}", "configuration")
    place, size = page_token(call, Place), page_size(call, PAGE, LARGEST_PAGE)
    events, following = list_native_events(call.services.store, address, check_row(place.row) if place else "", size)
    body: dict[str, object] = {"value": msgspec.to_builtins(events)}
    if following:
        body["nextLink"] = next_link(call, f"fleet/events{address}", Place(row=following))
    return reply(body)


def _import(call: Call) -> func.HttpResponse:
    from shared.workflows.native import import_native

    wanted, built = read_json(call, Wanted).subscriptions, call.services
    if len(wanted) > MOST_SUBSCRIPTIONS or not all(SUBSCRIPTION.fullmatch(each) for each in wanted):
        raise invalid("subscriptions", f"subscriptions takes at most {MOST_SUBSCRIPTIONS} subscription ids.")
    chosen = [each.lower() for each in wanted] or list(built.settings.subscriptions)
    return reply(msgspec.to_builtins(import_native(built.azure, built.store, chosen)))
