"""How long a start waits that Azure refused for the moment, where Azure names no time."""

# Seconds; the last one repeats. They stay within the throttle of a single machine.
# Source: "Troubleshoot API throttling errors" (6 at once, then 2 a minute).
BUSY_RETRIES = (5, 5, 10, 20, 30)
# The same where nobody waits (ours): what keeps a machine busy takes minutes.
PLANNED_RETRIES = (120, 240, 480)


def wait_before(tries: int, *, planned: bool) -> int:
    """Seconds before the next start, after so many that were refused before this one."""
    waits = PLANNED_RETRIES if planned else BUSY_RETRIES
    return waits[min(tries, len(waits) - 1)]
