"""Tags of subscriptions, through ARM's tags API: read, merged, replaced and deleted, with its limits.

Source: Azure REST API, "Tags - Get At Scope", "Tags - Update At Scope"; "Use tags to organize your Azure resources".
"""

from typing import Any

from infra.local.sandbox.http import Json, Refusal, Response, json_object, json_response
from infra.local.sandbox.routes import Call
from infra.local.sandbox.state import State

MOST = 50
LONGEST_NAME, LONGEST_VALUE = 512, 256
FORBIDDEN = frozenset("<>%&\\?/")
RESERVED = ("microsoft", "azure", "windows")


def get(state: State, call: Call) -> Response:
    subscription = state.subscription(call.parameters["subscription"]).id
    return json_response(_shape(subscription, state.tags.get(subscription, {})))


def patch(state: State, call: Call) -> Response:
    """The tags afterwards."""
    subscription = state.subscription(call.parameters["subscription"]).id
    body = json_object(call.request.body)
    given = (body.get("properties") or {}).get("tags")
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise Refusal(400, "InvalidRequestContent", "The request content must hold properties.tags, names and texts.")
    tags = _changed(dict(state.tags.get(subscription, {})), str(body.get("operation")), given)
    _check(tags)
    state.tags[subscription] = tags
    return json_response(_shape(subscription, tags))


def _changed(tags: dict[str, str], operation: str, given: dict[str, str]) -> dict[str, str]:
    """Names are compared without case."""
    names = {name.lower() for name in given}
    others = {name: value for name, value in tags.items() if name.lower() not in names}
    match operation.lower():
        case "merge":
            return {**others, **given}
        case "replace":
            return dict(given)
        case "delete":
            return others
    raise Refusal(400, "InvalidRequestContent", f"'{operation}' is no operation; use Merge, Replace or Delete.")


def _check(tags: dict[str, str]) -> None:
    """Raises Refusal 400. The codes are a guess: Azure publishes none."""
    if len(tags) > MOST:
        raise Refusal(400, "TooManyTags", f"A subscription has at most {MOST} tags.")
    for name, value in tags.items():
        if len(name) > LONGEST_NAME or FORBIDDEN & set(name) or name.lower().startswith(RESERVED):
            raise Refusal(400, "InvalidTagNameCharacters", f"The tag name '{name}' is not valid.")
        if len(value) > LONGEST_VALUE:
            raise Refusal(400, "TagValueTooLong", f"The value of the tag '{name}' is too long.")


def _shape(subscription: str, tags: dict[str, str]) -> Json:
    properties: dict[str, Any] = {"tags": tags}
    id_ = f"/subscriptions/{subscription}/providers/Microsoft.Resources/tags/default"
    return {"id": id_, "name": "default", "type": "Microsoft.Resources/tags", "properties": properties}
