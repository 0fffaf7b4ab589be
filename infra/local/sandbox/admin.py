"""What testers may ask of the sandbox beside Azure: the fleet's truth, the journal, faults."""

from datetime import datetime

from infra.local.sandbox.changes import change
from infra.local.sandbox.fault import Fault, Kind, read_fault
from infra.local.sandbox.foreign import begin_foreign
from infra.local.sandbox.guests import GuestFailure, ScriptedGuest
from infra.local.sandbox.http import Json, Refusal, Request, Response, json_object, json_response
from infra.local.sandbox.machine import Machine
from infra.local.sandbox.scripts import Script, Verdict, expected, expected_in_window
from infra.local.sandbox.state import State

PREFIX = "/sandbox"


def asks_for_fleet(request: Request) -> bool:
    return (request.method.upper(), request.path.rstrip("/")) == ("GET", f"{PREFIX}/fleet")


def fleet(state: State) -> Response:
    """Every machine, its script, what is pending in it now and how its operations must end.

    To be called without the sandbox's lock: looking into a real system takes seconds.
    """
    return json_response([_machine(machine) for machine in state.machines])


def answer(state: State, request: Request, now: datetime) -> Response:
    """GET journal; GET, POST, DELETE faults (see fault.py); POST machines (see changes.py); POST
    subscriptions (see topics.py); all under /sandbox."""
    called = (request.method.upper(), request.path.removeprefix(PREFIX).rstrip("/"))
    match called:
        case ("GET", "/journal"):
            return json_response(state.journal.after(_sequence(request)))
        case ("POST", "/faults"):
            _add_fault(state, read_fault(json_object(request.body)), now)
            return Response(status=204)
        case ("GET", "/faults"):
            return json_response(state.faults.facts())
        case ("DELETE", "/faults"):
            state.faults.clear(now)
            return Response(status=204)
        case ("POST", "/subscriptions"):
            return state.topics.subscribe(request)
        case ("POST", "/machines"):
            return json_response(change(state, json_object(request.body)))
        case (method, path):
            raise Refusal(501, "NotImplemented", f"The sandbox has no route for {method} {PREFIX}{path}.", path)


def _add_fault(state: State, fault: Fault, now: datetime) -> None:
    """Raises Refusal 404 for a subscription or machine that is not there, 409 for a machine that cannot start one."""
    if fault.subscription:
        state.subscription(fault.subscription)
    if fault.kind is Kind.FOREIGN:
        begin_foreign(state, fault, now)
    else:
        state.faults.add(fault, now)


def _sequence(request: Request) -> int:
    text = request.query.get("after", "0")
    if not text.isdigit():
        raise Refusal(400, "InvalidParameter", f"'{text}' is not a sequence number.", "after")
    return int(text)


def _machine(machine: Machine) -> Json:
    spec = machine.spec
    outlook = expected(spec.script)
    automatic = not spec.is_arc and spec.settings.mode == "AutomaticByPlatform" and not spec.settings.bypass
    return {
        "id": spec.id,
        "kind": spec.kind,
        "os": spec.system.os,
        "subscription": spec.place.subscription,
        "script": spec.script.value,
        "availability_set": spec.availability_set,
        "update_domain": spec.update_domain if spec.availability_set else None,
        "slow": spec.script is Script.SLOW,
        "real_guest": machine.guest.blocking,
        "pending": _pending(machine),
        "expected": {"assessment": _verdict(outlook.assessment), "installation": _verdict(outlook.installation)},
        "expected_in_window": _verdict(expected_in_window(spec.script, left_to_platform=automatic)),
    }


def _pending(machine: Machine) -> list[str]:
    """What is missing now, even where an assessment would fail."""
    if isinstance(machine.guest, ScriptedGuest):
        return [update.id for update in machine.guest.pending]
    try:
        with machine.inside:
            return [update.id for update in machine.guest.assess().pending]
    except GuestFailure:
        return []


def _verdict(verdict: Verdict) -> Json:
    return {"outcome": verdict.outcome, "reason": verdict.reason}
