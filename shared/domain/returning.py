"""Machines that are off, or whose agent is away, at their turn in a window: `properties.fleet.lookAgain`.

Without it such a machine ends at once, as with Azure. With it the machine stays claimed for the run and is looked at
again, for the last time shortly before its last instant; meanwhile its wave is not waited for, and it takes no place of
those that may be under way. If it has come back it is started as at its turn; else it ends with the reason of that day.
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.domain.operation import Operation
from shared.domain.reason import Reason

# Waits between the looks (ours), the last repeats: a machine that is switched on for its window is met soon, and one
# that stays off costs thirty looks in the longest window.
WAITS = (
    timedelta(minutes=5),
    timedelta(minutes=10),
    timedelta(minutes=15),
    timedelta(minutes=30),
    timedelta(minutes=50),
)
# The last look is so long before the last instant (ours): a permit and a slot still come in time.
LAST_LOOK = timedelta(minutes=2)
_AWAY = frozenset({"PoweredOff", "Disconnected"})


def is_away(why: Reason | None) -> bool:
    """Whether the reason may pass within a window."""
    return why is not None and why.code in _AWAY


def put_off(operation: Operation, why: Reason, now: datetime) -> Operation | None:
    """The claim with the instant of its next look; None when there is no time for one."""
    last = operation.not_after - LAST_LOOK
    if not is_away(why) or now >= last:
        return None
    after = min(now + WAITS[min(operation.tries, len(WAITS) - 1)], last)
    return replace(operation, not_before=after, paced=False, reason=why, tries=operation.tries + 1)
