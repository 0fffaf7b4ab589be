"""Which machine is which, after a complete listing: moved, renamed, deleted, re-created, cloned, and back again."""

from itertools import permutations

import pytest
from msgspec.structs import replace

from shared.domain.identity import MOST_CLONES, flags, is_own, loss, own_results, settle, touched
from shared.domain.machine import Identity, Machine, Outcome, Record, Refusal
from shared.domain.reason import reason
from tests.domain.samples import NOW, SUBSCRIPTION, VM, assessment, installation, machine, minutes

LATER, LAST = NOW + minutes(60), NOW + minutes(120)
ELSEWHERE = VM.replace(SUBSCRIPTION, "99999999-2222-3333-4444-555555555555")


def at(name: str, vm_id: str = "v", *, id_: str = VM) -> Machine:
    return replace(machine(id_.replace("vm1", name)), vm_id=vm_id)


def keyed(*machines: Machine) -> dict[str, Machine]:
    return {each.address.key: each for each in machines}


class Book:
    """What is remembered of one subscription, and of others, over several listings."""

    def __init__(self) -> None:
        self.known: dict[str, Record] = {}
        self.elsewhere: dict[str, Record] = {}

    def list(self, *machines: Machine, now: object = NOW) -> list[Record]:
        changed = settle(self.known, keyed(*machines), list(self.elsewhere.values()), now)  # type: ignore[arg-type]
        for record in changed:
            key = record.machine.address.key
            (self.elsewhere if key in self.elsewhere else self.known)[key] = record
        return changed

    def __getitem__(self, of: Machine) -> Record:
        return (self.known | self.elsewhere)[of.address.key]


@pytest.fixture
def book() -> Book:
    return Book()


def codes(record: Record) -> list[str]:
    return [each.code for each in flags(record)]


def test_what_has_not_changed_is_not_written(book: Book) -> None:
    one, two = at("one", "a"), at("two", "b")
    assert [record.machine for record in book.list(one, two)] == [one, two]
    assert book.list(one, two, now=LATER) == []
    off = replace(two, connection="stopped")
    assert book.list(one, off, now=LATER) == [Record(machine=off)]
    assert touched(book.known, keyed(one, off)) == frozenset()


def test_a_deleted_machine_stays_with_its_time(book: Book) -> None:
    one = at("one")
    book.list(one)
    book.list(now=LATER)
    assert book[one] == Record(machine=one, deleted=LATER)
    assert codes(book[one]) == ["Deleted"]
    assert book.list(now=LAST) == []


def test_gone_here_and_come_there_is_moved(book: Book) -> None:
    old, new = at("old"), at("new", "V")
    book.list(old)
    book.list(new, now=LATER)
    assert book[old].identity == Identity(moved_to=new.id)
    assert book[old].deleted == LATER
    assert book[new] == Record(machine=new, identity=Identity(moved_from=old.id))
    assert (codes(book[old]), codes(book[new])) == (["Moved"], ["MovedHere"])
    assert flags(book[old])[0].detail == new.id


def test_it_is_moved_also_when_it_comes_long_after_it_went(book: Book) -> None:
    old, new = at("old"), at("new")
    book.list(old)
    book.list(now=LATER)
    book.list(new, now=LAST)
    assert (book[old].deleted, book[old].identity.moved_to) == (LATER, new.id)
    assert book[new].identity.moved_from == old.id


def test_each_move_is_linked_to_the_place_before(book: Book) -> None:
    first, second, third = at("first"), at("second"), at("third")
    for step, place in enumerate((first, second, third)):
        book.list(place, now=NOW + minutes(step))
    links = [(book[each].identity.moved_from, book[each].identity.moved_to) for each in (first, second, third)]
    assert links == [("", second.id), (first.id, third.id), (second.id, "")]


def test_a_machine_that_comes_back_is_moved_no_more(book: Book) -> None:
    here, there = at("here"), at("there")
    book.list(here)
    book.known[here.address.key] = replace(book[here], assessment=assessment())
    book.list(there, now=LATER)
    book.list(here, now=LAST)
    assert book[here] == Record(machine=here, assessment=assessment(), identity=Identity(moved_from=there.id))
    assert (book[there].deleted, book[there].identity.moved_to) == (LAST, here.id)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_all_that_exist_with_one_vm_id_are_clones(book: Book, order: tuple[int, ...]) -> None:
    three = [at(f"vm{number}") for number in range(3)]
    for count in range(1, 4):
        book.list(*(three[number] for number in order[:count]))
    for each in three:
        assert book[each].identity == Identity(clones=tuple(sorted(other.id for other in three if other != each)))
        assert codes(book[each]) == ["Cloned"]


def test_of_many_clones_some_are_named(book: Book) -> None:
    many = [at(f"vm{number:03}") for number in range(MOST_CLONES + 20)]
    book.list(*many)
    assert book[many[0]].identity.clones == tuple(each.id for each in many[1 : MOST_CLONES + 1])
    assert book[many[-1]].identity.clones == tuple(each.id for each in many[:MOST_CLONES])
    assert book.list(*reversed(many), now=LATER) == []


def test_tags_that_are_not_kept_are_said_so() -> None:
    told = flags(Record(machine=replace(machine(), tags_left_out=3)))
    assert [(each.code, each.detail) for each in told] == [("TagsLeftOut", "3")]


