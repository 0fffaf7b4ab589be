"""Azure's own maintenance configurations and assignments: what an app that takes over finds there already.

Bodies are kept as they were put; nothing is checked, and no schedule of theirs ever fires here.
"""

from infra.local.sandbox.graph_rows import COLUMNS
from infra.local.sandbox.http import Json, Refusal, Response, json_object, json_response
from infra.local.sandbox.routes import Call
from infra.local.sandbox.state import State

CONFIGURATION = "Microsoft.Maintenance/maintenanceConfigurations"
ASSIGNMENT = "Microsoft.Maintenance/configurationAssignments"


def put(state: State, call: Call) -> Response:
    """201 for a new one, else 200."""
    key = call.request.path.lower()
    state.subscription(call.parameters["subscription"])
    new, path = key not in state.maintenance, call.request.path
    kind = CONFIGURATION if "/maintenanceconfigurations/" in key else ASSIGNMENT
    body: Json = {**json_object(call.request.body), "id": path, "name": path.rpartition("/")[2], "type": kind}
    if kind == ASSIGNMENT:
        target = path[: key.index("/providers/microsoft.maintenance/")]
        body["properties"] = {**body.get("properties", {}), "resourceId": target}
    state.maintenance[key] = body
    return json_response(body, status=201 if new else 200)


def get(state: State, call: Call) -> Response:
    found = state.maintenance.get(call.request.path.lower())
    if found is None:
        raise Refusal(404, "ResourceNotFound", f"The Resource '{call.request.path}' was not found.")
    return json_response(found)


def delete(state: State, call: Call) -> Response:
    found = state.maintenance.pop(call.request.path.lower(), None)
    return json_response(found) if found else Response(status=204)


def list_configurations(state: State, call: Call) -> Response:
    """All of a subscription, on one page, as the stable versions answer."""
    subscription = state.subscription(call.parameters["subscription"]).id
    values = [body for key, body in sorted(state.maintenance.items()) if _is_in(key, subscription, CONFIGURATION)]
    return json_response({"value": values})


def rows(state: State, scope: set[str]) -> list[Json]:
    """Resource Graph's table `maintenanceresources`, of it the assignments; ids are in lower case there."""
    found: list[Json] = []
    for key, body in sorted(state.maintenance.items()):
        subscription = key.split("/")[2]
        if subscription in scope and _is_in(key, subscription, ASSIGNMENT):
            head = {"id": key, "name": body["name"].lower(), "type": ASSIGNMENT.lower(), "subscriptionId": subscription}
            found.append({**dict.fromkeys(COLUMNS), **head, "properties": body["properties"]})
    return found


def _is_in(key: str, subscription: str, kind: str) -> bool:
    return key.startswith(f"/subscriptions/{subscription}/") and f"/providers/{kind.lower()}/" in key
