"""How long a queue pump waits between two looks: at once while there is work, ever longer while there is none. Pure.

Source: "Azure Queue storage trigger", polling algorithm: a random exponential back-off from 100 ms up to
maxPollingInterval, reset by any message.
"""

import random
from datetime import timedelta
from typing import Final

FIRST_WAIT: Final = timedelta(milliseconds=100)


def next_wait(empty_looks: int, most: timedelta, rng: random.Random) -> timedelta:
    """The wait after so many empty looks in a row (0 = the last look found something: no wait)."""
    if empty_looks == 0:
        return timedelta(0)
    doubled: timedelta = FIRST_WAIT * 2 ** min(empty_looks - 1, 16)
    return min(doubled * rng.uniform(0.8, 1.2), most)
