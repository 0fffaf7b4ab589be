"""Lists and gets of VMs and Arc machines."""

from infra.local.sandbox.arc_shape import arc_model
from infra.local.sandbox.arm import page
from infra.local.sandbox.http import Refusal, Response, json_response
from infra.local.sandbox.machine import ARC_TYPE, VM_TYPE, Machine
from infra.local.sandbox.routes import Call
from infra.local.sandbox.state import State
from infra.local.sandbox.throttles import GET_VM_MACHINE, GET_VM_SUBSCRIPTION, LIST_VMS_SUBSCRIPTION
from infra.local.sandbox.vm_shape import instance_view, vm_model, vm_status, vm_with_view


def list_vms(state: State, call: Call) -> Response:
    """By subscription or group; `statusOnly=true` gives the run-time status instead of the model."""
    if "$filter" in call.request.query:
        raise Refusal(501, "NotImplemented", "The sandbox does not filter lists of VMs.", "$filter")
    subscription = call.parameters["subscription"]
    machines = state.machines_in(subscription, call.parameters.get("group", ""), VM_TYPE)
    state.buckets.take(LIST_VMS_SUBSCRIPTION, (subscription.lower(),), call.now)
    if call.request.query.get("statusonly", "").lower() == "true":
        return page(state, call, machines, lambda machine: vm_status(machine, call.now))
    return page(state, call, machines, vm_model)


def get_vm(state: State, call: Call) -> Response:
    """`$expand` may be instanceView or userData (this fleet has none)."""
    machine = _vm(state, call)
    expand = call.request.query.get("$expand", "").lower()
    if expand not in ("", "instanceview", "userdata"):
        raise Refusal(400, "InvalidParameter", f"The value '{expand}' of $expand is not known.", "$expand")
    return json_response(vm_with_view(machine, call.now) if expand == "instanceview" else vm_model(machine))


def get_instance_view(state: State, call: Call) -> Response:
    return json_response(instance_view(_vm(state, call), call.now))


def list_arc(state: State, call: Call) -> Response:
    machines = state.machines_in(call.parameters["subscription"], call.parameters.get("group", ""), ARC_TYPE)
    return page(state, call, machines, arc_model)


def get_arc(state: State, call: Call) -> Response:
    return json_response(arc_model(_machine(state, call, ARC_TYPE)))


def _vm(state: State, call: Call) -> Machine:
    """One VM, at the price of one look at it. Raises Refusal 404 or 429."""
    machine = _machine(state, call, VM_TYPE)
    place = machine.spec.place
    state.buckets.take(GET_VM_SUBSCRIPTION, (place.subscription, place.location), call.now)
    state.buckets.take(GET_VM_MACHINE, (machine.spec.id,), call.now)
    return machine


def _machine(state: State, call: Call, type_: str) -> Machine:
    return state.machine(call.parameters["subscription"], call.parameters["group"], type_, call.parameters["name"])
