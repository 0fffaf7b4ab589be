"""assessPatches and installPatches of VMs and Arc machines, and the addresses that tell how they went."""

from datetime import timedelta

from infra.local.sandbox.config import azure_time
from infra.local.sandbox.fault import BUSYING, EXPIRING
from infra.local.sandbox.foreign import ensure_reachable
from infra.local.sandbox.http import Json, Refusal, Response, json_object, json_response
from infra.local.sandbox.installs import read_install
from infra.local.sandbox.machine import ARC_TYPE, VM_TYPE, Machine
from infra.local.sandbox.operations import Operation
from infra.local.sandbox.reports import AssessmentReport
from infra.local.sandbox.results import arc_assessment, arc_installation, vm_assessment, vm_installation
from infra.local.sandbox.routes import Call
from infra.local.sandbox.state import State
from infra.local.sandbox.throttles import (
    ASYNC_MACHINE,
    ASYNC_SUBSCRIPTION,
    GUEST_PATCH_MACHINE,
    GUEST_PATCH_SUBSCRIPTION,
)


def assess_vm(state: State, call: Call) -> Response:
    return _assess(state, call, _machine(state, call, VM_TYPE))


def assess_arc(state: State, call: Call) -> Response:
    return _assess(state, call, _machine(state, call, ARC_TYPE))


def install_vm(state: State, call: Call) -> Response:
    return _install(state, call, _machine(state, call, VM_TYPE))


def install_arc(state: State, call: Call) -> Response:
    return _install(state, call, _machine(state, call, ARC_TYPE))


def operation_state(state: State, call: Call) -> Response:
    """Azure-AsyncOperation of a VM; with monitor=true the Location form, the two sharing one path."""
    if call.request.query.get("monitor", "").lower() == "true":
        return operation_result(state, call)
    operation = _operation(state, call)
    body = _status(operation)
    if operation.status == "Succeeded":
        body["properties"] = {"output": _result(operation)}
    return _still_running(state, operation, json_response(body))


def arc_operation_state(state: State, call: Call) -> Response:
    """Azure-AsyncOperation of an Arc machine: the status alone, the result is at the Location."""
    operation = _operation(state, call)
    return _still_running(state, operation, json_response({"id": call.request.path, **_status(operation)}))


def operation_result(state: State, call: Call) -> Response:
    """The Location form: 202 until the end, then the result. A failed operation answers 409 with its error."""
    operation = _operation(state, call)
    if operation.ended is None:
        location = {"Location": call.request.url}
        return _still_running(state, operation, Response(status=202, headers=location))
    if operation.failed is not None:
        return Refusal(409, operation.failed.code, operation.failed.message).response()
    return json_response(_result(operation))


def _assess(state: State, call: Call, machine: Machine) -> Response:
    _take_slot(state, call, machine)
    json_object(call.request.body)
    ensure_reachable(machine)
    fault = state.faults.take(BUSYING, call.request, call.now)
    return _accepted(state, call, state.operations.start_assessment(machine, call.caller.id, call.now, fault))


def _install(state: State, call: Call, machine: Machine) -> Response:
    _take_slot(state, call, machine)
    body = json_object(call.request.body)
    request = read_install(body, os=machine.spec.system.os, arc=machine.spec.is_arc)
    ensure_reachable(machine)
    fault = state.faults.take(BUSYING, call.request, call.now)
    operation = state.operations.start_installation(machine, request, call.caller.id, call.now, fault)
    return _accepted(state, call, operation)


def _machine(state: State, call: Call, type_: str) -> Machine:
    return state.machine(call.parameters["subscription"], call.parameters["group"], type_, call.parameters["name"])


def _take_slot(state: State, call: Call, machine: Machine) -> None:
    """Assess and install share these buckets. For Arc Azure publishes no figures; the same are used."""
    place = machine.spec.place
    state.buckets.take(GUEST_PATCH_SUBSCRIPTION, (machine.spec.type, place.subscription, place.location), call.now)
    state.buckets.take(GUEST_PATCH_MACHINE, (machine.spec.id,), call.now)


def _accepted(state: State, call: Call, operation: Operation) -> Response:
    """202 with an empty body; both addresses and the wait, as Compute and HybridCompute send them."""
    _let_expire(state, call, operation)
    place = operation.machine.spec.place
    version = f"api-version={call.version}"
    base = f"{call.request.origin}/subscriptions/{place.subscription}/providers"
    if operation.machine.spec.is_arc:
        base = f"{base}/Microsoft.HybridCompute/locations/{place.location}"
        followed = f"{base}/operationStatus/{operation.id}?{version}"
        location = f"{base}/updateCenterOperationResults/{operation.id}?{version}"
    else:
        followed = f"{base}/Microsoft.Compute/locations/{place.location}/operations/{operation.id}?{version}"
        location = f"{followed}&monitor=true"
    headers = {"Location": location, "Azure-AsyncOperation": followed}
    return _still_running(state, operation, Response(status=202, headers=headers))


def _let_expire(state: State, call: Call, operation: Operation) -> None:
    """Its addresses stop answering, at an instant that the journal names, whether it has ended or not."""
    fault = state.faults.take(EXPIRING, call.request, call.now)
    if fault is not None:
        at = call.now + timedelta(seconds=fault.seconds)
        operation.gone = (at, fault.status)
        facts = {**operation.facts(), "at": azure_time(at), "status": fault.status}
        state.journal.note("operationExpires", call.now, facts)


def _operation(state: State, call: Call) -> Operation:
    """Raises Refusal 404 for an unknown one, 404 or 410 for one whose address has expired, 429."""
    operation = state.operations.find(call.parameters["operation"])
    message = f"The entity was not found: operation '{call.parameters['operation']}'."
    if operation is None:
        raise Refusal(404, "NotFound", message)
    if operation.gone is not None and operation.gone[0] <= call.now:
        status = operation.gone[1]
        raise Refusal(status, "NotFound" if status == 404 else "Gone", message)
    place = operation.machine.spec.place
    if not operation.machine.spec.is_arc:
        state.buckets.take(ASYNC_SUBSCRIPTION, (place.subscription, place.location), call.now)
        state.buckets.take(ASYNC_MACHINE, (operation.machine.spec.id,), call.now)
    return operation


def _still_running(state: State, operation: Operation, response: Response) -> Response:
    return response if operation.ended else response.with_headers({"Retry-After": str(state.config.retry_after)})


def _status(operation: Operation) -> Json:
    body: Json = {"name": operation.id, "status": operation.status, "startTime": azure_time(operation.started)}
    if operation.ended is not None:
        body["endTime"] = azure_time(operation.ended)
    if operation.failed is not None:
        body["error"] = {"code": operation.failed.code, "message": operation.failed.message}
    return body


def _result(operation: Operation) -> Json:
    """The result body of an ended operation."""
    os = operation.machine.spec.system.os
    arc = operation.machine.spec.is_arc
    report = operation.report
    if report is None:
        return {}
    if isinstance(report, AssessmentReport):
        return arc_assessment(report, os) if arc else vm_assessment(report, os)
    return arc_installation(report, os) if arc else vm_installation(report, os)
