"""Which machines an assignment takes and why not the others, against a plain second reading of the same bodies."""

import itertools
import random
import time
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.assignment import Assignment, beyond_azure, matches, on_machine, on_scope, select, why_not
from shared.domain.machine import Kind, Machine, OperatingSystem
from shared.domain.resource_id import ARC_TYPE, parse_machine_id
from tests.domain.assignments import ON_GROUP, ON_VM, OTHER, body, read, scope, tags
from tests.domain.samples import ARC, NOW, SUBSCRIPTION, VM, machine, record


@pytest.mark.parametrize(
    ("assignment", "code", "detail"),
    [
        (read(body(), ON_VM), "", ""),
        (read(body(), on_machine(parse_machine_id(ARC), "a")), "NotAssigned", ARC),
        (read(body(), on_scope(OTHER, "", "a")), "OutsideScope", f"/subscriptions/{OTHER}"),
        (read(body(), on_scope(SUBSCRIPTION, "WEB", "a")), "", ""),
        (read(body(), on_scope(SUBSCRIPTION, "db", "a")), "OutsideScope", "resourceGroups/db"),
        (scope(resourceTypes=[ARC_TYPE]), "TypeNotSelected", ARC_TYPE),
        (scope(resourceGroups=["Web", "db"]), "", ""),
        (scope(resourceGroups=["db"]), "GroupNotSelected", "web; selected: db"),
        (scope(osTypes=["Linux"]), "SystemNotSelected", "Windows; selected: Linux"),
        (scope(locations=["West Europe"]), "", ""),
        (scope(locations=["WESTEUROPE"]), "", ""),
        (scope(locations=["UK South", "UK West"]), "LocationNotSelected", "westeurope; selected: UK South, UK West"),
        (tags("All", env=["Prod", "test"], RING=["0"]), "", ""),
        (tags("All", env=["prod"], ring=["1"], team=["x"]), "TagsNotSelected", "All needed; not fitting: ring, team"),
        (tags("Any", env=["prod"], ring=["1"]), "", ""),
        (tags(None, env=["prod"], ring=["1"]), "", ""),
        (tags("Any", env=["dev"], ring=["1"]), "TagsNotSelected", "none fits of: env, ring"),
        (tags("Any", empty=[""]), "", ""),
        (tags("Any", absent=[""]), "TagsNotSelected", "absent"),
    ],
)
def test_why_a_machine_is_left_out(assignment: Assignment, code: str, detail: str) -> None:
    given = replace(machine(VM.upper()), tags={"Env": "prod", "ring": "0", "empty": ""})
    why = why_not(assignment, given)
    assert (why.code if why else "") == code
    assert matches(assignment, given) == (not code)
    if why:
        assert detail.lower() in why.detail.lower()


def test_a_machine_of_unknown_system_fits_no_system() -> None:
    why = why_not(scope(osTypes=["Linux", "Windows"]), machine(os=OperatingSystem.UNKNOWN))
    assert why is not None
    assert why.code == "SystemNotSelected"


KINDS = [("Microsoft.Compute", "virtualMachines"), ("Microsoft.HybridCompute", "machines")]
PLACES = ["uksouth", "japaneast", "westeurope"]
NAMES = {"uksouth": "UK South", "japaneast": "Japan East", "westeurope": "West Europe"}


def some_machine(dice: random.Random) -> Machine:
    provider, kind = dice.choice(KINDS)
    group = dice.choice(["web", "DB", "ops"])
    found = machine(
        f"/subscriptions/{dice.choice([SUBSCRIPTION, OTHER])}/resourceGroups/{group}/providers/{provider}/{kind}/m",
        kind=Kind.ARC if kind == "machines" else Kind.AZURE_VM,
        os=dice.choice(list(OperatingSystem)),
    )
    held = {name: dice.choice(["1", "2", "Three"]) for name in dice.sample(["Env", "ring", "TEAM"], dice.randint(0, 3))}
    place = dice.choice(PLACES)
    return replace(found, location=dice.choice([place, NAMES[place]]), tags=held)


def some_filter(dice: random.Random) -> dict[str, Any]:
    """Any mix of filters, spelled in any way."""
    filters: dict[str, Any] = {}
    if dice.random() < 0.4:
        filters["resourceTypes"] = ["/".join(pair).upper() for pair in dice.sample(KINDS, dice.randint(1, 2))]
    if dice.random() < 0.4:
        filters["resourceGroups"] = dice.sample(["WEB", "db", "Ops"], dice.randint(1, 3))
    if dice.random() < 0.4:
        filters["osTypes"] = dice.sample(["linux", "WINDOWS"], dice.randint(1, 2))
    if dice.random() < 0.4:
        filters["locations"] = [dice.choice([name, NAMES[name]]) for name in dice.sample(PLACES, dice.randint(1, 3))]
    if dice.random() < 0.6:
        names = dice.sample(["env", "RING", "Team"], dice.randint(1, 3))
        wanted = {name: dice.sample(["1", "2", "three"], dice.randint(1, 2)) for name in names}
        filters["tagSettings"] = {"tags": wanted, "filterOperator": dice.choice(["All", "any"])}
    return filters


