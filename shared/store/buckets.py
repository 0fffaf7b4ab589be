"""Table `buckets`: one row a throttle; slots are leased in blocks under its ETag."""

from datetime import datetime

import msgspec

from shared.domain.bucket import LARGEST_LEASE, Bucket, block, lease
from shared.domain.health import Throttle
from shared.domain.prepared import prepared
from shared.domain.resource_id import encode_key
from shared.store.table import Conflict, Insert, Replace, Row, Table

_GUEST_PATCH = "guestPatch"


class Buckets:
    """The guest-patch throttle of every subscription and region."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def lease(
        self, subscription: str, region: str, count: int, now: datetime, until: datetime | None = None
    ) -> list[datetime]:
        """The instants at which `count` calls may be sent, leased over all work of the app; none after `until`."""
        slots: list[datetime] = []
        while len(slots) < count:
            block = min(count - len(slots), LARGEST_LEASE)
            leased = self._lease_block(subscription, region, block, now, until)
            slots += leased
            if len(leased) < block:
                break
        return slots

    def block(self, subscription: str, region: str, seconds: int, now: datetime) -> None:
        """Azure answered 429: nothing more for so many seconds."""
        while True:
            bucket, row = self._read(subscription, region)
            if self._write(row, block(bucket, seconds, now)):
                return

    def blocked(self, subscription: str, region: str) -> datetime | None:
        return self._read(subscription, region)[0].blocked_until

    def throttled(self, now: datetime, size: int) -> tuple[list[Throttle], bool]:
        """Of the first `size` throttles those that Azure keeps closed now, and whether there are more to read."""
        rows = self._table.page(_GUEST_PATCH, size=size + 1)
        read = [(row.key, msgspec.json.decode(str(row.values["bucket"]), type=prepared(Bucket))) for row in rows[:size]]
        closed = [(key, until) for key, bucket in read if (until := bucket.blocked_until) and until > now]
        return [_throttle(key, until) for key, until in closed], len(rows) > size

    def _lease_block(
        self, subscription: str, region: str, count: int, now: datetime, until: datetime | None
    ) -> tuple[datetime, ...]:
        while True:
            bucket, row = self._read(subscription, region)
            leased = lease(bucket, count, now, until)
            if not leased.slots or self._write(row, leased.bucket):
                return leased.slots

    def _read(self, subscription: str, region: str) -> tuple[Bucket, Row]:
        key = f"{encode_key(subscription)}|{encode_key(region)}"
        row = self._table.get(_GUEST_PATCH, key)
        if row is None:
            return Bucket(), Row(partition=_GUEST_PATCH, key=key, values={})
        return msgspec.json.decode(str(row.values["bucket"]), type=prepared(Bucket)), row

    def _write(self, row: Row, bucket: Bucket) -> bool:
        new = msgspec.structs.replace(row, values={"bucket": msgspec.json.encode(bucket).decode()})
        try:
            self._table.write(Replace(new) if row.etag else Insert(new))
        except Conflict:
            return False
        return True


def _throttle(key: str, until: datetime) -> Throttle:
    """Subscription ids and region names hold no character that a key would escape."""
    subscription, _, region = key.partition("|")
    return Throttle(subscription=subscription, region=region, until=until)
