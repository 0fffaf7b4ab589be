"""The fleet as people ask for it: filtered pages of machines, and the summary."""

import logging
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby, islice

import msgspec
from msgspec.structs import replace

from shared.domain.errors import RequestError
from shared.domain.fleet import Summary
from shared.domain.index import Cursor, Filter, Head, Hit, Shown, find, is_wanted, reaches
from shared.domain.machine import Record
from shared.domain.messages import CountFleet
from shared.store.index import Gone
from shared.store.packs import Blocks
from shared.store.store import Store

log = logging.getLogger(__name__)
# Packs whose text is read by one call (ours): about a megabyte on the wire.
PACKS_A_CALL = 10
# Looks at an index before a reader is told to come again (ours): two rebuilds must have ended within one request.
TRIES = 3


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some machines as they were known at `as_of` or later, and where to go on. No `as_of`: there is no index yet."""

    records: tuple[Record, ...] = ()
    next: Cursor | None = None
    as_of: datetime | None = None


def list_machines(store: Store, wanted: Filter, size: int, after: Cursor | None, now: datetime) -> Page:
    """Up to `size` machines in key order, read from the index alone: what is shown is as old as the index.

    So every page of any filter costs one read for the head, one for each few packs it searches and one for each pack it
    shows machines of. A page goes on by key: it neither repeats nor skips a machine that is in the index before and
    after a rebuild. A reader of an index that is not fresh asks for a rebuild; `GET {machineId}` is never old.

    Raises RequestError 503 when the index was replaced again and again while it was read.
    """
    shown = store.index.shown()
    _ask(store, shown, now)
    for _ in range(TRIES):
        if shown.head is None:
            return Page()
        try:
            return replace(_page(store, shown.head, wanted, size, after), as_of=shown.as_of)
        except Gone:
            shown = store.index.shown()
    raise RequestError(503, "IndexChanging", "The fleet's index changed while it was read; ask again.")


def read_summary(store: Store, now: datetime) -> Summary | None:
    """The counts of the index, from one row; None before it was first built. Asks for a newer one like a page."""
    shown = store.index.shown()
    _ask(store, shown, now)
    return shown.summary


def _ask(store: Store, shown: Shown, now: datetime) -> None:
    if is_wanted(shown, now):
        store.index.ask(now)
        store.queues.send(CountFleet())


def _page(store: Store, head: Head, wanted: Filter, size: int, after: Cursor | None) -> Page:
    found = list(islice(_hits(store, head, wanted, after), size + 1))
    groups = [list(group) for _, group in groupby(found[:size], key=lambda each: each[0].name)]
    numbers = [(hits[0][0], [hit.number for _, hit in hits]) for hits in groups]
    records = store.index.records_of(head.number, numbers)
    following = found[size][1].at if len(found) > size else None
    return Page(records=tuple(records), next=following)


def _hits(store: Store, head: Head, wanted: Filter, after: Cursor | None) -> Iterator[tuple[Blocks, Hit]]:
    """What is wanted, and the pack that holds it. The first pack often fills a page; then ten are read at once."""
    packs, together = [pack for pack in head.packs if reaches(pack, wanted, after)], 1
    while packs:
        for lines in store.index.lines(head.number, packs[:together]):
            packs.pop(0)
            yield from ((lines.blocks, hit) for hit in find(lines.text, wanted, after))
        together = PACKS_A_CALL
