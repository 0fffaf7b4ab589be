"""The relay before storage: signed requests pass unchanged, and one is held where a step says so."""

import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.data.tables import TableServiceClient

from infra.local.azurite import ACCOUNT, Azurite
from shared.store.table import Insert, Row, Table
from tests.scenarios.relay import Door, Relay, Seen
from tests.scenarios.steps import Step, Steps

WAIT = 20.0


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def relay(steps: Steps) -> Iterator[Relay]:
    opened = Relay(steps)
    yield opened
    opened.close()


@pytest.fixture
def table(azurite: Azurite, relay: Relay) -> Iterator[Table]:
    """One table, reached through the relay, without the SDK's own retries."""
    direct = azurite.endpoints["Table"]
    url = relay.open(Door(name="Table", target=lambda: direct))
    connection = azurite.connection_string.replace(f"{direct}/{ACCOUNT}", f"{url}/{ACCOUNT}")
    with TableServiceClient.from_connection_string(connection, retry_total=0) as service:
        opened = Table(service, f"t{uuid.uuid4().hex[:12]}")
        opened.ensure()
        yield opened


def row(key: str) -> Row:
    return Row(partition="p", key=key, values={"text": "größer / 1"})


def inserting(*, after: bool) -> Step:
    def fits(seen: Seen) -> bool:
        return seen.method == "POST" and "held" in seen.body

    return Step(name="inserting", after=after, fits=fits)


def test_what_is_not_held_passes_unchanged(table: Table) -> None:
    table.transact([Insert(row("a")), Insert(row("b"))])
    assert {found.key: found.values["text"] for found in table.page("p")} == dict.fromkeys("ab", "größer / 1")


@pytest.mark.parametrize("after", [False, True])
def test_a_held_request_that_is_dropped_has_arrived_only_after_its_answer(
    table: Table, steps: Steps, after: bool
) -> None:
    steps.arm(inserting(after=after))
    failures: list[Exception] = []

    def insert() -> None:
        try:
            table.write(Insert(row("held")))
        except (ServiceRequestError, ServiceResponseError) as failure:
            failures.append(failure)

    sender = threading.Thread(target=insert)
    sender.start()
    caught = steps.caught.get(timeout=WAIT)
    assert (table.get("p", "held") is not None) == after
    caught.release(False)
    sender.join(WAIT)
    assert len(failures) == 1
    assert (table.get("p", "held") is not None) == after


def test_a_held_request_that_is_released_goes_on(table: Table, steps: Steps) -> None:
    steps.arm(inserting(after=False))
    sender = threading.Thread(target=table.write, args=(Insert(row("held")),))
    sender.start()
    steps.caught.get(timeout=WAIT).release(True)
    sender.join(WAIT)
    assert table.get("p", "held") is not None


def test_a_server_that_is_down_looks_like_a_broken_connection(relay: Relay) -> None:
    url = relay.open(Door(name="Table", target=lambda: "http://127.0.0.1:9"))
    with (
        TableServiceClient.from_connection_string(
            f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;TableEndpoint={url}/a;", retry_total=0
        ) as service,
        pytest.raises((ServiceRequestError, ServiceResponseError)),
    ):
        service.create_table("t")


def test_the_time_in_an_answer_is_put_forward(azurite: Azurite, relay: Relay) -> None:
    from email.utils import parsedate_to_datetime
    from urllib.error import HTTPError
    from urllib.request import urlopen

    direct, ahead = azurite.endpoints["Table"], timedelta(minutes=11)
    url = relay.open(Door(name="Table", target=lambda: direct, ahead=lambda: ahead))
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{url}/{ACCOUNT}/Tables")  # noqa: S310 - loopback
    with refused.value as answer:
        shown = parsedate_to_datetime(answer.headers["Date"])
    assert abs(shown - datetime.now(UTC) - ahead) < timedelta(seconds=10)
