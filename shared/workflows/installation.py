"""Installations asked for now: each request is a run of its own, with one machine and a window that opens at once."""

import logging
from datetime import datetime, timedelta

import msgspec

from shared.cloud import patches
from shared.cloud.azure import Azure
from shared.domain.agenda import HEAL_EVERY, Item, ItemKind
from shared.domain.errors import RequestError
from shared.domain.installation import InstallationRequest, read_installation
from shared.domain.machine import OperatingSystem, Outcome, Record
from shared.domain.messages import AdvanceRun, StartInstallation
from shared.domain.operation import Answer, NotSent, Operation, State, end
from shared.domain.reason import reason
from shared.domain.resource_id import MachineId, parse_machine_id
from shared.domain.run import (
    Run,
    RunMachine,
    claim_for,
    install_now,
    last_send,
    may_start,
    minutes_left,
    opens,
)
from shared.store.operations import Held
from shared.store.store import Store
from shared.store.table import Conflict
from shared.workflows.assessment import bring_forward, known_machine, same_or_busy, same_request
from shared.workflows.identity import ended_as_lost, is_held
from shared.workflows.owner import refuse_elsewhere, until_owned
from shared.workflows.precondition import is_fit
from shared.workflows.sending import send, when_due

log = logging.getLogger(__name__)


def request_installation(
    store: Store, address: MachineId, body: bytes, who: str, request_id: str, now: datetime
) -> Operation:  # fmt: skip
    """Open a run for one machine and claim the machine for it.

    Raises RequestError: 400 naming a wrong field, 404 for an unknown machine, 409 when it is busy, cannot be
    patched, or another deployment drives its subscription.
    """
    record = known_machine(store, address)
    request = _read(record, body)
    run_id, same = same_request(store, address, "installPatches", request_id, now)
    if same is None:
        refuse_elsewhere(store, address.subscription)
    if same or is_held(store, record):
        return same or _turned_away(store, record, run_id, now)
    wanted = install_now(run_id, request, record.machine.os, who, now)
    closes_by = claim_for(wanted, record.machine.id, now).deadline
    store.agenda.add(Item(kind=ItemKind.RUN, id=run_id, since=now, closes_by=closes_by), now + HEAL_EVERY)
    run = _open(store, wanted, record.machine.id)
    operation = claim_for(run, record.machine.id, now)
    if not store.operations.claim(operation):
        return _not_first(store, operation, now)
    store.queues.send(AdvanceRun(run=run_id, alarm=run.alarm), _seconds(opens(run) - now))
    log.info("installation requested machine=%s run=%s", record.machine.id, run_id)
    return operation


def start_installation(azure: Azure, store: Store, message: StartInstallation, longest: timedelta) -> None:
    """Use a permit: send the installation, unless the permit is no longer good or it was sent already."""
    member, now = store.runs.member(message.run, message.machine), azure.clock.now()
    record = store.machines.get(parse_machine_id(message.machine))
    if member is None or record is None:
        return
    run, machine = member
    held = _hold(store, run, machine, record, now) if may_start(run, machine, now) else None
    if held is None or held.operation.state is not State.CLAIMED:
        log.info("installation not started run=%s machine=%s reason=NoPermit", message.run, message.machine)
        return
    plan = run.plan
    asked = _Asked(run, _request(store, run, machine), longest)
    try:
        if ended_as_lost(store, record, held, now):
            return
        held, wait = when_due(store, record, held, now)
        pause = wait or until_owned(azure, store, held)
        if pause is None:
            return
        if pause:
            _wait(store, message, machine, pause, now)
        elif plan is None or is_fit(azure, store, record, held, machine.vm_id, plan.look_again):
            send(azure, store, record, held, lambda leave_by: _install(azure, asked, machine, leave_by))
    except Conflict:
        log.info("installation not started run=%s machine=%s reason=TakenOver", message.run, message.machine)


class _Asked(msgspec.Struct, frozen=True):
    """What is asked of a machine, and the cap of its duration."""

    run: Run
    request: InstallationRequest
    longest: timedelta


def _request(store: Store, run: Run, machine: RunMachine) -> InstallationRequest:
    """Of an install-now request its own; else what the frozen configuration selects for the machine's system."""
    if run.request is not None:
        return run.request
    from shared.domain.configuration import request_for

    configuration = store.runs.frozen(run.id)
    request = request_for(configuration, machine.system, run.start) if configuration else None
    if request is None:
        raise ValueError(f"The run {run.id} asks for nothing on {machine.system}.")
    return request


def _install(azure: Azure, asked: _Asked, machine: RunMachine, leave_by: datetime) -> Answer:
    """Not sent where the last look at the machine told that the clock was fast: the window is not open yet."""
    run, now = asked.run, azure.clock.now()
    if now < opens(run):
        return NotSent(detail=f"It is {now.isoformat()}; the window opens at {run.start.isoformat()}.")
    body = patches.installation_body(asked.request, minutes_left(run, now, asked.longest))
    not_after = min(leave_by, last_send(run, machine), machine.permit_until or now)
    return patches.install(azure, parse_machine_id(machine.machine), body, run.id, not_after)


def _open(store: Store, run: Run, machine: str) -> Run:
    """The run as it stands: when the same request came before, its window is the one of then."""
    opened = store.runs.create(run, [RunMachine(machine=machine)])
    before = None if opened else store.runs.load(run.id)
    return before.run if before else run


def _read(record: Record, body: bytes) -> InstallationRequest:
    machine = record.machine
    if machine.os is OperatingSystem.UNKNOWN:
        why = reason("UnknownSystem")
        raise RequestError(409, why.code, why.message, machine.name)
    return read_installation(body, machine.os, is_vm=machine.address.is_vm)


def _hold(store: Store, run: Run, machine: RunMachine, record: Record, now: datetime) -> Held | None:
    """The machine held for this run; claimed now if it is not yet. None when it is not ours."""
    address = parse_machine_id(machine.machine)
    held = store.operations.in_flight(address)
    if held is None and run.plan and is_held(store, record):
        return None  # at the address that it came from
    if held is None and store.operations.claim(claim_for(run, machine.machine, now, machine)):
        held = store.operations.in_flight(address)
    if held and held.operation.attempt != run.id:
        bring_forward(store, held, now)
        return None
    return held


def _wait(store: Store, message: StartInstallation, machine: RunMachine, seconds: int, now: datetime) -> None:
    """For the slot, with this permit if it lives that long; else the run's alarm grants another one then."""
    if machine.permit_until and now + timedelta(seconds=seconds) < machine.permit_until:
        store.queues.send(message, seconds)


def _turned_away(store: Store, record: Record, run_id: str, now: datetime) -> Operation:
    """The machine is busy. A run that this request opened when it came before may not start later either."""
    loaded = store.runs.load(run_id)
    if loaded is None:
        return same_or_busy(store, record.machine.address, run_id, now)
    return _not_first(store, claim_for(loaded.run, record.machine.id, now), now)


def _not_first(store: Store, operation: Operation, now: datetime) -> Operation:
    """The machine was claimed a moment ago: by this same request coming twice, or by another, which is a 409."""
    turned_away = end(operation, Outcome.NOT_STARTED, reason("OperationInFlight"), now)
    if store.operations.refuse(turned_away):
        store.queues.send(AdvanceRun(run=operation.attempt))
    return same_or_busy(store, parse_machine_id(operation.machine), operation.attempt, now)


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds()) + 1
