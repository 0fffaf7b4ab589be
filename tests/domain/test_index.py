"""The index: a search of its text against reading every machine, key order, and when a rebuild is wanted."""

from collections.abc import Iterator
from datetime import timedelta
from random import Random

import pytest
from msgspec.structs import replace

from shared.domain.fleet import Status, Summary, count, status_of, summarise
from shared.domain.index import (
    ASK_AGAIN,
    FRESH,
    LONGEST_REST,
    REST,
    Cursor,
    Filter,
    Head,
    Pack,
    Shown,
    begin,
    facet_of,
    find,
    finish,
    is_wanted,
    machine_line,
    reaches,
    rest_until,
    row_digest,
    scope_line,
)
from shared.domain.machine import Kind, OperatingSystem, Outcome, Record
from shared.domain.reason import reason
from shared.domain.resource_id import MachineId, parse_machine_id
from tests.domain.samples import NOW, assessment, machine, minutes, record

NAMES = (
    "env",
    "Env2",
    "OS",
    "kind",
    "a b",
    "x=y",
    "tab\there",
    "line\nbreak",
    "mark\x1f",
    "scope\x1d",
    "esc\x1b",
    "Straße",
)
VALUES = ("", "prod", "PROD", "linux", "prod\tx", "a\nb", "\x1f", "\x1d", "\x1b1f", "x=y", "ÄÖ", "日本")
SUBSCRIPTIONS, GROUPS = ("s1", "s10", "S2"), ("web", "Web|x", "web2", "ä", "xweb")


def draw_record(random: Random, number: int) -> Record:
    arc = random.random() < 0.4
    provider = "Microsoft.HybridCompute/machines" if arc else "Microsoft.Compute/virtualMachines"
    address = MachineId(
        subscription=random.choice(SUBSCRIPTIONS), group=random.choice(GROUPS), type=provider, name=f"m{number}"
    )
    tags = {name: random.choice(VALUES) for name in random.sample(NAMES, random.randrange(4))}
    kind = random.choice((Kind.ARC, Kind.AWS)) if arc else Kind.AZURE_VM
    of = replace(machine(str(address), kind=kind, os=random.choice(list(OperatingSystem))), tags=tags)
    look = assessment(
        random.choice(list(Outcome)), counts={"critical": random.randrange(2)}, reboot=random.random() < 0.2
    )
    return record(of, assessment=look if random.random() < 0.8 else None)


def draw_filter(random: Random) -> Filter:
    """Most parts empty; some that nothing has; spelled in any case."""

    def maybe(*words: str) -> str:
        return random.choice(words).swapcase() if random.random() < 0.3 else ""

    tags = [
        random.choice(NAMES).upper() + random.choice(("", f"={random.choice(VALUES)}"))
        for _ in range(random.randrange(3))
    ]
    return Filter(
        subscription=maybe(*SUBSCRIPTIONS, "s"),
        group=maybe(*GROUPS, "eb"),
        kind=maybe(*Kind),
        os=maybe(*OperatingSystem),
        status=maybe(*Status),
        tags=tuple(tags) if random.random() < 0.4 else (),
    )


def matches(of: Record, wanted: Filter) -> bool:
    """What a filter means, said of one machine."""
    known, address = of.machine, parse_machine_id(of.machine.id)
    pairs = [
        (wanted.subscription, address.subscription),
        (wanted.group, address.group),
        (wanted.kind, known.kind),
        (wanted.os, known.os),
        (wanted.status, status_of(of)[0]),
    ]
    tags = {name.lower(): value.lower() for name, value in known.tags.items()}
    return all(not text or text.lower() == value.lower() for text, value in pairs) and all(
        name in tags and (not equals or tags[name] == value)
        for name, equals, value in (tag.lower().partition("=") for tag in wanted.tags)
    )


def at(of: Record) -> Cursor:
    return Cursor(scope=of.machine.address.scope, row=of.machine.address.row)


def written(fleet: list[Record]) -> str:
    """A pack's text; the machines come in key order."""
    text, scope = "", ""
    for each in fleet:
        text += scope_line(at(each).scope) if at(each).scope != scope else ""
        text += machine_line(at(each).row, each, facet_of(each))
        scope = at(each).scope
    return text


