"""Buckets: slots are leased over all instances together, never one of them twice."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from azure.core.exceptions import HttpResponseError
from azure.data.tables import TableServiceClient

from shared.domain.bucket import Bucket, lease
from shared.store.buckets import Buckets
from shared.store.table import Table
from tests.domain.samples import NOW, SUBSCRIPTION, minutes

REGION = "westeurope"
WRITE = timedelta(milliseconds=100)
AT_ONCE = 100


@pytest.fixture
def buckets(table: Table) -> Buckets:
    return Buckets(table)


def test_the_burst_and_the_rest(buckets: Buckets) -> None:
    slots = buckets.lease(SUBSCRIPTION, REGION, 620, NOW)
    assert slots == list(lease(Bucket(), 620, NOW).slots)
    assert slots[99] == NOW
    assert slots[619] == NOW + 520 * WRITE


def test_a_lease_goes_on_where_the_last_one_ended(buckets: Buckets) -> None:
    parts = [buckets.lease(SUBSCRIPTION, REGION, count, NOW) for count in (1, 49, 50, 51, 500, 7)]
    assert list(itertools.chain(*parts)) == list(lease(Bucket(), 658, NOW).slots)


def test_nothing_leased_is_nothing(buckets: Buckets) -> None:
    assert buckets.lease(SUBSCRIPTION, REGION, 0, NOW) == []


def test_regions_and_subscriptions_are_apart(buckets: Buckets) -> None:
    buckets.lease(SUBSCRIPTION, REGION, AT_ONCE, NOW)
    assert buckets.lease(SUBSCRIPTION, "northeurope", 1, NOW) == [NOW]
    assert buckets.lease("another", REGION, 1, NOW) == [NOW]
    assert buckets.lease(SUBSCRIPTION.upper(), REGION.upper(), 1, NOW) == [NOW + WRITE]


def test_a_block_holds_everybody(buckets: Buckets) -> None:
    assert buckets.blocked(SUBSCRIPTION, REGION) is None
    buckets.block(SUBSCRIPTION, REGION, 30, NOW)
    assert buckets.blocked(SUBSCRIPTION, REGION) == NOW + timedelta(seconds=30)
    assert buckets.lease(SUBSCRIPTION, REGION, 2, NOW) == [NOW + timedelta(seconds=30)] * 2
    assert buckets.blocked(SUBSCRIPTION, "northeurope") is None


def test_four_instances_never_lease_the_same_slot(table: Table) -> None:
    """Beyond the burst each slot is an instant of its own: all of them together are one unbroken row of slots."""

    def work(share: int) -> list[datetime]:
        mine = Buckets(table)
        return list(itertools.chain.from_iterable(mine.lease(SUBSCRIPTION, REGION, 35 + share, NOW) for _ in range(6)))

    with ThreadPoolExecutor(4) as pool:
        slots = sorted(itertools.chain.from_iterable(pool.map(work, range(4))))
    assert len(slots) == 6 * (35 + 36 + 37 + 38)
    assert slots == list(lease(Bucket(), len(slots), NOW).slots)
    beyond = slots[AT_ONCE:]
    assert len(beyond) == len(set(beyond)) == len(slots) - AT_ONCE


def test_a_block_among_leases_is_not_lost(table: Table) -> None:
    """A 429 that comes while others lease still holds whoever leases after it."""
    buckets = Buckets(table)

    def lease_often() -> None:
        for _ in range(8):
            buckets.lease(SUBSCRIPTION, REGION, 10, NOW)

    def block_often() -> None:
        for _ in range(4):
            buckets.block(SUBSCRIPTION, REGION, 60, NOW)

    jobs = (lease_often, lease_often, block_often)
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(job) for job in jobs]:
            done.result()
    assert buckets.blocked(SUBSCRIPTION, REGION) == NOW + minutes(1)
    assert buckets.lease(SUBSCRIPTION, REGION, 1, NOW) >= [NOW + minutes(1)]


def test_a_missing_table_is_an_error(tables: TableServiceClient) -> None:
    """And not a conflict, which would be tried again for ever."""
    with pytest.raises(HttpResponseError):
        Buckets(Table(tables, "missing")).lease(SUBSCRIPTION, REGION, 1, NOW)


def test_only_throttles_that_azure_keeps_closed_are_told(buckets: Buckets) -> None:
    for number, region in enumerate(("eastus", "northeurope", "westeurope")):
        buckets.block("s", region, 60 * number + 30, NOW)
    buckets.lease("s", "japaneast", 1, NOW)
    later = NOW + minutes(1)
    told, more = buckets.throttled(later, 10)
    assert [(each.subscription, each.region) for each in told] == [("s", "northeurope"), ("s", "westeurope")]
    assert (told[0].until, more) == (NOW + minutes(1.5), False)
    assert buckets.throttled(NOW + minutes(1.5), 10)[0] == told[1:]
    assert buckets.throttled(later, 3)[1], "there is one more to read"
