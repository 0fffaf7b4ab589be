"""Parses the part of Kusto that the app's Resource Graph queries use; everything else is refused by name."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

import msgspec

from infra.local.sandbox.condition import OPERATORS, Condition, Filter, either, every, finder, reader, time_of
from infra.local.sandbox.http import Json, Refusal

_TOKEN = re.compile(r"\s*(?:'((?:[^'\\]|\\.)*)'|(in~|![A-Za-z]+|[A-Za-z_$][\w$.-]*|\d+|[=!<>~]+|\S))")


class Stage(msgspec.Struct, frozen=True):
    """One step after the table: rows in, rows out."""

    run: Callable[[list[Json]], list[Json]]


class Query(msgspec.Struct, frozen=True):
    """A table's name in lower case, the steps, and the columns that come out.

    `below`: what the id of a row that comes out begins with, one of these, in lower case; None: with anything.
    """

    table: str
    stages: tuple[Stage, ...]
    columns: tuple[str, ...]
    below: tuple[str, ...] | None

    def evaluate(self, rows: list[Json]) -> list[Json]:
        for stage in self.stages:
            rows = stage.run(rows)
        return rows

    def may_touch(self, folder: str) -> bool:
        """Whether a row whose id lies in this folder, in lower case, may come out."""
        return self.below is None or any(folder.startswith(each) or each.startswith(folder) for each in self.below)


class _Token(msgspec.Struct, frozen=True):
    text: str
    literal: bool = False


@lru_cache(maxsize=256)
def parse(text: str, columns: tuple[str, ...]) -> Query:
    """The query over a table with these columns. Raises Refusal 400 naming what is not served or not there."""
    return _Parser(_tokens(text), columns).query()


def refuse(what: str) -> Refusal:
    """400 in Resource Graph's shape: BadRequest with a detail InvalidQuery."""
    refusal = Refusal(400, "BadRequest", f"The query cannot be answered: {what}.")
    refusal.details = [{"code": "InvalidQuery", "message": f"Query is invalid: {what}."}]
    return refusal


def _tokens(text: str) -> list[_Token]:
    found = []
    position = 0
    while position < len(text.rstrip()):
        match = _TOKEN.match(text, position)
        if match is None:
            raise refuse(f"it is not readable from '{text[position : position + 20]}' on")
        literal, word = match.groups()
        found.append(_Token(word) if literal is None else _Token(re.sub(r"\\(.)", r"\1", literal), literal=True))
        position = match.end()
    return found


