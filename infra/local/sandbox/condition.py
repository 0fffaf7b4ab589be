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


def lookup(row: Json, path: str) -> object:
    """A column or a member inside one, by dotted path; None where there is nothing."""
    value: object = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


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
    """What `lookup` and `text_of` make of this path."""
    if "." in path:
        return lambda row: text_of(lookup(row, path))
    return lambda row: text_of(row.get(path))


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
    return Filter(lambda row: any(test(row) for test in tests), below)


def _same(left: str, right: str) -> bool:
    return left.lower() == right.lower()


def _has(left: str, right: str) -> bool:
    """Kusto's `has`: the term stands alone between characters that are no letters or digits."""
    return re.search(rf"(?<![a-z0-9]){re.escape(right.lower())}(?![a-z0-9])", left.lower()) is not None


OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "=~": _same,
    "!~": lambda left, right: not _same(left, right),
    "startswith": lambda left, right: left.lower().startswith(right.lower()),
    "has": _has,
    "!has": lambda left, right: not _has(left, right),
    "contains": lambda left, right: right.lower() in left.lower(),
}
