"""The fleet's index: what can be asked of it, how a machine is written in it to be found, and when it is rebuilt.

Machines stand in key order (resource group, then row), many to a pack. A pack's text has one line a machine, its row
key and its terms, between marks that no term contains: a filter is a search for a few substrings.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import blake2b

import msgspec
from msgspec.structs import replace

from shared.domain.fleet import Summary, status_of
from shared.domain.machine import Record
from shared.domain.resource_id import encode_key

# A rebuild may begin after a pause of so many times what the last one took: it never costs more than a fifth of the
# time (ours), and the pause ends here (ours), so that no fleet is too large to be fresh.
REST, LONGEST_REST = 4, timedelta(minutes=15)
# A reader asks for a rebuild when what it shows is older than this, and again when none came (ours).
FRESH, ASK_AGAIN = timedelta(seconds=2), timedelta(seconds=10)
# A rebuild that has not moved for this long may have lost its message: whoever comes then sends it again, which is
# harmless when it was not lost (ours: less than the 30 s after which the host delivers a failed message again).
QUIET = timedelta(seconds=20)
# Names of tags that a pack's entry in the head tells (ours): some 2 KiB at most. A pack with more of them tells none.
MOST_TAG_NAMES = 100

_SCOPE, _LINE, _TERM, _IS = "\x1d", "\n", "\t", "\x1f"
_MARKS = str.maketrans({mark: f"\x1b{ord(mark):02x}" for mark in (_SCOPE, _LINE, _TERM, _IS, "\x1b")})


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which machines to show; empty means any. Compared without case, as Azure does; tags `name` or `name=value`."""

    subscription: str = ""
    group: str = ""
    kind: str = ""
    os: str = ""
    status: str = ""
    tags: tuple[str, ...] = ()


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """A place in key order: a resource group's key and a row in it. It stays right whatever comes and goes."""

    scope: str
    row: str = ""

    @property
    def order(self) -> tuple[bytes, bytes]:
        """To compare as storage does, which sorts UTF-16."""
        return _order(self.scope), _order(self.row)


class Facet(msgspec.Struct, frozen=True, order=True):
    """Kind, system and status that some machine of a pack has together, in lower case."""

    kind: str
    os: str
    status: str


