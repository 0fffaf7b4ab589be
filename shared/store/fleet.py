"""Table `fleet`: the directory of resource groups, subscriptions with their owner markers, and when timers ran."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from shared.domain.fleet import Subscription
from shared.domain.owner import Mark
from shared.domain.prepared import prepared
from shared.domain.resource_id import encode_key
from shared.store.table import LARGEST_BATCH, Merge, Row, Table

_SCOPES, _SUBSCRIPTIONS, _TIMERS, _PLANNER, _MARKS = "scopes", "subscriptions", "timers", "planner", "marks"


class Fleet:
    """Where machines are, so that nobody has to scan for them."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add_scopes(self, scopes: list[str]) -> None:
        """Resource groups (`sub|rg`) in which machines were seen."""
        rows = [Row(partition=_SCOPES, key=scope, values={"scope": scope}) for scope in scopes]
        for start in range(0, len(rows), LARGEST_BATCH):
            self._table.transact([Merge(row) for row in rows[start : start + LARGEST_BATCH]])

    def scopes(self, subscription: str = "") -> list[str]:
        """In key order; of one subscription when given."""
        prefix = f"{encode_key(subscription)}|" if subscription else ""
        before = f"{encode_key(subscription)}}}" if subscription else ""
        return [row.key for row in self._table.scan(_SCOPES, prefix, before)]

    def scopes_from(self, first: str) -> Iterator[str]:
        """In key order from this one on, read as they are needed."""
        return (row.key for row in self._table.scan(_SCOPES, first))

    def save_planner(self, scope: str) -> None:
        """The resource group with which the next plan of assessments begins; empty for the first."""
        self._table.write(Merge(Row(partition=_PLANNER, key=_PLANNER, values={"next": scope})))

    def planner(self) -> str:
        row = self._table.get(_PLANNER, _PLANNER)
        return str(row.values["next"]) if row else ""

    def save_subscription(self, subscription: Subscription) -> None:
        self._merge(_SUBSCRIPTIONS, encode_key(subscription.id), subscription)

    def save_subscriptions(self, subscriptions: Sequence[Subscription]) -> None:
        rows = [
            Row(partition=_SUBSCRIPTIONS, key=encode_key(each.id), values={"value": msgspec.json.encode(each).decode()})
            for each in subscriptions
        ]
        for start in range(0, len(rows), LARGEST_BATCH):
            self._table.transact([Merge(row) for row in rows[start : start + LARGEST_BATCH]])

    def subscription(self, id_: str) -> Subscription | None:
        row = self._table.get(_SUBSCRIPTIONS, encode_key(id_))
        return msgspec.json.decode(str(row.values["value"]), type=prepared(Subscription)) if row else None

    def subscriptions(self) -> list[Subscription]:
        return [
            msgspec.json.decode(str(r.values["value"]), type=prepared(Subscription))
            for r in self._table.scan(_SUBSCRIPTIONS)
        ]

    def save_mark(self, mark: Mark) -> None:
        """What Azure said last of a subscription's owner marker."""
        self._merge(_MARKS, encode_key(mark.subscription), mark)

    def mark(self, subscription: str) -> Mark | None:
        row = self._table.get(_MARKS, encode_key(subscription))
        return msgspec.json.decode(str(row.values["value"]), type=prepared(Mark)) if row else None

    def marks(self) -> dict[str, Mark]:
        """Of every subscription, by its id."""
        rows = self._table.scan(_MARKS)
        marks = [msgspec.json.decode(str(row.values["value"]), type=prepared(Mark)) for row in rows]
        return {mark.subscription: mark for mark in marks}

    def timer_ran(self, name: str, now: datetime) -> None:
        """With the instant of its first time, which stays."""
        row = self._table.get(_TIMERS, name)
        first = row.values.get("first", now) if row else now
        self._table.write(Merge(Row(partition=_TIMERS, key=name, values={"at": now, "first": first})))

    def timers(self) -> dict[str, datetime]:
        """When each timer last finished."""
        return self._timers("at")

    def first_timers(self) -> dict[str, datetime]:
        """When each timer finished for the first time."""
        return self._timers("first")

    def _timers(self, column: str) -> dict[str, datetime]:
        rows = self._table.scan(_TIMERS)
        return {row.key: at for row in rows if isinstance(at := row.values.get(column), datetime)}

    def _merge(self, partition: str, key: str, value: msgspec.Struct) -> None:
        text = msgspec.json.encode(value).decode()
        self._table.write(Merge(Row(partition=partition, key=key, values={"value": text})))
