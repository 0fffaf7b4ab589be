"""NCRONTAB: when schedules occur, and what is refused."""

from datetime import UTC, datetime

import pytest

from infra.local.host.cron import BadSchedule, Schedule

START = datetime(2026, 1, 29, 10, 4, 30, tzinfo=UTC)  # a Thursday


@pytest.mark.parametrize(
    ("expression", "following"),
    [
        ("0 */5 * * * *", "2026-01-29T10:05:00"),
        ("*/10 * * * * *", "2026-01-29T10:04:40"),
        ("0 0 * * * *", "2026-01-29T11:00:00"),
        ("0 0 */2 * * *", "2026-01-29T12:00:00"),
        ("0 30 9 * * 1-5", "2026-01-30T09:30:00"),
        ("0 30 9 * Jan Mon", "2027-01-04T09:30:00"),
        ("0 0 0 29 2 *", "2028-02-29T00:00:00"),
        ("30 4 10 29 1 *", "2027-01-29T10:04:30"),
        ("0 0 0 13 * FRI", "2026-02-13T00:00:00"),
        ("0 0 0 * * 0", "2026-02-01T00:00:00"),
        ("0 5,35 9-17 * * *", "2026-01-29T10:05:00"),
    ],
)
def test_next_occurrence(expression: str, following: str) -> None:
    assert Schedule(expression).next_after(START) == datetime.fromisoformat(following).replace(tzinfo=UTC)


def test_an_occurrence_is_always_later() -> None:
    moment = datetime(2026, 1, 29, 10, 5, tzinfo=UTC)
    assert Schedule("0 */5 * * * *").next_after(moment) == datetime(2026, 1, 29, 10, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("*/5 * * * *", "5 fields"),
        ("", "0 fields"),
        ("0 0 0 * * * *", "7 fields"),
        ("0 61 * * * *", "minute"),
        ("x * * * * *", "second"),
        ("0 0 0 L * *", "day"),
        ("0 0 0 LW * *", "day"),
        ("0 0 0 * * 5L", "day"),
        ("0 0 0 * * 5#2", "bad field"),
        ("0 0 0 * * 7", "day"),
        ("0 0 0 ? * *", "bad field"),
        ("0 0 0 31 2 *", "day-of-month"),
        ("00:05:00", "time span"),
        ("@daily", "1 fields"),
    ],
)
def test_what_ncrontab_does_not_know_is_refused(expression: str, why: str) -> None:
    with pytest.raises(BadSchedule, match=why):
        Schedule(expression).next_after(START)


def test_periods_under_a_minute_are_told_apart() -> None:
    assert Schedule("*/30 * * * * *").shorter_than_a_minute(START)
    assert not Schedule("0 * * * * *").shorter_than_a_minute(START)
