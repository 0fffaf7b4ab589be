"""One Azure throttle we pace against: a token bucket kept as one instant, so that a lease is one small write."""

from datetime import datetime, timedelta

import msgspec

# Guest patch policy of Microsoft.Compute, shared by assess and install, per subscription and region.
# Source: "Troubleshoot API throttling errors", Compute resource provider limits (600 tokens, 200 a minute).
GUEST_PATCH_BURST = 600
GUEST_PATCH_PER_MINUTE = 200
# Slots leased in one write (design, "pacing").
LARGEST_LEASE = 50
# How long after its instant a slot may be used (ours): a busy app is that late. A bucket that was full gains nothing
# while nobody calls, so slots kept over an outage would all be used on top of it: after this they are leased anew.
# Slots this late can exceed a full bucket once, by the 200 calls of one minute; Azure's 429 then moves the plan.
SLOT_LIFE = timedelta(minutes=1)


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """`full_at` is when the bucket would be full again; before `blocked_until` nothing is sent at all."""

    full_at: datetime | None = None
    blocked_until: datetime | None = None


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """`slots`: the earliest instants at which calls may be sent, oldest first."""

    bucket: Bucket
    slots: tuple[datetime, ...]


def lease(bucket: Bucket, count: int, now: datetime, until: datetime | None = None) -> Lease:
    """Take `count` slots, fewer when the next would be after `until`.

    Within the burst they are all `now`, after it one every 60/200 s.
    """
    interval = timedelta(minutes=1) / GUEST_PATCH_PER_MINUTE
    start = max(now, bucket.blocked_until or now)
    full_at = max(bucket.full_at or start, start)
    slots: list[datetime] = []
    while len(slots) < count:
        slot = max(start, full_at + interval - interval * GUEST_PATCH_BURST)
        if until and slot > until:
            break
        slots.append(slot)
        full_at += interval
    return Lease(bucket=msgspec.structs.replace(bucket, full_at=full_at), slots=tuple(slots))


def block(bucket: Bucket, seconds: int, now: datetime) -> Bucket:
    """Azure said 429: nothing more before `seconds` have passed."""
    until = now + timedelta(seconds=seconds)
    return msgspec.structs.replace(bucket, blocked_until=max(until, bucket.blocked_until or until))
