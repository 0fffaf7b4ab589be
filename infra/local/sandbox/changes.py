"""What becomes of machines on request: they are deleted, moved, renamed, re-created, cloned, stopped and started; a
VM's agent stops answering, somebody forbids extensions on it, or it runs a client; an Arc agent has not said its
system."""

import copy

import msgspec
from msgspec.structs import replace

from infra.local.sandbox.config import seeded_guid
from infra.local.sandbox.http import Json, Refusal
from infra.local.sandbox.machine import Machine, Place, Spec
from infra.local.sandbox.scripts import Script
from infra.local.sandbox.state import State

_TROUBLES = {
    "stopAgent": "agent_answers",
    "forbidExtensions": "takes_extensions",
    "hideSystem": "tells_system",
    "runClient": "runs_server",
}
"""Verbs, and what is not so any more."""
_VERBS = ("delete", "move", "rename", "recreate", "clone", "stop", "start", *_TROUBLES)


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`verb`: delete, move, rename, recreate, clone, stop, start, or a trouble. `group`: where to move to; `name`: of
    what is new.

    Stopped, a VM is off and an Arc machine's agent is not connected; started, it is healthy, whatever it was before.
    """

    verb: str
    machine: str
    group: str = ""
    name: str = ""


def change(state: State, body: Json) -> Json:
    """The id that the machine, its copy or its successor has now. Raises Refusal 400 or 404.

    What runs on a machine runs on: Azure's pages do not say what becomes of an operation whose machine goes.
    """
    try:
        wanted = msgspec.convert(body, Change)
    except msgspec.ValidationError as error:
        raise Refusal(400, "InvalidChange", str(error)) from error
    machine = state.find(wanted.machine)
    if machine is None:
        raise Refusal(404, "ResourceNotFound", f"There is no machine '{wanted.machine}'.")
    if wanted.verb in _TROUBLES:
        setattr(machine, _TROUBLES[wanted.verb], False)
        return {"id": machine.spec.id}
    made = _made(state, machine, wanted)
    if wanted.verb != "clone":
        state.remove(machine)
    if made is not None:
        state.add(made)
    return {"id": (made or machine).spec.id}


def _made(state: State, machine: Machine, wanted: Change) -> Machine | None:
    """What is there afterwards: a moved machine with its system, a clone with a copy of it, or one with a new vmId."""
    spec = machine.spec
    match wanted.verb:
        case "delete":
            return None
        case "move":
            return _as_before(machine, _new(state, replace(spec, place=_place(state, spec, wanted.group))))
        case "rename":
            return _as_before(machine, _new(state, replace(spec, name=wanted.name)))
        case "clone":
            return _copied(machine, _new(state, replace(spec, name=wanted.name)))
        case "recreate":
            again = seeded_guid(state.config.seed, "recreated", spec.id, spec.vm_id)
            return _copied(machine, replace(spec, vm_id=again))
        case "stop" | "start":
            return _as_before(machine, replace(spec, script=_script(spec, wanted.verb)))
    raise Refusal(400, "InvalidChange", f"'{wanted.verb}' is none of {', '.join(_VERBS)}.", "verb")


def _as_before(machine: Machine, spec: Spec) -> Machine:
    """With the system that it had; nothing else troubles it any more."""
    made = Machine(spec, machine.guest)
    made.tells_system, made.runs_server = machine.tells_system, machine.runs_server
    return made


def _copied(machine: Machine, spec: Spec) -> Machine:
    made = _as_before(machine, spec)
    made.guest = copy.deepcopy(machine.guest)
    return made


def _script(spec: Spec, verb: str) -> Script:
    away = Script.DISCONNECTED if spec.is_arc else Script.POWERED_OFF
    return away if verb == "stop" else Script.HEALTHY


def _new(state: State, spec: Spec) -> Spec:
    if not spec.name or state.find(spec.id) is not None:
        raise Refusal(400, "InvalidChange", f"'{spec.id}' cannot be the id of another machine.", "name")
    return spec


def _place(state: State, spec: Spec, group: str) -> Place:
    """In whatever subscription the group is. A machine keeps its region when it is moved."""
    for place in state.estate.places:
        if place.group_id.lower() == group.lower():
            return replace(place, location=spec.place.location)
    raise Refusal(404, "ResourceGroupNotFound", f"There is no resource group '{group}'.", "group")
