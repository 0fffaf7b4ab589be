"""When to look again at an operation that Azure is working on: seldom enough for thousands at once.

Azure's Retry-After is the unit of every wait, so that a faster or slower Azure needs no other figures.
"""

import math
from datetime import datetime

from shared.domain.operation import UNCONFIRMED_PATIENCE, Operation

# A look comes late by at most this share of the time that the operation has taken so far (ours), and the shortest and
# the longest wait, in Retry-Afters: somebody, or a run, waits for the end.
AWAITED_SHARE, AWAITED = 1 / 4, (1, 8)
# The wait where nobody waits, in Retry-Afters (ours): Resource Graph shows the ends of most before it is over
# (domain/planned.py, LOOKS).
PLANNED = 47

# The shortest and the longest wait between looks for traces of a start that was never answered, seconds (ours): a VM's
# instance view shows one at once, Resource Graph and the activity log after up to minutes.
TRACES = (20, 120)


def next_look(operation: Operation, retry_after: int, now: datetime) -> int:
    """Seconds until the next look, never fewer than Azure's `retry_after` and not beyond the operation's deadline."""
    least, most = (PLANNED, PLANNED) if operation.planned else AWAITED
    unit = max(1, retry_after)
    taken = (now - (operation.sent or now)).total_seconds()
    wait = min(max(taken * AWAITED_SHARE, unit * least), unit * most)
    left = (operation.deadline - now).total_seconds()
    return max(unit, math.ceil(min(wait, left)))


def next_trace(operation: Operation, now: datetime) -> int:
    """Seconds until traces of an unanswered start are looked for again; the last time when patience ends."""
    since = operation.lost or operation.sent or operation.claimed
    taken, left = (now - since).total_seconds(), (since + UNCONFIRMED_PATIENCE - now).total_seconds()
    least, most = TRACES
    return math.ceil(max(least, min(taken * AWAITED_SHARE, most, left)))
