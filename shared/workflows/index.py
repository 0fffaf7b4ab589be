"""Rebuilding the fleet's index: a chain of queue messages, each one step over some resource groups.

A step may come twice, late or not at all: its row says how far the rebuild is, and only the next step moves it. What a
step writes has names of its own, so of two that do the same one counts. Wishes that come meanwhile become one rebuild.
"""

import logging
import math
from collections.abc import Callable, Iterator
from datetime import datetime

import msgspec
from msgspec.structs import replace

from shared.cloud.clock import Clock
from shared.domain.fleet import count
from shared.domain.index import QUIET, Build, Cursor, begin, rest_until, row_digest
from shared.domain.machine import Record
from shared.domain.messages import CountFleet
from shared.store.index import Held
from shared.store.machines import Seen
from shared.store.packs import Packer
from shared.store.store import Store
from shared.store.table import Conflict

log = logging.getLogger(__name__)


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How much a step reads at most: resource groups and rows. It ends earlier when its pack is full.

    Ours: about 20 s at 20 ms a query, of the 300 s that a function may take (host.json).
    """

    scopes: int = 1000
    rows: int = 20_000


SHARE = Share()


def count_fleet(
    store: Store, message: CountFleet, clock: Clock, new_id: Callable[[], str], share: Share = SHARE
) -> None:
    """Begin a rebuild when one is wanted and none is under way, or take the step that the message names."""
    held = store.index.building()
    if message.build is None:
        while not _wished(store, held, clock.now()):
            held = store.index.building()
    elif held is None or held.build.number != message.build:
        log.info("index message not taken build=%d step=%s reason=superseded", message.build, message.step)
    elif message.step is None:
        _follow(store, held, clock.now())
    else:
        _step(store, held, message.step, clock, lambda: _taken(store, held.build, new_id, share))


def _wished(store: Store, held: Held | None, now: datetime) -> bool:
    """False when the rebuild moved meanwhile: read it again."""
    try:
        if held is None or (held.build.ended and not _rest(held.build, now)):
            _begin(store, held, now)
        else:
            _note(store, held, now)
    except Conflict:
        return False
    return True


def _follow(store: Store, held: Held, now: datetime) -> None:
    """The rebuild after one that has ended, when it has rested."""
    if wait := _rest(held.build, now):
        store.queues.send(CountFleet(build=held.build.number), wait)
    elif held.build.ended:
        try:
            _begin(store, held, now)
        except Conflict:
            log.info("index already begun after build=%d", held.build.number)


def _begin(store: Store, held: Held | None, now: datetime) -> None:
    begun = begin(held.build if held else None, now)
    store.index.save(held, begun)
    store.queues.send(CountFleet(build=begun.number, step=0))


def _note(store: Store, held: Held, now: datetime) -> None:
    """One more is wanted after the rebuild under way, or after the rest that follows it."""
    build = held.build
    if build.ended is None and now - build.moved >= QUIET:
        store.queues.send(CountFleet(build=build.number, step=build.step))
        store.index.save(held, replace(build, moved=now, again=True))  # one message a QUIET, however many ask
        return
    if build.ended and not build.again:
        store.queues.send(CountFleet(build=build.number), _rest(build, now))
    if not build.again:
        store.index.save(held, replace(build, again=True))


def _step(store: Store, held: Held, step: int, clock: Clock, take: Callable[[], Build]) -> None:
    """The step, when it is the next one. When it was the last one taken: what follows it, which may have been lost."""
    build: Build | None = held.build
    if held.build.step == step and held.build.ended is None:
        build = _moved(store, held, take(), clock)
    if build is None or build.step != step + 1:
        log.info("index step not taken build=%d step=%d reason=superseded", held.build.number, step)
    elif build.ended is None:
        store.queues.send(CountFleet(build=build.number, step=build.step))
    else:
        # The generation before stays: somebody may be reading it.
        store.index.forget(build.number - 2)
        if build.again:
            store.queues.send(CountFleet(build=build.number), _rest(build, clock.now()))


def _taken(store: Store, build: Build, new_id: Callable[[], str], share: Share) -> Build:
    """The rebuild after one more step, whose pack is written."""
    packer, walk = Packer(), _Walk(store, build.next or Cursor(scope=""), share)
    summary = count(build.summary, _packed(walk, packer))
    digest = None if build.digest is None else build.digest ^ walk.digest
    packs = build.packs
    if packer.machines:
        pack = packer.pack(f"{build.step:06}|{new_id()}")
        store.index.add(build.number, pack.name, packer)
        packs = (*packs, pack)
    return replace(build, step=build.step + 1, next=walk.next, packs=packs, summary=summary, digest=digest)


def _moved(store: Store, held: Held, taken: Build, clock: Clock) -> Build | None:
    """The rebuild as it is now recorded, or None when somebody else took the step."""
    now = clock.now()
    while held.build.number == taken.number and held.build.step == taken.step - 1:
        moved = replace(taken, moved=now, ended=None if taken.next else now, again=held.build.again)
        try:
            store.index.save(held, moved)
        except Conflict:
            held = store.index.building() or held
            continue
        log.info("index moved build=%d step=%d machines=%d ended=%s",
                 moved.number, moved.step, moved.summary.machines, bool(moved.ended))  # fmt: skip
        return moved
    return None


class _Walk:
    """The fleet's machines, deleted ones too, in key order; `next` is where it stopped, None at the end.

    `digest`: of the rows that were taken; who takes one adds it.
    """

    def __init__(self, store: Store, start: Cursor, share: Share) -> None:
        self._store = store
        self._start = start
        self._share = share
        self.next: Cursor | None = start
        self.digest = 0

    def __iter__(self) -> Iterator[tuple[Cursor, Seen]]:
        rows, start = 0, self._start
        for number, scope in enumerate(self._store.fleet.scopes_from(start.scope)):
            self.next = Cursor(scope=scope, row=start.row if scope == start.scope else "")
            if number == self._share.scopes:
                return
            for seen in self._store.machines.from_row(scope, self.next.row):
                self.next = Cursor(scope=scope, row=seen.row)
                if rows == self._share.rows:
                    return
                rows += 1
                yield self.next, seen
        self.next = None


def _packed(walk: _Walk, packer: Packer) -> Iterator[Record]:
    """Machines as they are packed. The one for which there is no room is not taken: the walk stops there."""
    for at, seen in walk:
        if packer.full:
            return
        walk.digest ^= row_digest(at, seen.etag)
        if seen.record.deleted is None:
            packer.add(at, seen.record)
        yield seen.record


def _rest(build: Build, now: datetime) -> int:
    """Whole seconds until the next rebuild may begin after one that has ended."""
    if build.ended is None:
        return 0
    rested = rest_until(build.ended, (build.ended - build.started).total_seconds())
    return max(0, math.ceil((rested - now).total_seconds()))
