"""How long an idle queue is left alone."""

import random
from datetime import timedelta

from infra.local.host.polling import next_wait

MOST = timedelta(seconds=2)


def test_a_queue_with_messages_is_looked_at_at_once() -> None:
    assert next_wait(0, MOST, random.Random(1)) == timedelta(0)


def test_the_wait_doubles_up_to_the_maximum() -> None:
    rng = random.Random(1)
    for looks, seconds in ((1, 0.1), (2, 0.2), (3, 0.4), (4, 0.8)):
        waits = [next_wait(looks, MOST, rng).total_seconds() for _ in range(50)]
        assert min(waits) >= seconds * 0.79
        assert max(waits) <= seconds * 1.21
        assert len(set(waits)) > 1
    assert next_wait(7, MOST, rng) == MOST
    assert next_wait(10_000, MOST, rng) == MOST
