"""Every other address: Azure's 404 body."""

import azure.functions as func

from functions.web import error
from shared.domain.errors import not_found

blueprint = func.Blueprint()


@blueprint.route(route="{*path}", auth_level=func.AuthLevel.ANONYMOUS)
def fallback(req: func.HttpRequest) -> func.HttpResponse:
    return error(not_found(f"/{req.route_params.get('path') or ''}"))
