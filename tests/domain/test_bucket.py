"""The throttle's arithmetic against token buckets written the plain way: guest patches and ARM's writes."""

import itertools
import random
from datetime import datetime, timedelta

import pytest

from shared.domain.bucket import GUEST_PATCH_BURST, GUEST_PATCH_PER_MINUTE, LARGEST_LEASE, Bucket, block, lease
from tests.domain.samples import NOW, minutes

PATCHES, WRITES = (600, 200 / 60), (200, 10.0)
"""Burst and tokens a second. Guest patch policy by "Troubleshoot API throttling errors", Compute; ARM's writes."""

KEPT_PATCHES, KEPT_WRITES = 50, 100
"""What is left in a full bucket for calls that come late."""


class Tokens:
    """The oracle: tokens flow in with time, a call takes one of each kind, and without one Azure says 429."""

    def __init__(self, now: datetime, patches: int = 0, writes: int = 0) -> None:
        """Full but for what is kept."""
        self.most = [PATCHES[0] - patches, WRITES[0] - writes]
        self.left, self.at = [float(most) for most in self.most], now

    def call(self, now: datetime) -> bool:
        seconds, self.at = (now - self.at).total_seconds(), now
        flowed = [left + seconds * rate for left, (_, rate) in zip(self.left, (PATCHES, WRITES), strict=True)]
        self.left = [min(most, left) for most, left in zip(self.most, flowed, strict=True)]
        if min(self.left) < 1 - 1e-3:  # instants are rounded to microseconds
            return False
        self.left = [left - 1 for left in self.left]
        return True


def test_azures_figures() -> None:
    assert (GUEST_PATCH_BURST, GUEST_PATCH_PER_MINUTE, LARGEST_LEASE) == (600, 200, 50)


def test_a_burst_goes_as_fast_as_arm_writes_and_then_one_every_300_milliseconds() -> None:
    slots = lease(Bucket(), 900, NOW).slots
    assert set(slots[:100]) == {NOW}
    assert [slot - NOW for slot in slots[100:103]] == [timedelta(milliseconds=100 * number) for number in (1, 2, 3)]
    steps = [later - slot for slot, later in itertools.pairwise(slots[100:])]
    fast = next(at for at, step in enumerate(steps) if step > timedelta(milliseconds=100))
    assert (NOW + timedelta(seconds=67)) < slots[100 + fast] < (NOW + timedelta(seconds=68))
    assert set(steps[fast + 1 :]) == {timedelta(milliseconds=300)}


def test_an_unused_bucket_fills_up_and_not_beyond() -> None:
    used = lease(Bucket(), 550, NOW).bucket
    later = NOW + minutes(600)
    assert lease(used, 550, later).slots == lease(Bucket(), 550, later).slots
    assert lease(used, 900, later).slots == lease(Bucket(), 900, later).slots


@pytest.mark.parametrize("seed", range(20))
def test_azure_never_refuses_a_leased_slot(seed: int) -> None:
    """Leases of any size at any time; the calls, sent at their slots, all find their tokens."""
    chance, bucket, now = random.Random(seed), Bucket(), NOW
    slots: list[datetime] = []
    while len(slots) < 3_000:
        leased = lease(bucket, chance.randint(1, 50), now)
        assert list(leased.slots) == sorted(leased.slots)
        assert leased.slots[0] >= now
        bucket, slots = leased.bucket, [*slots, *leased.slots]
        now += timedelta(seconds=chance.choice([0, 0, 0, 1, 5, 120]))
    assert slots == sorted(slots)
    tokens = Tokens(NOW, KEPT_PATCHES, KEPT_WRITES)
    assert [slot for slot in slots if not tokens.call(slot)] == []


@pytest.mark.parametrize("late", [0, 5, 10])
def test_nor_when_all_of_it_leaves_a_little_late(late: int) -> None:
    """A full bucket gains nothing while nobody calls; what is kept in it makes up for that."""
    first = NOW + timedelta(seconds=late)
    tokens = Tokens(NOW)
    assert [slot for slot in lease(Bucket(), 3_000, NOW).slots if not tokens.call(max(slot, first))] == []


@pytest.mark.parametrize("seed", range(20))
def test_no_slot_is_later_than_it_must_be(seed: int) -> None:
    """The oracle would have refused the same call a moment before its slot."""
    chance, bucket, now = random.Random(seed), Bucket(), NOW
    tokens, waited = Tokens(NOW, KEPT_PATCHES, KEPT_WRITES), 0
    for _ in range(60):
        leased = lease(bucket, chance.randint(1, 50), now)
        bucket = leased.bucket
        for slot in leased.slots:
            if slot > now:
                waited += 1
                before = Tokens(NOW, KEPT_PATCHES, KEPT_WRITES)
                before.left, before.at = tokens.left, tokens.at
                assert not before.call(max(slot - timedelta(milliseconds=5), before.at))
            assert tokens.call(slot)
        now = max(now, leased.slots[-1]) if chance.random() < 0.2 else now
    assert waited > 100


def test_a_clock_behind_gets_no_more_slots() -> None:
    """Two instances whose clocks differ share one bucket: the slower one cannot lease what the other has leased."""
    ahead = lease(Bucket(), 550, NOW + minutes(0.1)).bucket
    assert lease(ahead, 1, NOW).slots[0] > NOW + minutes(0.1)


def test_nothing_is_sent_while_blocked() -> None:
    blocked = block(Bucket(), 30, NOW)
    assert blocked.blocked_until == NOW + timedelta(seconds=30)
    assert set(lease(blocked, 50, NOW).slots) == {NOW + timedelta(seconds=30)}
    assert lease(blocked, 1, NOW + minutes(2)).slots == (NOW + minutes(2),)


def test_a_shorter_block_does_not_undo_a_longer_one() -> None:
    twice = block(block(Bucket(), 60, NOW), 5, NOW)
    assert twice.blocked_until == NOW + minutes(1)
    assert block(twice, 60, NOW + minutes(1)).blocked_until == NOW + minutes(2)


def test_a_block_keeps_what_was_leased() -> None:
    used = lease(Bucket(), 600, NOW).bucket
    assert block(used, 5, NOW).full_at == used.full_at
