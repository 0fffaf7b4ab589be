"""One Azure throttle we pace against: a token bucket kept as one instant, so that a lease is one small write."""

from datetime import datetime, timedelta

import msgspec

# Guest patch policy of Microsoft.Compute, shared by assess and install, per subscription and region.
# Source: "Troubleshoot API throttling errors", Compute resource provider limits (600 tokens, 200 a minute).
GUEST_PATCH_BURST = 600
GUEST_PATCH_PER_MINUTE = 200
# Writes of one principal in one subscription, which every start is too. Counted in each region's bucket for itself:
# three regions of one subscription stay under it once their bursts are over; where there are more, ARM's 429 paces.
# Source: Azure Resource Manager, "Request limits and throttling", 2025-05-28 (200 tokens, 10 a second).
ARM_WRITE_BURST = 200
ARM_WRITES_PER_SECOND = 10
# Left over in full buckets (ours): calls leave a little later than their slots, and what is full gains nothing
# meanwhile. That is 15 s of guest patches, and 10 s of ARM writes, which others of the app need as well.
GUEST_PATCH_RESERVE = 50
ARM_WRITE_RESERVE = 100
# Slots leased in one write (design, "pacing").
LARGEST_LEASE = 50
# How long after its instant a slot may be used (ours): a busy app is that late. A bucket that was full gains nothing
# while nobody calls, so slots kept over an outage would all be used on top of it: after this they are leased anew.
# Slots this late can exceed a full bucket once, by the calls of less than a minute; Azure's 429 then moves the plan.
SLOT_LIFE = timedelta(minutes=1)

_PATCH = timedelta(minutes=1) / GUEST_PATCH_PER_MINUTE
_PATCHES_AT_ONCE = _PATCH * (GUEST_PATCH_BURST - GUEST_PATCH_RESERVE - 1)
_WRITE = timedelta(seconds=1) / ARM_WRITES_PER_SECOND
_WRITES_AT_ONCE = _WRITE * (ARM_WRITE_BURST - ARM_WRITE_RESERVE - 1)


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """`full_at` is when the bucket would be full again; before `blocked_until` nothing is sent at all.

    `writes_full_at`: the same for ARM's writes.
    """

    full_at: datetime | None = None
    writes_full_at: datetime | None = None
    blocked_until: datetime | None = None


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """`slots`: the earliest instants at which calls may be sent, oldest first."""

    bucket: Bucket
    slots: tuple[datetime, ...]


def lease(bucket: Bucket, count: int, now: datetime, until: datetime | None = None) -> Lease:
    """Take `count` slots, fewer when the next would be after `until`.

    The first 100 are all `now`, then one comes every 1/10 s while the burst lasts, after it one every 60/200 s.
    """
    start = max(now, bucket.blocked_until or now)
    full_at, writes_full_at = (max(at or start, start) for at in (bucket.full_at, bucket.writes_full_at))
    slots: list[datetime] = []
    while len(slots) < count:
        slot = max(start, full_at - _PATCHES_AT_ONCE, writes_full_at - _WRITES_AT_ONCE)
        if until and slot > until:
            break
        slots.append(slot)
        full_at, writes_full_at = max(full_at, slot) + _PATCH, max(writes_full_at, slot) + _WRITE
    left = msgspec.structs.replace(bucket, full_at=full_at, writes_full_at=writes_full_at)
    return Lease(bucket=left, slots=tuple(slots))


def block(bucket: Bucket, seconds: int, now: datetime) -> Bucket:
    """Azure said 429: nothing more before `seconds` have passed."""
    until = now + timedelta(seconds=seconds)
    return msgspec.structs.replace(bucket, blocked_until=max(until, bucket.blocked_until or until))