class _Parser:
    """Recursive descent, one method a rule of the grammar."""

    def __init__(self, tokens: Sequence[_Token], columns: Sequence[str]) -> None:
        self._tokens = tokens
        self._next = 0
        self._columns = tuple(columns)
        self._below: tuple[str, ...] | None = None

    def query(self) -> Query:
        table = self._word().lower()
        stages: list[Stage] = []
        while self._peek() is not None:
            self._expect("|")
            stages.append(self._stage(first=not stages))
        return Query(table, tuple(stages), self._columns, self._below)

    def _stage(self, *, first: bool) -> Stage:
        operator = self._word()
        rules = {
            "where": lambda: self._where(first=first),
            "project": self._project,
            "order": self._order,
            "take": self._take,
            "limit": self._take,
        }
        rule = rules.get(operator.lower())
        if rule is None:
            raise refuse(f"the operator '{operator}' is not served by this sandbox")
        return rule()

    def _where(self, *, first: bool) -> Stage:
        condition = self._either()
        if first:  # later the columns may be others, or some rows are taken already
            self._below = condition.below
        holds = condition.holds
        return Stage(lambda rows: [row for row in rows if holds(row)])

    def _either(self) -> Filter:
        parts = [self._both()]
        while self._skip("or"):
            parts.append(self._both())
        return either(parts)

    def _both(self) -> Filter:
        parts = [self._single()]
        while self._skip("and"):
            parts.append(self._single())
        return every(parts)

    def _single(self) -> Filter:
        if self._skip("("):
            condition = self._either()
            self._expect(")")
            return condition
        return self._comparison()

    def _comparison(self) -> Filter:
        if self._skip("todatetime"):
            return Filter(self._since())
        column = self._column()
        read = reader(column)
        operator = self._word().lower()
        if operator == "in~":
            wanted = {value.lower() for value in self._literals()}
            return Filter(lambda row: read(row).lower() in wanted)
        compare = OPERATORS.get(operator)
        if compare is None:
            raise refuse(f"the comparison '{operator}' is not served by this sandbox")
        value = self._literal().lower()
        below = (value,) if (column, operator) == ("id", "startswith") else None
        return Filter(lambda row: compare(read(row).lower(), value), below)

    def _since(self) -> Condition:
        """`todatetime(column) >= todatetime('...')`: what is no time compares as false, as Kusto's null does."""
        self._expect("(")
        column = self._column()
        for word in (")", ">=", "todatetime", "("):
            self._expect(word)
        wanted = time_of(self._literal())
        self._expect(")")
        if wanted is None:
            raise refuse("'todatetime' needs a time")
        read = reader(column)
        return lambda row: (seen := time_of(read(row))) is not None and seen >= wanted

    def _project(self) -> Stage:
        chosen = dict([self._projected()])
        while self._skip(","):
            chosen |= [self._projected()]
        self._columns = tuple(chosen)
        finders = [(name, finder(path)) for name, path in chosen.items()]
        return Stage(lambda rows: [{name: find(row) for name, find in finders} for row in rows])

    def _projected(self) -> tuple[str, str]:
        """`column` or `alias = column`; a member without alias is named by its path joined with `_`."""
        ahead = self._tokens[self._next + 1 : self._next + 2]
        if ahead and ahead[0] == _Token("="):
            alias = self._word()
            self._expect("=")
            return alias, self._column()
        path = self._column()
        return path.replace(".", "_"), path

    def _order(self) -> Stage:
        self._expect("by")
        keys = [self._ordering()]
        while self._skip(","):
            keys.append(self._ordering())

        def run(rows: list[Json]) -> list[Json]:
            for column, descending in reversed(keys):
                rows = sorted(rows, key=reader(column), reverse=descending)
            return rows

        return Stage(run)

    def _ordering(self) -> tuple[str, bool]:
        """Kusto sorts descending unless told otherwise."""
        column = self._column()
        return column, not self._skip("asc") and (self._skip("desc") or True)

    def _take(self) -> Stage:
        word = self._word()
        if not word.isdigit():
            raise refuse(f"'{word}' is not a number of rows")
        return Stage(lambda rows: rows[: int(word)])

    def _column(self) -> str:
        path = self._word()
        if path.split(".")[0] not in self._columns:
            raise refuse(f"there is no column '{path}'")
        return path

    def _literals(self) -> list[str]:
        self._expect("(")
        values = [self._literal()]
        while self._skip(","):
            values.append(self._literal())
        self._expect(")")
        return values

    def _literal(self) -> str:
        token = self._peek()
        if token is None or not token.literal:
            raise refuse(f"a string in single quotes is needed where '{token.text if token else 'the end'}' stands")
        self._next += 1
        return token.text

    def _word(self) -> str:
        token = self._peek()
        if token is None or token.literal:
            raise refuse(f"a word is needed where '{token.text if token else 'the end'}' stands")
        self._next += 1
        return token.text

    def _expect(self, word: str) -> None:
        token = self._peek()
        if not self._skip(word):
            raise refuse(f"'{word}' is needed where '{token.text if token else 'the end'}' stands")

    def _skip(self, word: str) -> bool:
        token = self._peek()
        if token is None or token.literal or token.text.lower() != word:
            return False
        self._next += 1
        return True

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None
