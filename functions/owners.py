"""Which subscriptions this deployment drives, and taking one over from another deployment."""

import azure.functions as func
import msgspec

from functions.native import SUBSCRIPTION
from functions.web import Call, answer, read_json, reply
from shared.domain.errors import invalid

blueprint = func.Blueprint()
_ANYBODY = func.AuthLevel.ANONYMOUS


class Take(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a subscription is taken over."""

    reason: str


@blueprint.route(route="fleet/owners", methods=["GET"], auth_level=_ANYBODY)
def owner_list(req: func.HttpRequest) -> func.HttpResponse:
    """What is known of each subscription's owner marker; asked about when something is to be started there."""
    return answer(req, _list)


@blueprint.route(route="fleet/owners/{subscription}/take", methods=["POST"], auth_level=_ANYBODY)
def owner_take(req: func.HttpRequest) -> func.HttpResponse:
    """Make a subscription this deployment's: 200 with the instant from which something may be started in it."""
    return answer(req, _take)


def _list(call: Call) -> func.HttpResponse:
    from shared.workflows.owner import list_owners

    services = call.services
    value = [msgspec.to_builtins(each) for each in list_owners(services.store)]
    return reply({"deployment": services.settings.deployment, "value": value})


def _take(call: Call) -> func.HttpResponse:
    from shared.workflows.owner import take_owner

    subscription = call.request.route_params["subscription"].lower()
    if not SUBSCRIPTION.fullmatch(subscription):
        raise invalid("subscription", "Name a subscription by its id.")
    why, services = read_json(call, Take).reason, call.services
    return reply(msgspec.to_builtins(take_owner(services.azure, services.store, subscription, call.who, why)))
