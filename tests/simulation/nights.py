"""When a seed's window opens: its zone and local time, and the instants, reckoned by hand, at which it must open.

Half of the nights are those of a clock change, with a start in the missing or in the doubled hour.
"""

from datetime import UTC, datetime
from typing import NamedTuple


class Night(NamedTuple):
    """`start`: the configuration's local start; `opens`: the instants at which windows open before it expires."""

    clock: datetime  # where the simulated day begins
    zone: str
    every: str
    start: str
    expires: str
    opens: tuple[datetime, ...]


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


PLAIN = Night(
    _utc("2026-11-20 09:00"), "UTC", "1Day", "2026-11-19 09:07", "2026-11-21 00:00", (_utc("2026-11-20 09:07"),)
)
TWICE = PLAIN._replace(every="1Hour", start="2026-11-20 09:07", expires="2026-11-20 10:08",
                       opens=(_utc("2026-11-20 09:07"), _utc("2026-11-20 10:07")))  # fmt: skip
"""Hours recur in elapsed time."""
MISSING = (
    # Berlin: 02:00 to 03:00 is left out at 01:00 UTC; 02:01 is reckoned with the offset before, +1, and is 03:01 there.
    Night(_utc("2027-03-28 00:54"), "W. Europe Standard Time", "1Day", "2027-03-27 02:01", "2027-03-28 23:00",
          (_utc("2027-03-28 01:01"),)),
    # New York: 02:00 to 03:00 is left out at 07:00 UTC; 02:30 with -5.
    Night(_utc("2027-03-14 07:23"), "Eastern Standard Time", "Week Sunday", "2027-03-08 02:30", "2027-03-15 00:00",
          (_utc("2027-03-14 07:30"),)),
    # Lord Howe: 02:00 to 02:30 is left out at 15:30 UTC; 02:10 with +10:30.
    Night(_utc("2026-10-03 15:33"), "Lord Howe Standard Time", "1Day", "2026-10-03 02:10", "2026-10-04 23:00",
          (_utc("2026-10-03 15:40"),)),
)  # fmt: skip
DOUBLED = (
    # Berlin: 02:00 to 03:00 comes at 00:00 and again at 01:00 UTC; the first counts.
    Night(_utc("2026-10-25 00:43"), "Europe/Berlin", "1Day", "2026-10-24 02:50", "2026-10-25 23:00",
          (_utc("2026-10-25 00:50"),)),
    # New York: 01:00 to 02:00 comes at 05:00 and again at 06:00 UTC.
    Night(_utc("2026-11-01 05:23"), "Eastern Standard Time", "Month First Sunday", "2026-10-31 01:30",
          "2026-11-01 23:00", (_utc("2026-11-01 05:30"),)),
)  # fmt: skip
NIGHTS = (PLAIN, TWICE, MISSING[0], PLAIN, DOUBLED[0], PLAIN, MISSING[1], PLAIN,
          PLAIN, PLAIN, MISSING[2], PLAIN, DOUBLED[1], PLAIN, MISSING[0], PLAIN)  # fmt: skip
"""One for each template."""
FLEETS = (1004, 1055, 1067, 1074, 1119, 1001, 1134, 1136, 1008, 1148, 1149, 1011, 1164, 1189, 1221, 1015)
"""Seeds of machines; in most of them two of one availability set stand in different update domains."""
