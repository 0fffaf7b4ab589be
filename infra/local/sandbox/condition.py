"""What a query asks of a row: values by path, how Kusto compares them, and conditions put together."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from infra.local.sandbox.http import Json

Condition = Callable[[Json], bool]


class Filter(msgspec.Struct, frozen=True):
    """`below`: what the id of a row that passes begins with, one of these, in lower case; None: with anything."""

    holds: Condition
    below: tuple[str, ...] | None = None


def finder(path: str) -> Callable[[Json], object]:
    """A column or a member inside one, by dotted path; None where there is nothing."""
    column, *members = path.split(".")
    if not members:
        return lambda row: row.get(column)

    def find(row: Json) -> object:
        value = row.get(column)
        for name in members:
            if not isinstance(value, dict):
                return None
            value = value.get(name)
        return value

    return find


def text_of(value: object) -> str:
    """How Kusto compares a dynamic value with a string."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def time_of(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def reader(path: str) -> Callable[[Json], str]:
    """What is there, as Kusto compares it."""
    find = finder(path)
    return lambda row: text_of(find(row))


def every(parts: Sequence[Filter]) -> Filter:
    if len(parts) == 1:
        return parts[0]
    tests = [part.holds for part in parts]
    below = next((part.below for part in parts if part.below is not None), None)
    return Filter(lambda row: all(test(row) for test in tests), below)


def either(parts: Sequence[Filter]) -> Filter:
    if len(parts) == 1:
        return parts[0]
    tests = [part.holds for part in parts]
    known = all(part.below is not None for part in parts)
    below = tuple(each for part in parts for each in part.below or ()) if known else None

    def holds(row: Json) -> bool:
        for test in tests:  # noqa: SIM110 - half the time of a generator, over many rows
            if test(row):
                return True
        return False

    return Filter(holds, below)


def _has(left: str, right: str) -> bool:
    """Kusto's `has`: the term stands alone between characters that are no letters or digits."""
    return re.search(rf"(?<![a-z0-9]){re.escape(right)}(?![a-z0-9])", left) is not None


OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "=~": lambda left, right: left == right,
    "!~": lambda left, right: left != right,
    "startswith": lambda left, right: left.startswith(right),
    "has": _has,
    "!has": lambda left, right: not _has(left, right),
    "contains": lambda left, right: right in left,
}
"""Of two texts in lower case: none of them looks at case."""
