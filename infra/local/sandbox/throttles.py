"""Azure's throttles, of real size and in real time: token buckets that answer 429 with Retry-After."""

import math
from datetime import datetime

import msgspec

from infra.local.sandbox.http import Refusal


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A token bucket: `burst` tokens when full, `per_second` flowing back."""

    name: str
    burst: float
    per_second: float


READS, WRITES, DELETES = "reads", "writes", "deletes"
KIND_OF_METHOD = {"GET": READS, "HEAD": READS, "DELETE": DELETES}
"""What ARM counts a method as; any other is a write."""

# Azure Resource Manager, per principal and subscription (page: request limits and throttling, 2025-05-28).
ARM = {
    READS: Limit(name="SubscriptionReads", burst=250, per_second=25),
    WRITES: Limit(name="SubscriptionWrites", burst=200, per_second=10),
    DELETES: Limit(name="SubscriptionDeletes", burst=200, per_second=10),
}
# The same page: per principal in the tenant, and all principals of one subscription together.
ARM_TENANT_READS = Limit(name="TenantReads", burst=250, per_second=25)
PRINCIPALS_TOGETHER = 15
ARM_TOGETHER = {
    kind: Limit(
        name=f"Global{each.name}",
        burst=each.burst * PRINCIPALS_TOGETHER,
        per_second=each.per_second * PRINCIPALS_TOGETHER,
    )
    for kind, each in ARM.items()
}
# Compute resource provider, per region (page: compute throttling limits, 2024-05-27): bucket, and refill per minute.
# Assess and install share the first two. A list of VMs is of no region: here it counts for its subscription alone.
GUEST_PATCH_SUBSCRIPTION = Limit(name="GuestPatchPerSubscription", burst=600, per_second=200 / 60)
GUEST_PATCH_MACHINE = Limit(name="GuestPatchPerMachine", burst=6, per_second=2 / 60)
GET_VM_SUBSCRIPTION = Limit(name="GetVMPerSubscription", burst=24000, per_second=8000 / 60)
GET_VM_MACHINE = Limit(name="GetVMPerMachine", burst=36, per_second=12 / 60)
LIST_VMS_SUBSCRIPTION = Limit(name="ListVMsPerSubscription", burst=900, per_second=300 / 60)
ASYNC_SUBSCRIPTION = Limit(name="GetOperationPerSubscription", burst=15000, per_second=5000 / 60)
ASYNC_MACHINE = Limit(name="GetOperationPerMachine", burst=45, per_second=15 / 60)
_OF_ARM = (*ARM.values(), *ARM_TOGETHER.values(), ARM_TENANT_READS)
# Resource Graph, per principal (page: guidance for throttled requests): a window, not a bucket.
GRAPH_QUERIES = 15
GRAPH_WINDOW_SECONDS = 5.0


class Buckets:
    """All buckets in use; each starts full."""

    def __init__(self) -> None:
        self._tokens: dict[tuple[str, ...], tuple[float, datetime]] = {}
        self._queries: dict[str, list[datetime]] = {}

    def take(self, limit: Limit, key: tuple[str, ...], now: datetime) -> int:
        """Takes one token and returns how many are left. Raises Refusal 429 when there is none."""
        slot = (limit.name, *key)
        tokens, since = self._tokens.get(slot, (limit.burst, now))
        tokens = min(limit.burst, tokens + max(0.0, (now - since).total_seconds()) * limit.per_second)
        if tokens < 1:
            raise _too_many(limit, math.ceil((1 - tokens) / limit.per_second))
        self._tokens[slot] = (tokens - 1, now)
        return int(tokens - 1)

    def take_query(self, principal: str, now: datetime) -> dict[str, str]:
        """Counts one Resource Graph query and returns the quota headers. Raises Refusal 429 with them."""
        recent = [then for then in self._queries.get(principal, []) if _seconds(then, now) < GRAPH_WINDOW_SECONDS]
        resets = GRAPH_WINDOW_SECONDS - _seconds(recent[0], now) if recent else GRAPH_WINDOW_SECONDS
        if len(recent) >= GRAPH_QUERIES:
            refusal = Refusal(429, "RateLimiting", "Please provide below info when asking for support: rate limiting.")
            refusal.headers = {**_quota(0, resets), "Retry-After": str(max(1, math.ceil(resets)))}
            raise refusal
        self._queries[principal] = [*recent, now]
        return _quota(GRAPH_QUERIES - len(recent) - 1, resets)


def _seconds(then: datetime, now: datetime) -> float:
    return (now - then).total_seconds()


def _quota(remaining: int, resets: float) -> dict[str, str]:
    whole = math.ceil(resets)
    return {
        "x-ms-user-quota-remaining": str(remaining),
        "x-ms-user-quota-resets-after": f"00:{whole // 60:02}:{whole % 60:02}",
    }


def _too_many(limit: Limit, seconds: int) -> Refusal:
    message = f"The request was throttled by {limit.name}; try again after {seconds} seconds."
    refusal = Refusal(429, "TooManyRequests", message)
    if limit in _OF_ARM:
        refusal.code = "TenantRequestsThrottled" if limit is ARM_TENANT_READS else "SubscriptionRequestsThrottled"
    else:
        refusal.code = "OperationNotAllowed"
        refusal.details = [{"code": "TooManyRequests", "target": limit.name, "message": message}]
    refusal.headers = {"Retry-After": str(max(1, seconds))}
    return refusal