def second_reading(filters: dict[str, Any], given: Machine, subscription: str) -> bool:
    """The same question asked of the raw body, all in lower case and without blanks."""
    parts = given.id.lower().split("/")

    def has(field: str, value: str) -> bool:
        return field not in filters or value in [text.lower().replace(" ", "") for text in filters[field]]

    held = {(name.lower(), value.lower()) for name, value in given.tags.items()}
    settings = filters.get("tagSettings", {"tags": {"": [""]}, "filterOperator": "any"})
    fitting = [
        any((name.lower(), value.lower()) in held for value in values) for name, values in settings["tags"].items()
    ]
    tagged = "tagSettings" not in filters or (all if settings["filterOperator"] == "All" else any)(fitting)
    return (
        parts[2] == subscription
        and has("resourceTypes", f"{parts[6]}/{parts[7]}")
        and has("resourceGroups", parts[4])
        and has("osTypes", given.os.lower())
        and has("locations", given.location.lower().replace(" ", ""))
        and tagged
    )


def test_against_a_second_reading() -> None:
    """20,000 pairs by seed; both answers are frequent."""
    dice, taken = random.Random(4), 0
    for _ in range(400):
        filters = some_filter(dice)
        assignment = scope(**filters)
        for _ in range(50):
            given = some_machine(dice)
            expected = second_reading(filters, given, SUBSCRIPTION)
            assert matches(assignment, given) == expected, (filters, given)
            assert (why_not(assignment, given) is None) == expected
            taken += expected
    assert 2_000 < taken < 10_000


def test_the_order_of_all_and_any_over_every_pattern_of_tags() -> None:
    """Three tags, each absent, fitting or not: 27 machines for each operator."""
    for operator, judge in (("All", all), ("Any", any)):
        given = tags(operator, a=["1"], b=["1"], c=["1"])
        for pattern in itertools.product([None, "0", "1"], repeat=3):
            held = {name: value for name, value in zip("ABC", pattern, strict=True) if value is not None}
            fits = judge(value == "1" for value in pattern)
            assert matches(given, replace(machine(), tags=held)) == fits, (operator, pattern)


def test_every_machine_is_chosen_or_has_a_reason() -> None:
    linux, group = scope(osTypes=["Linux"]), read(body(), ON_GROUP)
    static = read(body(), on_machine(parse_machine_id(ARC), "a"))
    elsewhere = machine(f"/subscriptions/{OTHER}/resourceGroups/x/providers/Microsoft.Compute/virtualMachines/y")
    gone = replace(record(machine(VM.replace("vm1", "gone"))), deleted=NOW)
    records = [record(), record(machine(ARC, os=OperatingSystem.LINUX)), record(elsewhere), gone]
    found = select([linux, group, static], records)
    assert found.chosen == {
        VM.lower(): (group.id,),
        ARC.lower(): (linux.id, group.id, static.id),
    }
    assert {key.split("/")[-1]: why.code for key, why in found.left_out.items()} == {
        "y": "OutsideScope",
        "gone": "Deleted",
    }
    near = select([static, linux], [record()])
    assert near.left_out[VM.lower()].code == "SystemNotSelected", "the reason that says most"
    assert select([], [record()]).left_out[VM.lower()].code == "Unassigned"


def test_azures_recommendations_are_named_not_enforced() -> None:
    many = [record(machine(VM.replace("vm1", f"vm{number}"))) for number in range(1_001)]
    given = [scope()]
    assert beyond_azure(given, select(given, many[:1_000])) == []
    assert beyond_azure(given, select(given, many)) == [
        "1001 machines in one dynamic scope; Azure recommends at most 1000."
    ]
    scopes = [read(body(), on_scope(f"sub{number}", "", "a")) for number in range(201)]
    said = beyond_azure(scopes, select(scopes, []))
    assert [text.split(";")[0] for text in said] == [
        "201 dynamic scopes of one configuration",
        "201 subscriptions over the dynamic scopes of one configuration",
    ]


def test_ten_thousand_machines_against_twenty_scopes_are_quick() -> None:
    dice = random.Random(5)
    records = [record(replace(some_machine(dice), id=f"{some_machine(dice).id}{number}")) for number in range(10_000)]
    scopes = [scope(**some_filter(dice)) for _ in range(20)]
    began = time.process_time()
    found = select(scopes, records)
    assert time.process_time() - began < 5
    assert len(found.chosen) + len(found.left_out) == 10_000
