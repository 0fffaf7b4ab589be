"""The fleet: filtered pages of machines, and the summary."""

from datetime import datetime
from typing import Any

import azure.functions as func
import msgspec

from functions.bodies import overview
from functions.queue import CONNECTION, handle
from functions.web import Call, answer, next_link, page_size, page_token, reply
from shared.domain.errors import RequestError, invalid
from shared.domain.fleet import Status
from shared.domain.index import Cursor, Filter
from shared.domain.machine import Kind, OperatingSystem
from shared.domain.messages import CountFleet
from shared.wiring import Services, new_id
from shared.workflows.fleet import list_machines, read_summary
from shared.workflows.index import count_fleet

blueprint = func.Blueprint()
_ANYBODY = func.AuthLevel.ANONYMOUS
PAGE, LARGEST_PAGE = 100, 1000  # machines (the largest as in Resource Graph)
_WORDS = {"kind": tuple(Kind), "os": tuple(OperatingSystem), "status": tuple(Status)}
_PARAMETERS = frozenset(
    {"subscription", "resourcegroup", "kind", "os", "status", "tag", "$top", "$skiptoken", "api-version"}
)


@blueprint.route(route="fleet/machines", methods=["GET"], auth_level=_ANYBODY)
def fleet_machines(req: func.HttpRequest) -> func.HttpResponse:
    """`?subscription=&resourceGroup=&kind=&os=&status=&tag=name=value,name&$top=`."""
    return answer(req, _machines)


@blueprint.route(route="fleet/summary", methods=["GET"], auth_level=_ANYBODY)
def fleet_summary(req: func.HttpRequest) -> func.HttpResponse:
    """The counts of the index, with the instant they are from; `Age` says how many seconds ago that was."""
    return answer(req, _summary)


@blueprint.queue_trigger(arg_name="msg", queue_name="fleet", connection=CONNECTION)
def fleet_count(msg: func.QueueMessage) -> None:
    handle(msg, "fleet", CountFleet, _count)


def _machines(call: Call) -> func.HttpResponse:
    now = call.services.azure.clock.now()
    page = list_machines(
        call.services.store, _filter(call), page_size(call, PAGE, LARGEST_PAGE), page_token(call, Cursor), now
    )
    body: dict[str, Any] = {"value": [overview(record) for record in page.records], "asOf": page.as_of}
    if page.next:
        body["nextLink"] = next_link(call, "fleet/machines", page.next)
    return reply(body, headers=_age(page.as_of, now))


def _summary(call: Call) -> func.HttpResponse:
    now = call.services.azure.clock.now()
    summary = read_summary(call.services.store, now)
    if summary is None:
        raise RequestError(404, "NoSummaryYet", "The fleet has not been counted yet; take the inventory first.")
    return reply(msgspec.to_builtins(msgspec.structs.asdict(summary)), headers=_age(summary.at, now))


def _age(as_of: datetime | None, now: datetime) -> dict[str, str]:
    """How old an answer is, in whole seconds. Source of the header: RFC 9111, section 5.1."""
    return {"Age": str(max(0, int((now - as_of).total_seconds())))} if as_of else {}


def _count(built: Services, message: CountFleet) -> None:
    count_fleet(built.store, message, built.azure.clock, new_id)


def _filter(call: Call) -> Filter:
    given = {name.lower(): value for name, value in call.request.params.items()}
    for name in given:
        if name not in _PARAMETERS:
            raise invalid(name, f"'{name}' is not a filter; use subscription, resourceGroup, kind, os, status or tag.")
    for name, words in _WORDS.items():
        if given.get(name) and given[name].lower() not in [word.lower() for word in words]:
            raise invalid(name, f"'{given[name]}' is not a {name}; use one of {', '.join(words)}.")
    return Filter(
        subscription=given.get("subscription", ""),
        group=given.get("resourcegroup", ""),
        kind=given.get("kind", ""),
        os=given.get("os", ""),
        status=given.get("status", ""),
        tags=tuple(tag for tag in given.get("tag", "").split(",") if tag),
    )
