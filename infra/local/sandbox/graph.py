"""Resource Graph's one endpoint: scope, query, pages, quota."""

import base64
import binascii
from typing import Any

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
    rows = query.evaluate(_rows(state, call, query.table, _scope(state, body)))
    answer = _page(rows, query, _options(body))
    return json_response(answer, headers=quota)


def _scope(state: State, body: Json) -> set[str]:
    """The subscriptions asked for, all when none is named; ones that are not there have no rows."""
    wanted = body.get("subscriptions")
    if wanted is None:
        return {subscription.id for subscription in state.estate.subscriptions}
    if not isinstance(wanted, list) or not all(isinstance(item, str) for item in wanted):
        raise refuse("'subscriptions' must be a list of strings")
    return {item.lower() for item in wanted}


def _rows(state: State, call: Call, table: str, scope: set[str]) -> list[Json]:
    machines = [machine for machine in state.machines if machine.spec.place.subscription in scope]
    tenant = state.estate.tenant
    if table == "resources":
        return [resource_row(machine, tenant) for machine in machines]
    tables: dict[str, Any] = {
        "patchassessmentresources": assessment_rows,
        "patchinstallationresources": installation_rows,
    }
    if table not in tables:
        raise refuse(f"the table '{table}' is not served by this sandbox")
    found: list[Json] = []
    for machine in machines:
        found += tables[table](machine, state.published, tenant, call.now)
    return found


def _options(body: Json) -> Json:
    options = body.get("options") or {}
    for name in options:
        if name not in _OPTIONS:
            raise refuse(f"the option '{name}' is not served by this sandbox")
    if options.get("resultFormat", "objectArray") != "objectArray":
        raise refuse(f"the result format '{options['resultFormat']}' is not served by this sandbox")
    return {**options}


def _page(rows: list[Json], query: Query, options: Json) -> Json:
    """Rows from $skipToken or $skip on. Without an `id` column Resource Graph cannot page, and says so."""
    start = _skip(options)
    top = _whole(options, "$top", MOST_ROWS, least=1)
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
