"""What the demo says of the window's events, from the sandbox's journal."""

from datetime import UTC, datetime, timedelta

import msgspec

from infra.local.told import POST, PRE, Notice, doubts, story, told

START = datetime(2026, 11, 26, 2, tzinfo=UTC)
RUN = "/x/providers/Microsoft.Maintenance/applyUpdates/20261126020000"
MACHINE = "/m"


def published(kind: str, seconds: float, status: str = "") -> dict[str, object]:
    data = {"status": status} if status else {}
    event = {"id": RUN.lower(), "type": kind, "data": data, "source": "/x"}
    return {"event": "eventPublished", "time": START + timedelta(seconds=seconds), "topic": "t", "published": event}


def delivered(kind: str, seconds: float, status: int = 200) -> dict[str, object]:
    time = START + timedelta(seconds=seconds)
    return {"event": "eventDelivered", "time": time, "id": RUN.lower(), "type": kind, "url": "u", "status": status}


def journal(*entries: dict[str, object]) -> list[Notice]:
    other = {"event": "request", "time": START, "method": "GET", "status": 200}
    ended = {"event": "operationEnded", "time": START, "machine": "/m", "status": "Succeeded"}
    return msgspec.json.decode(msgspec.json.encode([other, ended, *entries]), type=list[Notice])


WHOLE = (
    published(PRE, 0),
    delivered(PRE, 1, 503),
    delivered(PRE, 2),
    published(POST, 60, "Failed"),
    delivered(POST, 61),
)


def test_both_events_delivered_are_one_line() -> None:
    said = told(journal(*WHOLE), RUN)
    assert said.is_complete
    assert doubts(said, {MACHINE: START + timedelta(seconds=5)}) == []
    (line,) = story(said)
    assert all(part in line for part in ("02:00:02", "02:01:01", "Failed"))


def test_what_was_not_delivered_is_a_doubt() -> None:
    said = told(journal(*WHOLE[:-1]), RUN)
    assert (said.is_complete, story(said)) == (False, [])
    assert doubts(said, {}) == ["the maintenance window: its PostMaintenanceEvent was not delivered"]
    assert len(doubts(told(journal(*WHOLE), "/another"), {})) == 2


def test_an_installation_before_the_pre_event_is_a_doubt() -> None:
    said = told(journal(*WHOLE), RUN)
    assert len(doubts(said, {MACHINE: START - timedelta(seconds=1)})) == 1
