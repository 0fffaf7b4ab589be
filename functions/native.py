"""Azure's own schedules, taken over in one call."""

import re

import azure.functions as func
import msgspec

from functions.web import Call, answer, read_json, reply
from shared.domain.errors import invalid

blueprint = func.Blueprint()
MOST_SUBSCRIPTIONS = 100  # named in one call (ours)
SUBSCRIPTION = re.compile(r"[0-9a-fA-F-]{36}")


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which subscriptions to read; none named: the settings', or every one that the identity sees."""

    subscriptions: tuple[str, ...] = ()


@blueprint.route(route="fleet/import", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def native_import(req: func.HttpRequest) -> func.HttpResponse:
    """200 with what became of each configuration and assignment; imported ones are disabled."""
    return answer(req, _import)


def _import(call: Call) -> func.HttpResponse:
    from shared.workflows.native import import_native

    wanted, built = read_json(call, Wanted).subscriptions, call.services
    if len(wanted) > MOST_SUBSCRIPTIONS or not all(SUBSCRIPTION.fullmatch(each) for each in wanted):
        raise invalid("subscriptions", f"subscriptions takes at most {MOST_SUBSCRIPTIONS} subscription ids.")
    chosen = [each.lower() for each in wanted] or list(built.settings.subscriptions)
    return reply(msgspec.to_builtins(import_native(built.azure, built.store, chosen)))