def drawn(seed: int, size: int = 60) -> tuple[Random, list[Record]]:
    random = Random(seed)
    return random, sorted((draw_record(random, number) for number in range(size)), key=lambda each: at(each).order)


@pytest.mark.parametrize("seed", range(40))
def test_a_search_finds_what_reading_every_machine_finds(seed: int) -> None:
    random, fleet = drawn(seed)
    text = written(fleet)
    for _ in range(60):
        wanted = draw_filter(random)
        after = at(random.choice(fleet)) if random.random() < 0.5 else None
        expected = [
            (number, at(each))
            for number, each in enumerate(fleet)
            if matches(each, wanted) and (after is None or at(each).order >= after.order)
        ]
        assert [(hit.number, hit.at) for hit in find(text, wanted, after)] == expected


def test_the_search_finds_something() -> None:
    """The filters drawn above are neither all empty nor all too narrow."""
    random, fleet = drawn(1, 400)
    found = [sum(matches(each, wanted) for each in fleet) for wanted in (draw_filter(random) for _ in range(300))]
    assert sum(0 < each < 400 for each in found) > 100


@pytest.mark.parametrize(
    "place", [Cursor(scope="s1|web", row="vm|"), Cursor(scope="s1|w"), Cursor(scope="s9", row="x")]
)
def test_a_place_where_no_machine_is(place: Cursor) -> None:
    """It left, or its resource group did: the search goes on with the next."""
    _, fleet = drawn(3)
    expected = [at(each) for each in fleet if at(each).order >= place.order]
    assert [hit.at for hit in find(written(fleet), Filter(), place)] == expected


def test_order_is_that_of_storage() -> None:
    """UTF-16: a letter beyond the basic plane comes before U+FFxx, which Python sorts the other way."""
    late, early = Cursor(scope="s|\uff41"), Cursor(scope="s|\U0001d400")
    assert early.order < late.order
    assert not early.scope < late.scope
    assert Cursor(scope="s", row="z").order < Cursor(scope="s2", row="a").order


def packs_of(fleet: list[Record], size: int) -> Iterator[tuple[Pack, list[Record]]]:
    for start in range(0, len(fleet), size):
        part = fleet[start : start + size]
        facets = tuple({facet_of(each) for each in part})
        tags = tuple({name.lower() for each in part for name in each.machine.tags})
        ends = {"first": at(part[0]), "last": at(part[-1])}
        yield Pack(name=f"{start}", machines=len(part), facets=facets, tags=tags, **ends), part


@pytest.mark.parametrize("seed", range(20))
def test_a_pack_that_holds_what_is_wanted_is_reached(seed: int) -> None:
    random, fleet = drawn(seed)
    for _ in range(50):
        wanted, after = draw_filter(random), at(random.choice(fleet)) if random.random() < 0.5 else None
        for pack, part in packs_of(fleet, random.randrange(1, 20)):
            if any(find(written(part), wanted, after)):
                assert reaches(pack, wanted, after)


def test_packs_of_other_subscriptions_are_not_read() -> None:
    """Nor those before the place where a page goes on."""
    _, fleet = drawn(5, 300)
    packs = [pack for pack, _ in packs_of(fleet, 10)]
    of_one = [pack for pack in packs if reaches(pack, Filter(subscription="S1"), None)]
    assert 0 < len(of_one) < len(packs) * 0.6
    assert [pack.last.scope < "s1|" or pack.first.scope >= "s1}" for pack in of_one] == [False] * len(of_one)
    assert [pack for pack in packs if reaches(pack, Filter(), packs[7].first)] == packs[7:]


def test_packs_in_which_nobody_is_wanted_are_not_read() -> None:
    """Judged by kind, system and status together, and by the names of tags; what is not known has to be read."""
    _, fleet = drawn(6, 300)
    packs = [pack for pack, _ in packs_of(fleet, 3)]
    both = Filter(kind="aws", os="LINUX", status="AssessmentFailed")
    read = [pack for pack in packs if reaches(pack, both, None)]
    assert 0 < len(read) < len(packs) * 0.3
    assert not any(reaches(pack, Filter(tags=("nobody=has this",)), None) for pack in packs)
    assert 0 < sum(reaches(pack, Filter(tags=("ENV=x", "os")), None) for pack in packs) < len(packs) * 0.5
    unknown = replace(packs[0], facets=None, tags=None)
    assert reaches(unknown, both, None)
    assert reaches(unknown, Filter(tags=("nobody",)), None)


