"""The part of Kusto that is served, and the loud refusal of the rest."""

from typing import Any

import pytest

from infra.local.sandbox.http import Refusal
from infra.local.sandbox.query import parse

COLUMNS = ("id", "name", "type", "kind", "properties")
AT = "2026-01-02T00:00:00.0000000Z"
ROWS: list[dict[str, Any]] = [
    {"id": "/a/1", "name": "Web-01", "type": "x/vms", "kind": "", "properties": {"status": "Failed", "n": {"deep": 1}}},
    {
        "id": "/a/2",
        "name": "db-02",
        "type": "x/vms/softwarepatches",
        "kind": None,
        "properties": {"status": "Succeeded"},
    },
    {
        "id": "/b/3",
        "name": "it's",
        "type": "x/arcs",
        "kind": "AWS",
        "properties": {"at": AT},
    },
]


def names(text: str) -> list[str]:
    return [row["name"] for row in parse(text, COLUMNS).evaluate(ROWS)]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("type =~ 'X/VMS'", ["Web-01"]),
        ("type !~ 'x/vms'", ["db-02", "it's"]),
        ("name in~ ('WEB-01', 'db-02')", ["Web-01", "db-02"]),
        ("id startswith '/A/'", ["Web-01", "db-02"]),
        ("name contains 'B-0'", ["Web-01", "db-02"]),
        ("type has 'softwarepatches'", ["db-02"]),
        ("type has 'softwarepatch'", []),
        ("type !has 'softwarepatches'", ["Web-01", "it's"]),
        ("properties.status =~ 'failed'", ["Web-01"]),
        ("properties.n.deep =~ '1'", ["Web-01"]),
        ("properties has 'Succeeded'", ["db-02"]),
        ("properties.nothing =~ ''", ["Web-01", "db-02", "it's"]),
        ("kind =~ ''", ["Web-01", "db-02"]),
        (r"name =~ 'it\'s'", ["it's"]),
        ("type =~ 'x/vms' or name =~ 'db-02' and kind =~ 'AWS'", ["Web-01"]),
        ("(type =~ 'x/vms' or name =~ 'db-02') and properties.status =~ 'Succeeded'", ["db-02"]),
        ("type =~ 'x/vms' | where name =~ 'other'", []),
        ("todatetime(properties.at) >= todatetime('2026-01-02T00:00:00+00:00')", ["it's"]),
        ("todatetime(properties.at) >= todatetime('2026-01-02T01:00:00.5+01:00') or name =~ 'db-02'", ["db-02"]),
    ],
)
def test_conditions(condition: str, expected: list[str]) -> None:
    assert names(f"Resources | where {condition}") == expected
    assert names(f"resources|WHERE {condition}") == expected
    query = parse(f"resources | where {condition}", COLUMNS)
    assert all(query.may_touch(row["id"]) for row in ROWS if row["name"] in expected)


@pytest.mark.parametrize(
    ("steps", "folders"),
    [
        ("where id startswith '/A/'", ["/a"]),
        ("where type =~ 'x/vms' and id startswith '/a/1'", ["/a"]),
        ("where (id startswith '/a/' or id startswith '/b/3') and name =~ 'x'", ["/a", "/b"]),
        ("where id startswith '/a/' or name =~ 'x'", ["/a", "/b", "/c"]),
        ("where id contains '/a/'", ["/a", "/b", "/c"]),
        ("where id startswith '/a/' | where id startswith '/b/'", ["/a"]),
        ("take 1 | where id startswith '/a/'", ["/a", "/b", "/c"]),
        ("project id = name | where id startswith '/a/'", ["/a", "/b", "/c"]),
    ],
)
def test_a_query_tells_where_its_rows_can_lie(steps: str, folders: list[str]) -> None:
    query = parse(f"resources | {steps}", COLUMNS)
    assert [folder for folder in ("/a", "/b", "/c") if query.may_touch(folder)] == folders


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("order by name asc", ["Web-01", "db-02", "it's"]),
        ("order by id desc", ["it's", "db-02", "Web-01"]),
        ("order by id", ["it's", "db-02", "Web-01"]),
        ("order by type asc, id desc | take 2", ["it's", "Web-01"]),
        ("limit 1", ["Web-01"]),
    ],
)
def test_order_and_number(tail: str, expected: list[str]) -> None:
    assert names(f"resources | {tail}") == expected


def test_project_keeps_renames_and_flattens() -> None:
    query = parse("resources | project id, state = properties.status, properties.n.deep | take 1", COLUMNS)
    assert query.columns == ("id", "state", "properties_n_deep")
    assert query.evaluate(ROWS) == [{"id": "/a/1", "state": "Failed", "properties_n_deep": 1}]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("resources | summarize count() by type", "summarize"),
        ("resources | extend p = properties", "extend"),
        ("resources | mv-expand properties", "mv-expand"),
        ("resources | join kind=inner (resources) on id", "join"),
        ("resources | where type == 'x/vms'", "=="),
        ("resources | where tolower(type) =~ 'x'", "tolower"),
        ("resources | where name endswith '1'", "endswith"),
        ("resources | where not(name =~ 'x')", "not"),
        ("resources | where nothing =~ 'x'", "nothing"),
        ("resources | project id | where name =~ 'x'", "name"),
        ('resources | where name =~ "x"', '"'),
        ("resources | where name =~ x", "'x'"),
        ("resources | where name =~", "the end"),
        ("resources | where (name =~ 'x'", "')'"),
        ("resources | where name in~ ()", "')'"),
        ("resources | where todatetime(name) < todatetime('2026-01-01')", ">="),
        ("resources | where todatetime(name) >= todatetime('soon')", "todatetime"),
        ("resources | take many", "many"),
        ("resources where name =~ 'x'", "where"),
        ("resources |", "the end"),
        ("", "the end"),
        ("'resources'", "resources"),
        ("resources | order name", "by"),
    ],
)
def test_everything_else_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse(text, COLUMNS)
    assert refused.value.status == 400
    assert named in refused.value.message
    assert refused.value.details[0]["code"] == "InvalidQuery"
