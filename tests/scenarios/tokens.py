"""Azure's throttle as Azure counts it, written apart from the app's own arithmetic."""

from collections.abc import Iterable
from datetime import UTC, datetime

BURST, PER_MINUTE = 600, 200
"""Guest patch policy by "Troubleshoot API throttling errors", Compute."""

WRITES_BURST, WRITES_PER_MINUTE = 200, 600
"""ARM's writes of one principal in one subscription, by "Request limits and throttling" of Azure Resource Manager."""


class Tokens:
    """Azure's side, the plain way: tokens flow in with time, a call takes one, without one it is a 429."""

    def __init__(self, burst: int = BURST, per_minute: int = PER_MINUTE) -> None:
        self._burst, self._per_second = burst, per_minute / 60
        self._left, self._at = float(burst), datetime.min.replace(tzinfo=UTC)
        self.lowest, self.refused = float(burst), 0

    def call(self, at: datetime) -> None:
        flowed = (at - self._at).total_seconds() * self._per_second
        self._left, self._at = min(self._burst, self._left + flowed), at
        if self._left < 1 - 1e-3:  # instants are rounded to microseconds
            self.refused += 1
            return
        self._left -= 1
        self.lowest = min(self.lowest, self._left)


def judged(starts: Iterable[datetime], burst: int = BURST, per_minute: int = PER_MINUTE) -> Tokens:
    """What Azure would have answered to these calls."""
    tokens = Tokens(burst, per_minute)
    for at in sorted(starts):
        tokens.call(at)
    return tokens
