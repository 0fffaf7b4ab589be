"""Resource Graph's one endpoint: scope, query, pages, quota."""

import base64
import binascii
from datetime import datetime, timedelta
from typing import Any

from infra.local.sandbox import maintenance
from infra.local.sandbox.fault import LAGGING, PAGED
from infra.local.sandbox.graph_rows import COLUMNS, assessment_rows, installation_rows, resource_row
from infra.local.sandbox.http import Json, Response, json_object, json_response
from infra.local.sandbox.query import Query, parse, refuse
from infra.local.sandbox.routes import Call
from infra.local.sandbox.state import State

MOST_ROWS = 1000
"""Rows a page at most, and when $top is not given. Source: Resource Graph, work with large data sets."""

_OPTIONS = ("$top", "$skip", "$skipToken", "resultFormat", "allowPartialScopes")


def query_resources(state: State, call: Call) -> Response:
    """POST resources: one page of rows as objects."""
    quota = state.buckets.take_query(call.caller.id, call.now)
    body = json_object(call.request.body)
    for name in ("facets", "managementGroups"):
        if body.get(name):
            raise refuse(f"'{name}' is not served by this sandbox")
    text = body.get("query")
    if not isinstance(text, str) or not text.strip():
        raise refuse("there is no query")
    query = parse(text, COLUMNS)
    lag = state.faults.take(LAGGING, call.request, call.now)
    seen = call.now - timedelta(seconds=lag.seconds if lag else 0)
    rows = query.evaluate(_rows(state, seen, query, _scope(state, body)))
    options = _options(body)
    short = state.faults.take(PAGED, call.request, call.now)
    answer = _page(rows, query, options, MOST_ROWS if short is None else short.rows)
    return json_response(answer, headers=quota)


def _scope(state: State, body: Json) -> set[str]:
    """The subscriptions asked for, all when none is named; ones that are not there have no rows.

    Forbidden ones have none either: Resource Graph shows what its caller may read. What it answers when none is left
    is not in the facts; here it is no rows.
    """
    wanted = body.get("subscriptions")
    if wanted is None:
        return {subscription.id for subscription in state.estate.subscriptions} - state.faults.hidden()
    if not isinstance(wanted, list) or not all(isinstance(item, str) for item in wanted):
        raise refuse("'subscriptions' must be a list of strings")
    return {item.lower() for item in wanted} - state.faults.hidden()


def _rows(state: State, seen: datetime, query: Query, scope: set[str]) -> list[Json]:
    """Of the table at least the rows that can come out: of most machines none is made."""
    machines = [machine for machine in state.machines if machine.spec.place.subscription in scope]
    machines = [machine for machine in machines if query.may_touch(machine.spec.folder)]
    table, tenant = query.table, state.estate.tenant
    if table == "resources":
        return [resource_row(machine, tenant) for machine in machines]
    if table == "maintenanceresources":
        return maintenance.rows(state, scope)
    tables: dict[str, Any] = {
        "patchassessmentresources": assessment_rows,
        "patchinstallationresources": installation_rows,
    }
    if table not in tables:
        raise refuse(f"the table '{table}' is not served by this sandbox")
    found: list[Json] = []
    for machine in machines:
        found += tables[table](machine, state.published, tenant, seen)
    return found


def _options(body: Json) -> Json:
    options = body.get("options") or {}
    for name in options:
        if name not in _OPTIONS:
            raise refuse(f"the option '{name}' is not served by this sandbox")
    if options.get("resultFormat", "objectArray") != "objectArray":
        raise refuse(f"the result format '{options['resultFormat']}' is not served by this sandbox")
    return {**options}


def _page(rows: list[Json], query: Query, options: Json, most: int) -> Json:
    """Rows from $skipToken or $skip on, never more than `most`.

    Without an `id` column Resource Graph cannot page, and says so.
    """
    start = _skip(options)
    top = min(_whole(options, "$top", MOST_ROWS, least=1), most)
    data = rows[start : start + top]
    more = start + top < len(rows)
    pageable = "id" in query.columns
    answer: Json = {
        "totalRecords": len(rows),
        "count": len(data),
        "data": data,
        "facets": [],
        "resultTruncated": "true" if more and not pageable else "false",
    }
    if more and pageable:
        answer["$skipToken"] = base64.b64encode(f"skip:{start + top}".encode()).decode()
    return answer


def _skip(options: Json) -> int:
    token = options.get("$skipToken")
    if not token:
        return _whole(options, "$skip", 0, least=0)
    try:
        word, _, number = base64.b64decode(str(token), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        word, number = "", ""
    if word != "skip" or not number.isdigit():
        raise refuse("the $skipToken is not one of ours")
    return int(number)


def _whole(options: Json, name: str, default: int, *, least: int) -> int:
    value = options.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value:
        raise refuse(f"'{name}' must be a whole number from {least} on")
    return min(value, MOST_ROWS) if name == "$top" else value
