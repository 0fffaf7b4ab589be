"""ARM itself: subscriptions, resource groups, and pages of a list."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from infra.local.sandbox.config import PAGE_SIZE
from infra.local.sandbox.fault import PAGED
from infra.local.sandbox.http import Json, Refusal, Response, json_response
from infra.local.sandbox.machine import Machine
from infra.local.sandbox.places import Subscription
from infra.local.sandbox.routes import Call
from infra.local.sandbox.state import State


def list_subscriptions(state: State, call: Call) -> Response:
    values = [_subscription(state, subscription) for subscription in state.estate.subscriptions]
    return json_response({"value": values, "count": {"type": "Total", "value": len(values)}})


def get_subscription(state: State, call: Call) -> Response:
    return json_response(_subscription(state, state.subscription(call.parameters["subscription"])))


def list_groups(state: State, call: Call) -> Response:
    subscription = state.subscription(call.parameters["subscription"])
    places = [place for place in state.estate.places if place.subscription == subscription.id]
    values = [
        {
            "id": place.group_id,
            "name": place.group,
            "type": "Microsoft.Resources/resourceGroups",
            "location": place.location,
            "properties": {"provisioningState": "Succeeded"},
        }
        for place in places
    ]
    return json_response({"value": values})


def page(state: State, call: Call, machines: Sequence[Machine], shape: Callable[[Machine], Json]) -> Response:
    """One page of `{value, nextLink}`; nextLink keeps the query and adds $skiptoken."""
    token = call.request.query.get("$skiptoken", "0")
    if not token.isdigit():
        raise Refusal(400, "InvalidParameter", f"The $skiptoken '{token}' is not one of ours.", "$skiptoken")
    start = int(token)
    fault = state.faults.take(PAGED, call.request, call.now)
    end = start + (PAGE_SIZE if fault is None else min(fault.rows, PAGE_SIZE))
    body: dict[str, Any] = {"value": [shape(machine) for machine in machines[start:end]]}
    if end < len(machines):
        query = urlencode({**call.request.query, "$skiptoken": str(end)})
        body["nextLink"] = f"{call.request.origin}{call.request.path}?{query}"
    return json_response(body)


def _subscription(state: State, subscription: Subscription) -> Json:
    return {
        "id": f"/subscriptions/{subscription.id}",
        "subscriptionId": subscription.id,
        "tenantId": state.estate.tenant,
        "displayName": subscription.name,
        "tags": state.tags[subscription.id],
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "EnterpriseAgreement_2014-09-01",
            "spendingLimit": "Off",
        },
        "authorizationSource": "RoleBased",
    }