def test_a_clone_that_goes_was_not_moved(book: Book) -> None:
    one, two = at("one"), at("two")
    book.list(one, two)
    book.list(one, now=LATER)
    assert book[one] == Record(machine=one)
    assert codes(book[two]) == ["Deleted", "Cloned"]
    assert book[two].identity.moved_to == ""


def test_another_vm_id_at_an_address_is_another_machine(book: Book) -> None:
    before, after = at("vm1", "before"), at("vm1", "after")
    book.list(before)
    book.known[before.address.key] = replace(
        book[before],
        assessment=assessment(),
        installation=installation(),
        refusal=Refusal(at=NOW, reason=reason("Unsent")),
    )
    book.list(after, now=LATER)
    assert book[after] == Record(machine=after, identity=Identity(recreated=LATER, predecessor="before"))
    assert codes(book[after]) == ["Recreated"]


def test_re_created_where_one_was_deleted(book: Book) -> None:
    before, after = at("vm1", "before"), at("vm1", "after")
    book.list(before)
    book.list(now=LATER)
    book.list(after, now=LAST)
    assert book[after] == Record(machine=after, identity=Identity(recreated=LAST, predecessor="before"))


def test_moved_away_and_another_created_in_its_place(book: Book) -> None:
    """In one listing, and when the new place is seen later."""
    before, after, moved = at("vm1", "before"), at("vm1", "after"), at("away", "before")
    book.list(before)
    book.list(after, now=LATER)
    book.list(after, moved, now=LAST)
    assert book[moved].identity == Identity(moved_from=before.id)
    assert book[after].identity == Identity(recreated=LATER, predecessor="before")
    other = Book()
    other.list(before)
    other.list(after, moved, now=LATER)
    assert (other[moved].identity, other[after].identity) == (book[moved].identity, book[after].identity)


def test_moved_from_another_subscription(book: Book) -> None:
    old, new = at("vm1", id_=ELSEWHERE), at("vm1")
    book.elsewhere[old.address.key] = Record(machine=old, deleted=NOW)
    changed = book.list(new, now=LATER)
    assert [record.machine for record in changed] == [old, new], "its own row last"
    assert (book[old].identity.moved_to, book[new].identity.moved_from) == (new.id, old.id)


def test_a_clone_in_another_subscription(book: Book) -> None:
    there, here = at("vm1", id_=ELSEWHERE), at("vm1")
    book.elsewhere[there.address.key] = Record(machine=there)
    book.list(here)
    assert (book[there].identity.clones, book[here].identity.clones) == ((here.id,), (there.id,))
    book.list(now=LATER)
    assert book[there].identity.clones == ()


def test_gone_here_while_its_new_place_is_known_already(book: Book) -> None:
    """The listing that saw it there died before it could say so here."""
    old, new = at("vm1"), at("vm1", id_=ELSEWHERE)
    book.list(old)
    book.elsewhere[new.address.key] = Record(machine=new)
    book.list(now=LATER)
    assert (book[old].identity.moved_to, book[new].identity.moved_from) == (new.id, old.id)


def test_no_vm_id_says_nothing(book: Book) -> None:
    one, two = at("one", ""), at("two", "")
    book.list(one, two)
    assert {book[each].identity for each in (one, two)} == {Identity()}
    named = at("one", "v")
    book.list(named, two, now=LATER)
    assert book[named] == Record(machine=named)
    book.list(one, two, now=LAST)
    assert book[one].machine.vm_id == "v", "once told, it is not forgotten"


def test_a_listing_that_died_half_way_decides_the_same_again() -> None:
    """Whichever of its rows were written."""
    old, new, clone, twin = at("old", "a"), at("new", "a"), at("clone", "b"), at("twin", "b")
    whole = Book()
    whole.list(old, clone)
    before = dict(whole.known)
    changed = whole.list(new, clone, twin, now=LATER)
    assert len(changed) == 4
    for written in range(len(changed)):
        book = Book()
        book.known = before | {record.machine.address.key: record for record in changed[:written]}
        book.list(new, clone, twin, now=LATER)
        assert book.known == whole.known


def test_results_of_the_one_before_are_not_its_own() -> None:
    again = Record(machine=machine(), identity=Identity(recreated=LATER, predecessor="before"))
    old, new = assessment(ended=LATER + minutes(1)), assessment(ended=LATER + minutes(5))
    assert own_results(replace(again, assessment=old)) == again, "it started before"
    assert own_results(replace(again, assessment=new)).assessment == new
    work = installation(Outcome.SUCCEEDED, ended=LATER + minutes(10))
    refusal = Refusal(at=NOW, reason=reason("Unsent"))
    assert own_results(replace(again, installation=work, refusal=refusal, planned=NOW)) == again
    kept = Record(machine=machine(), assessment=old, installation=work, refusal=refusal, planned=NOW)
    assert own_results(kept) == kept


def test_why_the_machine_of_an_operation_is_not_there() -> None:
    gone = Record(machine=machine(), deleted=LATER)
    moved = replace(gone, identity=Identity(moved_to=ELSEWHERE))
    again = Record(machine=machine(), identity=Identity(recreated=LATER, predecessor="before"))
    assert [loss(each, NOW) for each in (gone, moved, again, Record(machine=machine()))] == [
        reason("Deleted"),
        reason("Moved", ELSEWHERE),
        reason("Recreated", "before"),
        None,
    ]
    assert loss(again, LATER) is None
    assert (is_own(again, NOW), is_own(again, LATER)) == (False, True)