def head(*, seconds: float = 0) -> Head:
    return Head(number=1, as_of=NOW, seconds=seconds, packs=(), summary=Summary(at=NOW))


def test_a_fresh_index_is_left_alone() -> None:
    assert not is_wanted(Shown(head=head()), NOW)
    assert not is_wanted(Shown(head=head()), NOW + FRESH - timedelta(milliseconds=1))
    assert is_wanted(Shown(head=head()), NOW + FRESH)


def test_a_confirmed_index_is_as_new_as_that() -> None:
    shown = Shown(head=head(), confirmed=NOW + minutes(9))
    assert (shown.as_of, shown.summary) == (NOW + minutes(9), Summary(at=NOW + minutes(9)))
    assert not is_wanted(shown, NOW + minutes(9) + FRESH - timedelta(milliseconds=1))
    assert is_wanted(shown, NOW + minutes(9) + FRESH)
    assert Shown(head=head(), confirmed=NOW - minutes(9)).as_of == NOW
    assert (Shown(confirmed=NOW).as_of, Shown(confirmed=NOW).summary) == (None, None)


def test_who_only_confirms_needs_no_rest() -> None:
    """A rebuild of a minute is followed by four of rest; they were over long before."""
    assert is_wanted(Shown(head=head(seconds=60), confirmed=NOW + minutes(30)), NOW + minutes(30) + FRESH)


def test_no_index_is_asked_for() -> None:
    assert is_wanted(Shown(head=None), NOW)


def test_readers_ask_once_in_a_while() -> None:
    old = NOW + minutes(60)
    for shown in (head(), None):
        assert not is_wanted(Shown(head=shown, asked=old), old + ASK_AGAIN - timedelta(milliseconds=1))
        assert is_wanted(Shown(head=shown, asked=old), old + ASK_AGAIN)


def test_a_rebuild_that_takes_long_is_followed_by_a_rest() -> None:
    """A fifth of the time at most is spent on rebuilding, and no rest is longer than its limit."""
    took = 30.0
    rested = NOW + timedelta(seconds=took + REST * took)
    assert not is_wanted(Shown(head=head(seconds=took)), rested - timedelta(milliseconds=1))
    assert is_wanted(Shown(head=head(seconds=took)), rested)
    assert rest_until(NOW, 0) == NOW
    assert rest_until(NOW, 1e6) == NOW + LONGEST_REST


def test_generations_follow_one_another() -> None:
    first = begin(None, NOW)
    assert (first.number, first.step, first.started, first.packs) == (1, 0, NOW, ())
    with pytest.raises(ValueError, match="has not ended"):
        finish(first)
    ended = replace(first, ended=NOW + minutes(2), summary=Summary(at=NOW, machines=3))
    assert finish(ended) == Head(number=1, as_of=NOW, seconds=120, packs=(), summary=ended.summary, digest=0)
    second = begin(replace(ended, again=True), NOW + minutes(5))
    assert (second.number, second.started, second.again, second.ended) == (2, NOW + minutes(5), False, None)


def test_a_rows_digest_is_of_one_state_of_one_row() -> None:
    """Rows that were written together may have one ETag: they do not cancel each other."""
    places = [Cursor(scope=scope, row=row) for scope in ("a", "b", "ab") for row in ("", "1", "b1")]
    digests = [row_digest(place, etag) for place in places for etag in ("", "x", "1x")]
    assert len(set(digests)) == len(digests)
    assert all(0 < each < 2**64 for each in digests)


def test_counting_in_parts_is_counting_at_once() -> None:
    _, fleet = drawn(7, 200)
    fleet = [replace(each, deleted=NOW) if number % 7 == 0 else each for number, each in enumerate(fleet)]
    fleet += [replace(fleet[1], assessment=replace(assessment(Outcome.FAILED), reason=reason("AssessmentFailed")))]
    so_far = Summary(at=NOW)
    for start in range(0, len(fleet), 11):
        so_far = count(so_far, fleet[start : start + 11])
    assert so_far == summarise(fleet, NOW)
    assert so_far.machines == sum(each.deleted is None for each in fleet)
