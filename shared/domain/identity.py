"""Which machine is which: `vmId` is its identity, the resource id its address (design, "words").

Two that exist with one vmId are two machines, cloned. One that is gone and one that came with its vmId are one machine,
moved or renamed. Another vmId at an address is another machine, re-created there.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from shared.domain.machine import Identity, Machine, Record
from shared.domain.reason import Reason, reason

# Clones of one machine that are named (ours): with resource ids of some 300 characters, half a property of storage.
MOST_CLONES = 50
_NEVER = datetime.min.replace(tzinfo=UTC)


def is_same(one: Machine, other: Machine) -> bool:
    """One machine, as far as Azure tells: an empty vmId tells nothing."""
    return not (one.vm_id and other.vm_id) or one.vm_id.lower() == other.vm_id.lower()


def touched(known: Mapping[str, Record], found: Mapping[str, Machine]) -> frozenset[str]:
    """The vmIds, in lower case, that come or go by a complete listing of one subscription; both by machine key."""
    moving = [record.machine for key, record in known.items() if not _stays(record, found.get(key))]
    moving += [machine for key, machine in found.items() if key not in known or not _stays(known[key], machine)]
    return frozenset(machine.vm_id.lower() for machine in moving if machine.vm_id)


def settle(
    known: Mapping[str, Record], found: Mapping[str, Machine], elsewhere: Iterable[Record], now: datetime
) -> list[Record]:
    """The records that a complete listing of one subscription changes, in the order in which they are to be written.

    `elsewhere`: machines of other subscriptions, gone ones too, that have or had a vmId which comes or goes here. They
    are changed first: until the subscription's own rows are written, the same listing decides the same again.
    """
    others = {record.machine.address.key: record for record in elsewhere}
    before = {**others, **known}
    after = {**before, **{key: _seen(known.get(key), machine, now) for key, machine in found.items()}}
    for key, record in known.items():
        if key not in found and record.deleted is None:
            after[key] = replace(record, deleted=now)
    _relate(after, touched(known, found))
    return [record for key, record in after.items() if record != before.get(key)]


def own_results(record: Record) -> Record:
    """Without what belongs to the machine that stood at this address before."""
    since = record.identity.recreated
    if since is None:
        return record
    return replace(
        record,
        assessment=record.assessment if record.assessment and record.assessment.started >= since else None,
        installation=record.installation if record.installation and record.installation.started >= since else None,
        refusal=record.refusal if record.refusal and record.refusal.at >= since else None,
        planned=record.planned if record.planned and record.planned >= since else None,
        watch=record.watch if record.watch and record.watch.since >= since else None,
    )


def is_plain(record: Record, machine: Machine) -> bool:
    """The machine that is known to be at its address, and nothing about its identity is new."""
    return _stays(record, machine)


def is_own(record: Record, begun: datetime) -> bool:
    """Whether what began then was for the machine that stands at this address now."""
    return record.identity.recreated is None or begun >= record.identity.recreated


def loss(record: Record, claimed: datetime) -> Reason | None:
    """Why the machine that an operation was claimed for is not at its address any more, or None."""
    if not is_own(record, claimed):
        return reason("Recreated", record.identity.predecessor)
    if record.deleted is None:
        return None
    return reason("Moved", record.identity.moved_to) if record.identity.moved_to else reason("Deleted")


def flags(record: Record) -> tuple[Reason, ...]:
    """What is to be known of who a machine is, each a reason; `detail` names the other address or vmId.

    Also that not all of its tags are kept, `detail`: how many are not.
    """
    identity, left_out = record.identity, record.machine.tags_left_out
    told = [loss(record, record.deleted)] if record.deleted else []
    told += [reason("MovedHere", identity.moved_from)] if identity.moved_from else []
    told += [reason("Cloned", ", ".join(identity.clones))] if identity.clones else []
    told += [reason("Recreated", identity.predecessor)] if identity.recreated else []
    told += [reason("TagsLeftOut", str(left_out))] if left_out else []
    return tuple(each for each in told if each)


def _stays(record: Record, machine: Machine | None) -> bool:
    """Nothing comes or goes: it was there and is there, or it was gone and is."""
    if machine is None:
        return record.deleted is not None
    return record.deleted is None and is_same(record.machine, machine) and not _is_named(record.machine, machine)


def _is_named(before: Machine, now: Machine) -> bool:
    """Azure tells its vmId for the first time."""
    return bool(now.vm_id) and not before.vm_id


def _seen(record: Record | None, machine: Machine, now: datetime) -> Record:
    if record is None:
        return Record(machine=machine)
    if not is_same(record.machine, machine):
        return Record(machine=machine, identity=Identity(recreated=now, predecessor=record.machine.vm_id))
    machine = replace(machine, vm_id=machine.vm_id or record.machine.vm_id)
    if record.deleted is None:
        return replace(record, machine=machine)
    identity = replace(record.identity, moved_to="", clones=())
    return replace(record, machine=machine, deleted=None, identity=identity)


def _relate(view: dict[str, Record], vm_ids: frozenset[str]) -> None:
    """Say of all machines with one of these vmIds how they are related."""
    sharing: dict[str, list[str]] = defaultdict(list)
    taken_over: dict[str, str] = {}
    for key, record in view.items():
        sharing[record.machine.vm_id.lower()].append(key)
        if record.identity.predecessor:
            taken_over[record.identity.predecessor.lower()] = record.machine.id
    for vm_id in sorted(vm_ids):
        alive = [key for key in sharing[vm_id] if view[key].deleted is None]
        for key in alive:
            _set(view, key, clones=_clones(view, alive, key))
        if len(alive) == 1:
            _link(view, alive[0], [key for key in sharing[vm_id] if key not in alive], taken_over.get(vm_id, ""))


def _clones(view: Mapping[str, Record], alive: Iterable[str], key: str) -> tuple[str, ...]:
    return tuple(sorted(view[other].machine.id for other in alive if other != key)[:MOST_CLONES])


def _link(view: dict[str, Record], key: str, gone: Sequence[str], taken_over: str) -> None:
    """The only one alive came from where it was last, unless that was a clone's place.

    `taken_over`: the address at which another machine was created after this one.
    """
    told = ("", view[key].machine.id)  # the second: a listing that died before it wrote this one's row
    left = [each for each in gone if not view[each].identity.clones and view[each].identity.moved_to in told]
    origin = taken_over
    if left:
        last = max(left, key=lambda each: view[each].deleted or _NEVER)
        _set(view, last, moved_to=view[key].machine.id)
        origin = view[last].machine.id
    if origin and origin != view[key].machine.id:
        _set(view, key, moved_from=origin)


def _set(view: dict[str, Record], key: str, **changes: object) -> None:
    view[key] = replace(view[key], identity=replace(view[key].identity, **changes))
