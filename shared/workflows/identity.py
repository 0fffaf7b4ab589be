"""Operations whose machine is gone, was moved, or was re-created while they were under way."""

from datetime import datetime

from shared.domain.identity import loss
from shared.domain.machine import Record
from shared.domain.resource_id import parse_machine_id
from shared.store.operations import Held
from shared.store.store import Store
from shared.workflows.sending import end_unstarted


def is_held(store: Store, record: Record) -> bool:
    """Whether an operation of ours is in flight on the machine, here or at an address that it came from."""
    return store.operations.in_flight(record.machine.address) is not None or is_held_elsewhere(store, record)


def is_held_elsewhere(store: Store, record: Record) -> bool:
    """Whether one is in flight at an address that the machine came from.

    Only what was claimed before it left: another machine may stand there by now.
    """
    seen, origin = {record.machine.address.key}, record.identity.moved_from
    while origin and parse_machine_id(origin).key not in seen:
        address = parse_machine_id(origin)
        before, held = store.machines.get(address), store.operations.in_flight(address)
        if held and (before is None or loss(before, held.operation.claimed)):
            return True
        seen.add(address.key)
        origin = before.identity.moved_from if before else ""
    return False


def ended_as_lost(store: Store, record: Record, held: Held, now: datetime) -> bool:
    """End a claim whose machine is not there any more; False when it is. Raises Conflict."""
    why = loss(record, held.operation.claimed)
    if why is None:
        return False
    end_unstarted(store, held, why, now)
    return True
