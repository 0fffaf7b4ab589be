"""Requests that come twice, and messages that come again on their poison queue, are known by an id of their own."""

import uuid
from datetime import timedelta
from itertools import product

import pytest

from shared.domain.poison import message_id
from shared.domain.request import SAME_REQUEST, attempt_id, days
from shared.domain.resource_id import parse_machine_id
from tests.domain.samples import ARC, NOW, VM


def test_an_attempt_is_a_guid_and_stays_the_same() -> None:
    first = attempt_id(parse_machine_id(VM), "installPatches", "request")
    assert str(uuid.UUID(first)) == first
    assert first == attempt_id(parse_machine_id(VM.upper()), "installPatches", "request")


def test_the_id_of_a_known_request() -> None:
    """It stands in rows and in Azure's own logs: a new version of the app has to make the same."""
    made = attempt_id(parse_machine_id(VM), "assessPatches", "00000000-0000-0000-0000-000000000001")
    assert made == "1aae7470-8b0d-508e-a0ae-03e5d91035f0"


def test_different_requests_are_different_attempts() -> None:
    requests = list(product((VM, ARC, f"{VM}2"), ("assessPatches", "installPatches"), ("a", "b", "")))
    made = {attempt_id(parse_machine_id(machine), verb, request) for machine, verb, request in requests}
    assert len(made) == len(requests)


def test_a_request_is_the_same_for_a_day() -> None:
    assert timedelta(hours=24) == SAME_REQUEST


def test_a_message_is_known_by_its_body() -> None:
    body = '{"run": "ä"}'.encode()
    assert message_id(body) == message_id(bytes(bytearray(body)))
    assert message_id(body) != message_id(body + b" ")
    assert len(message_id(b"")) == 32
    assert message_id(b"x").isalnum()


@pytest.mark.parametrize(
    ("hours", "expected"), [(-1, (0,)), (0, (0,)), (23.9, (0,)), (24, (1, 0)), (47, (1, 0)), (72, (3, 2))]
)
def test_the_days_whose_attempt_may_be_less_than_a_day_old(hours: float, expected: tuple[int, ...]) -> None:
    assert days(NOW, NOW + timedelta(hours=hours)) == expected


def test_each_day_is_an_attempt_of_its_own() -> None:
    address = parse_machine_id(VM)
    made = [attempt_id(address, "installPatches", "r", day) for day in range(3)]
    assert len(set(made)) == 3
    assert made[0] == attempt_id(address, "installPatches", "r")
