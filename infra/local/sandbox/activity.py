"""The activity log of a subscription: what ARM was asked to do on one machine, a while after it was asked."""

import re
from datetime import UTC, datetime

from infra.local.sandbox.config import azure_time
from infra.local.sandbox.http import Json, Refusal, Response, json_response
from infra.local.sandbox.routes import Call
from infra.local.sandbox.state import State

LAG_SECONDS = 180.0
"""How long an event takes to show, before division by speed. Source: "Azure Monitor activity log", 3 to 20 minutes."""

_FILTER = re.compile(r"eventTimestamp ge '([^']+)' and resourceUri eq '([^']+)'")
"""The one filter that the app sends, of those that Azure takes."""


def list_events(state: State, call: Call) -> Response:
    """The starts on one machine since an instant. Raises Refusal 400 for any other filter."""
    asked = _FILTER.fullmatch(call.request.query.get("$filter", ""))
    if asked is None:
        raise Refusal(
            400, "BadRequest", "This sandbox filters by eventTimestamp ge and resourceUri eq only.", "$filter"
        )
    since, until = _moment(asked[1]), call.now - state.config.scaled(LAG_SECONDS)
    seen = (entry for entry in state.journal.about(asked[2]) if _is_start(entry))
    return json_response({"value": [_event(entry) for entry in seen if since <= _moment(entry["time"]) <= until]})


def _is_start(entry: Json) -> bool:
    """What a fault kept from Azure is in no log."""
    return bool(entry["event"] == "request" and entry["method"] == "POST" and entry["arrived"])


def _event(entry: Json) -> Json:
    verb, taken = entry["url"].partition("?")[0].rpartition("/")[2], bool(entry["effect"])
    kind = "/".join(entry["machine"].split("/")[6:8])
    return {
        "eventTimestamp": azure_time(_moment(entry["time"])),
        "resourceId": entry["machine"],
        "caller": entry["principal"],
        "operationName": {"value": f"{kind}/{verb}/action"},
        "status": {"value": "Accepted" if taken else "Failed"},
        "httpRequest": {"clientRequestId": entry["clientRequestId"], "method": entry["method"], "uri": entry["url"]},
    }


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
