"""Where a timer's last and next occurrence are kept: in the app's storage account, or in memory for one that forgets.

Azure's host writes a blob per timer; here it is a row of a table, because the table SDK is at hand.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec
from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables.aio import TableClient

from infra.local.host.log import Logger
from infra.local.host.payloads import ScheduleStatus, iso

TABLE: Final = "azurewebjobstimers"


class MemoryStatus:
    """For timers that are not monitored: nothing outlives the host."""

    def __init__(self) -> None:
        self._kept: dict[str, ScheduleStatus] = {}

    async def read(self, function: str) -> ScheduleStatus | None:
        """None when there is none yet."""
        return self._kept.get(function)

    async def write(self, function: str, status: ScheduleStatus) -> None:
        """Replaces it."""
        self._kept[function] = status


class TableStatus:
    """One row a function. A storage error is logged and costs only the memory of missed occurrences."""

    def __init__(self, table: TableClient, app: str, logger: Logger) -> None:
        self._table = table
        self._partition = hashlib.sha256(app.encode()).hexdigest()[:32]  # two apps may share a storage account
        self._logger = logger

    async def read(self, function: str) -> ScheduleStatus | None:
        """None when there is none yet."""
        try:
            row = await self._table.get_entity(self._partition, function)
            return _status(row)
        except ResourceNotFoundError:
            return None
        except (AzureError, KeyError, ValueError, msgspec.ValidationError) as error:
            self._logger.error(f"The status of a timer cannot be read: {type(error).__name__}", function=function)
            return None

    async def write(self, function: str, status: ScheduleStatus) -> None:
        """Replaces it."""
        row = {
            "PartitionKey": self._partition,
            "RowKey": function,
            "Last": iso(status.last),
            "Next": iso(status.next),
            "LastUpdated": iso(status.last_updated),
        }
        try:
            await self._upsert(row)
        except AzureError as error:
            self._logger.error(f"The status of a timer cannot be kept: {type(error).__name__}", function=function)

    async def _upsert(self, row: dict[str, str]) -> None:
        try:
            await self._table.upsert_entity(row)
        except ResourceNotFoundError:
            await self._create()
            await self._table.upsert_entity(row)

    async def _create(self) -> None:
        try:
            await self._table.create_table()
        except ResourceExistsError:  # another timer was faster
            return


StatusStore = MemoryStatus | TableStatus


def _status(row: Mapping[str, object]) -> ScheduleStatus:
    """Raises KeyError or ValueError."""
    last, following, updated = (datetime.fromisoformat(str(row[name])) for name in ("Last", "Next", "LastUpdated"))
    return ScheduleStatus(last=last, next=following, last_updated=updated)
