"""Table `nativeevents`: partition = configuration, row = inverted start + type of event, newest run first."""

from datetime import UTC

import msgspec

from shared.domain.maintenance_id import ConfigurationId
from shared.domain.native_event import PREFIX, NativeEvent
from shared.domain.prepared import prepared
from shared.store.table import Merge, Row, Table

_LAST = 10**14  # no start, written yyyyMMddHHmmss, is as large
_AFTER = ":"  # the character after "9"


class NativeEvents:
    """What Azure told of its own runs."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def save(self, event: NativeEvent) -> None:
        """The same event again changes nothing: it is delivered at least once."""
        start = event.start_date_time.astimezone(UTC).strftime("%Y%m%d%H%M%S")
        key = f"{_LAST - int(start):014}|{event.type.removeprefix(PREFIX)}"
        text = msgspec.json.encode(event).decode()
        self._table.write(Merge(Row(partition=event.configuration.key, key=key, values={"event": text})))

    def page(self, configuration: ConfigurationId, first: str, size: int) -> tuple[list[NativeEvent], str]:
        """Up to `size` events, those of the newest run first, and the row to go on from, "" at the end."""
        rows = self._table.page(configuration.key, first, _AFTER, size + 1)
        events = [msgspec.json.decode(str(row.values["event"]), type=prepared(NativeEvent)) for row in rows[:size]]
        return events, rows[size].key if len(rows) > size else ""
