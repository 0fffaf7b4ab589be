"""What an operator reads afterwards: one line a decision, `key=value`, and never a secret."""

import logging
import re

import pytest

from infra.local.azurite import Azurite
from shared.domain.operation import State
from shared.workflows.poison import discard_message, park_message, replay_message
from shared.workflows.release import close_run, release_operation
from tests.cloud.world import address_of
from tests.workflows.house import House

OURS = ("shared", "functions")
LINE = re.compile(r'(?P<what>[^="]+?)(?P<facts>( \w+=([^\s"=]*|"(\\.|[^"\\])*"))+)')
FACT = re.compile(r' (\w+)=("(?:\\.|[^"\\])*"|\S*)')


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


def ours(lines: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in lines.records if record.name.startswith(OURS)]


def facts(line: str) -> dict[str, str]:
    return {key: value.strip('"') for key, value in FACT.findall(line)}


def told(lines: pytest.LogCaptureFixture, what: str) -> dict[str, str]:
    (line,) = [each for each in ours(lines) if each.startswith(f"{what} ")]
    return facts(line)


def a_bad_day(house: House) -> None:
    """Everything that is decided at least once: starts, refusals, lost answers, throttles, releases, poison."""
    house.fault(403, f"/subscriptions/{house.fleet[0]['subscription']}/", "GET")
    house.inventory()
    house.inventory()
    one, other, third = (house.one(os="Windows", vm=True), house.one(os="Linux", vm=True), house.one(vm=False))
    house.fault(429, "/assessPatches")
    house.assess(one)
    house.run(5)
    house.fault(503, "/installPatches", effect=False)
    house.install(other)
    house.live(30)
    released = house.assess(third)
    release_operation(house.azure, house.store, address_of(third), released.attempt, "ann", 'it "hangs" machine=x')
    run = house.install(one, "closed")
    close_run(house.store, run.attempt, "ann", "wrong list", house.now)
    park_message(house.store, "runs", b"x", house.now)
    (parked,) = house.store.poison.parked("runs")
    replay_message(house.store, "runs", parked.id, house.now, "ann")
    house.lose()
    park_message(house.store, "runs", b"x", house.now)
    discard_message(house.store, "runs", parked.id, ("ann", "done by hand"), house.now)
    house.live(10)


def test_every_line_is_words_and_facts(house: House, lines: pytest.LogCaptureFixture) -> None:
    a_bad_day(house)
    said = ours(lines)
    assert len(said) > 30
    assert [line for line in said if not LINE.fullmatch(line)] == []


def test_no_line_holds_a_token_or_a_key(house: House, lines: pytest.LogCaptureFixture, azurite: Azurite) -> None:
    """Of any logger at any level: the SDKs' too."""
    house.azure.compute(house.fleet[0]["subscription"])
    a_bad_day(house)
    key = azurite.connection_string.partition("AccountKey=")[2].partition(";")[0]
    secrets = ("Bearer ", "AccountKey", key, house.sandbox.owner_token().split(".")[2], "sig=")
    everything = [record.getMessage() + str(record.exc_text or "") for record in lines.records]
    assert key
    assert len(everything) > len(ours(lines))
    assert [line for line in everything for secret in secrets if secret in line] == []


def test_each_decision_names_the_run_the_machine_and_the_reason(house: House, lines: pytest.LogCaptureFixture) -> None:
    machine = house.know(house.one(vm=True))
    house.fault(400, "/installPatches", effect=False)
    operation = house.install(machine)
    house.run()
    name = machine["id"]
    assert house.attempt(machine, operation.attempt).state is State.ENDED
    asked = told(lines, "installation requested")
    assert (asked["machine"], asked["run"]) == (name, operation.attempt)
    sent = told(lines, "sent")
    assert (sent["machine"], sent["attempt"], sent["reason"]) == (name, operation.attempt, "StartRefused")
    steps = [facts(line) for line in ours(lines) if line.startswith("run advanced")]
    assert {(step["run"], step["machine"]) for step in steps} == {(operation.attempt, name)}
    assert (steps[-1]["step"], steps[-1]["outcome"], steps[-1]["reason"]) == ("ended", "NotStarted", "StartRefused")
    assert told(lines, "run closed")["run"] == operation.attempt


def test_an_operators_line_says_who_and_why(house: House, lines: pytest.LogCaptureFixture) -> None:
    machine = house.know(house.one(vm=True))
    operation = house.assess(machine)
    release_operation(house.azure, house.store, address_of(machine), operation.attempt, "ann", "it hangs")
    line = told(lines, "operation released")
    assert (line["machine"], line["attempt"], line["reason"]) == (
        machine["id"],
        operation.attempt,
        "ReleasedByOperator",
    )
    assert (line["was"], line["detail"]) == ("claimed", "ann: it hangs")
