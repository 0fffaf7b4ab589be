"""Reading one machine at Azure's own addresses: itself, its assessment, its installations."""

import azure.functions as func

from functions.bodies import assessment_resource, installation_resource, machine, update_resource
from functions.web import MACHINE, Call, answer, reply, require_version
from shared.workflows.machines import (
    read_installation,
    read_installations,
    read_latest_assessment,
    read_machine,
    read_pending_updates,
)

blueprint = func.Blueprint()
_ANYBODY = func.AuthLevel.ANONYMOUS
_ASSESSMENT = f"{MACHINE}/patchAssessmentResults/latest"
_INSTALLATIONS = f"{MACHINE}/patchInstallationResults"


@blueprint.route(route=MACHINE, methods=["GET"], auth_level=_ANYBODY)
def machine_get(req: func.HttpRequest) -> func.HttpResponse:
    return answer(req, _machine)


@blueprint.route(route=_ASSESSMENT, methods=["GET"], auth_level=_ANYBODY)
def assessment_get(req: func.HttpRequest) -> func.HttpResponse:
    return answer(req, _latest)


@blueprint.route(route=f"{_ASSESSMENT}/softwarePatches", methods=["GET"], auth_level=_ANYBODY)
def assessment_updates(req: func.HttpRequest) -> func.HttpResponse:
    return answer(req, _pending)


@blueprint.route(route=_INSTALLATIONS, methods=["GET"], auth_level=_ANYBODY)
def installation_list(req: func.HttpRequest) -> func.HttpResponse:
    return answer(req, _installations)


@blueprint.route(route=f"{_INSTALLATIONS}/{{installation}}", methods=["GET"], auth_level=_ANYBODY)
def installation_get(req: func.HttpRequest) -> func.HttpResponse:
    return answer(req, _installation)


@blueprint.route(route=f"{_INSTALLATIONS}/{{installation}}/softwarePatches", methods=["GET"], auth_level=_ANYBODY)
def installation_updates(req: func.HttpRequest) -> func.HttpResponse:
    return answer(req, _installed)


def _machine(call: Call) -> func.HttpResponse:
    require_version(call)
    return reply(machine(read_machine(call.services.store, call.machine)))


def _latest(call: Call) -> func.HttpResponse:
    require_version(call)
    return reply(assessment_resource(*read_latest_assessment(call.services.store, call.machine)))


def _pending(call: Call) -> func.HttpResponse:
    require_version(call)
    record, result = read_latest_assessment(call.services.store, call.machine)
    parent, address = assessment_resource(record, result)["id"], record.machine.address
    updates = read_pending_updates(call.services.store, call.machine)
    return reply({"value": [update_resource(parent, address, each, record.machine.os) for each in updates]})


def _installations(call: Call) -> func.HttpResponse:
    require_version(call)
    record = read_machine(call.services.store, call.machine)
    results = read_installations(call.services.store, call.machine)
    return reply({"value": [installation_resource(record, each) for each in results]})


def _installation(call: Call) -> func.HttpResponse:
    require_version(call)
    record = read_machine(call.services.store, call.machine)
    result, _ = read_installation(call.services.store, call.machine, call.request.route_params["installation"])
    return reply(installation_resource(record, result))


def _installed(call: Call) -> func.HttpResponse:
    require_version(call)
    record = read_machine(call.services.store, call.machine)
    result, updates = read_installation(call.services.store, call.machine, call.request.route_params["installation"])
    parent, address = installation_resource(record, result)["id"], record.machine.address
    return reply({"value": [update_resource(parent, address, each, record.machine.os) for each in updates]})