class Pack(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the index: its name and the machines from `first` to `last`, and what is among them.

    `tags`: names in lower case. None: not known, so that the pack has to be read.
    """

    name: str
    first: Cursor
    last: Cursor
    machines: int
    facets: tuple[Facet, ...] | None = None
    tags: tuple[str, ...] | None = None


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A machine found: its number in its pack, and its key."""

    number: int
    at: Cursor


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """A whole index. `as_of`: nothing in it is older than this; it was complete `seconds` later.

    `digest`: of the rows that it was made of (`row_digest`), together; another one says that a row has come, gone or
    changed. None: an older version made it.
    """

    number: int
    as_of: datetime
    seconds: float
    packs: tuple[Pack, ...]
    summary: Summary
    digest: int | None = None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What readers find: the index; when one of them asked for a newer one since it was made, last; and when all rows
    were read and were found as it has them, last.
    """

    head: Head | None = None
    asked: datetime | None = None
    confirmed: datetime | None = None

    @property
    def as_of(self) -> datetime | None:
        """Nothing that is shown is older than this."""
        return max(self.head.as_of, self.confirmed or self.head.as_of) if self.head else None

    @property
    def summary(self) -> Summary | None:
        """The counts, with the instant that they are from."""
        return replace(self.head.summary, at=self.as_of) if self.head else None


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """A rebuild: what it has after `step` steps, and where it goes on, if it does. `again`: one more is wanted then."""

    number: int
    started: datetime
    moved: datetime
    step: int = 0
    next: Cursor | None = Cursor(scope="")
    packs: tuple[Pack, ...] = ()
    summary: Summary
    digest: int | None = None
    ended: datetime | None = None
    again: bool = False


def begin(before: Build | None, now: datetime) -> Build:
    """The next rebuild, which has read nothing yet."""
    return Build(number=before.number + 1 if before else 1, started=now, moved=now, summary=Summary(at=now), digest=0)


def finish(build: Build) -> Head:
    """The index that a rebuild has made. Raises ValueError for one that has not ended."""
    if build.ended is None:
        raise ValueError(f"The rebuild {build.number} has not ended.")
    seconds = (build.ended - build.started).total_seconds()
    return Head(
        number=build.number,
        as_of=build.started,
        seconds=seconds,
        packs=build.packs,
        summary=build.summary,
        digest=build.digest,
    )


def row_digest(at: Cursor, etag: str) -> int:
    """A number of 64 bits for one state of one row. Those of many rows, in any order, are put together by XOR."""
    return int.from_bytes(blake2b(f"{at.scope}{_SCOPE}{at.row}{_SCOPE}{etag}".encode(), digest_size=8).digest())


def rest_until(ended: datetime, seconds: float) -> datetime:
    """When the next rebuild may begin after one that took so long."""
    return ended + min(LONGEST_REST, timedelta(seconds=REST * seconds))


def is_wanted(shown: Shown, now: datetime) -> bool:
    """Whether a reader who finds this asks for a rebuild."""
    head, as_of = shown.head, shown.as_of
    if shown.asked and now - shown.asked < ASK_AGAIN:
        return False
    if head is None or as_of is None:
        return True
    rested = rest_until(head.as_of + timedelta(seconds=head.seconds), head.seconds)
    return now >= max(rested, as_of + FRESH)


def scope_line(scope: str) -> str:
    """What begins a resource group in a pack's text."""
    return f"{_SCOPE}{scope}"


def machine_line(row: str, record: Record, facet: Facet) -> str:
    """What stands for a machine in a pack's text, after its resource group's line."""
    machine = record.machine
    fields = {"kind": facet.kind, "os": facet.os, "status": facet.status}
    terms = [_field(name, value) for name, value in fields.items()]
    terms += [f"{_tag(name)}{_plain(value)}" for name, value in machine.tags.items()]
    return f"{_LINE}{row}{_TERM}{_TERM.join(terms)}{_TERM}"


def facet_of(record: Record) -> Facet:
    machine = record.machine
    return Facet(machine.kind.lower(), machine.os.lower(), status_of(record)[0].lower())


def reaches(pack: Pack, wanted: Filter, after: Cursor | None) -> bool:
    """Whether a pack may hold machines that are wanted, judged without reading it."""
    if after and pack.last.order < after.order:
        return False
    if not (_has_facet(pack, wanted) and _has_tags(pack, wanted)):
        return False
    if not wanted.subscription:
        return True
    begins, ends = (_order(f"{encode_key(wanted.subscription)}{end}") for end in "|}")
    return _order(pack.last.scope) >= begins and _order(pack.first.scope) < ends


def _has_facet(pack: Pack, wanted: Filter) -> bool:
    if pack.facets is None:
        return True
    asked = [each.lower() for each in (wanted.kind, wanted.os, wanted.status)]
    return any(
        all(not word or word == has for word, has in zip(asked, (each.kind, each.os, each.status), strict=True))
        for each in pack.facets
    )


def _has_tags(pack: Pack, wanted: Filter) -> bool:
    names = {tag.partition("=")[0].lower() for tag in wanted.tags}
    return pack.tags is None or names.issubset(pack.tags)


def find(text: str, wanted: Filter, after: Cursor | None) -> Iterator[Hit]:
    """The machines of a pack's text that are wanted, from `after` on, in key order."""
    terms, number = _terms(wanted), 0
    if not all(term in text for term in terms):
        return
    for part in text.split(_SCOPE)[1:]:
        scope, _, rest = part.partition(_LINE)
        if _is_in(scope, wanted) and all(term in rest for term in terms):
            lines = rest.split(_LINE)
            places: list[int] = list(range(_skipped(scope, lines, after), len(lines)))
            for term in terms:
                places = [place for place in places if term in lines[place]]
            for place in places:
                yield Hit(number=number + place, at=Cursor(scope=scope, row=_row(lines[place])))
        number += part.count(_LINE)


def _skipped(scope: str, lines: list[str], after: Cursor | None) -> int:
    """How many lines of a resource group come before `after`."""
    if after is None or _order(scope) > _order(after.scope):
        return 0
    if scope != after.scope:
        return len(lines)
    first = _order(after.row)
    return sum(_order(_row(line)) < first for line in lines)


def _is_in(scope: str, wanted: Filter) -> bool:
    begins = f"{encode_key(wanted.subscription)}|" if wanted.subscription else ""
    return scope.startswith(begins) and scope.endswith(f"|{encode_key(wanted.group)}" if wanted.group else "")


def _terms(wanted: Filter) -> list[str]:
    """What the line of a machine that is wanted contains, the most telling first: tags."""
    terms = [f"{_TERM}{_wanted_tag(tag)}" for tag in wanted.tags]
    fields = {"status": wanted.status, "kind": wanted.kind, "os": wanted.os}
    return [*terms, *(f"{_TERM}{_field(name, value)}{_TERM}" for name, value in fields.items() if value)]


def _wanted_tag(wanted: str) -> str:
    name, equals, value = wanted.partition("=")
    return f"{_tag(name)}{_plain(value)}{_TERM}" if equals else _tag(name)


def _field(name: str, value: str) -> str:
    return f"{name}{_IS}{_plain(value)}"


def _tag(name: str) -> str:
    """Begins unlike any field: a tag may be called `os`."""
    return f"{_IS}{_plain(name)}{_IS}"


def _plain(text: str) -> str:
    lower = text.lower()
    return lower if lower.isprintable() else lower.translate(_MARKS)  # no mark is printable


def _row(line: str) -> str:
    return line[: line.index(_TERM)]


def _order(text: str) -> bytes:
    return text.encode("utf-16-be")
