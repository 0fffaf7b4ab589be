"""Table `runs`: partition = configuration, row = inverted start: newest first. A second copy in `all` lists them all.

Row `request|id` remembers which run a run-now request made, row `now` the last of these.
"""

from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from shared.domain.maintenance_id import ConfigurationId
from shared.domain.phase import Phase
from shared.domain.prepared import prepared
from shared.domain.resource_id import encode_key
from shared.domain.summary import Summary
from shared.store.table import Conflict, Insert, Merge, Replace, Row, Table, Value

_ALL, _NOW = "all", "now"
_AFTER_RUNS = ":"  # the character after "9"
_LAST = 10**14  # no start, written yyyyMMddHHmmss, is as large


class LastNow(msgspec.Struct, frozen=True, kw_only=True):
    """The start of the last run that was asked for now, and the ETag that guards the next."""

    start: datetime | None
    etag: str


class RunList:
    """Runs of configurations, to be listed. What decides is each run's own row (`runs.py`)."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def save(self, configuration: ConfigurationId, summary: Summary) -> None:
        text = msgspec.json.encode(summary).decode()
        own, every = _key(summary.start), f"{_key(summary.start)}|{encode_key(summary.id)}"
        for partition, key in ((configuration.key, own), (_ALL, every)):
            self._show(Row(partition=partition, key=key, values={"summary": text}), summary.phase is Phase.CLOSED)

    def _show(self, row: Row, is_closed: bool) -> None:
        """How a run closed stands, whatever a step that was held up tells later."""
        if is_closed:
            self._table.write(Merge(row))
            return
        while (before := self._table.get(row.partition, row.key)) is None or not _is_closed(before):
            try:
                self._table.write(Replace(replace(row, etag=before.etag)) if before else Insert(row))
            except Conflict:
                continue  # another step was quicker: look again
            return

    def page(self, configuration: ConfigurationId | None, first: str, size: int) -> tuple[list[Summary], str]:
        """Up to `size` runs, of one configuration or of all, newest first, and the row to go on from, "" at the end."""
        partition = configuration.key if configuration else _ALL
        rows = self._table.page(partition, first, _AFTER_RUNS, size + 1)
        return [_summary(row) for row in rows[:size]], rows[size].key if len(rows) > size else ""

    def newest(self, configuration: ConfigurationId, by: datetime | None = None) -> Summary | None:
        """The one that starts last, of all or of those that start by an instant (whole seconds, UTC)."""
        found, _ = self.page(configuration, _key(by) if by else "", 1)
        return found[0] if found else None

    def requested(self, configuration: ConfigurationId, request: str) -> datetime | None:
        """The start of the run that this run-now request made before."""
        return _time(self._table.get(configuration.key, _request(request)))

    def last_now(self, configuration: ConfigurationId) -> LastNow:
        """The last run that was asked for now."""
        row = self._table.get(configuration.key, _NOW)
        return LastNow(start=_time(row), etag=row.etag if row else "")

    def take_now(self, configuration: ConfigurationId, request: str, start: datetime, last: LastNow) -> None:
        """Of several requests at once one makes the next run. Raises Conflict: look again."""
        partition, values = configuration.key, dict[str, Value](start=start)
        now = Row(partition=partition, key=_NOW, values=values, etag=last.etag)
        own = Row(partition=partition, key=_request(request), values=values)
        self._table.transact([Replace(now) if last.etag else Insert(now), Merge(own)])


def _is_closed(row: Row) -> bool:
    return _summary(row).phase is Phase.CLOSED


def _key(start: datetime) -> str:
    return f"{_LAST - int(start.astimezone(UTC).strftime('%Y%m%d%H%M%S')):014}"


def _summary(row: Row) -> Summary:
    return msgspec.json.decode(str(row.values["summary"]), type=prepared(Summary))


def _request(request: str) -> str:
    return f"request|{encode_key(request)}"


def _time(row: Row | None) -> datetime | None:
    start = row.values["start"] if row else None
    return start.astimezone(UTC) if isinstance(start, datetime) else None
