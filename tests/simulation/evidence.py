"""What the laws are judged by: the sandbox's journal, every request that left, and what clients were answered."""

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from infra.local.sandbox.http import Request
from shared.domain.request import attempt_id
from shared.domain.resource_id import parse_machine_id
from tests.simulation.cloud import ORIGIN
from tests.simulation.wire import Sent
from tests.simulation.wishes import Wish
from tests.simulation.world import World


class Broken(NamedTuple):
    """A law that did not hold; `about` is a machine or an attempt, to find the story by."""

    law: str
    what: str
    about: str = ""


class Ran(NamedTuple):
    """An operation of ours as Azure's journal has it."""

    machine: str
    kind: str
    began: datetime
    ended: datetime
    result: str


class Evidence:
    """The journal and the requests of one world, by what they are about."""

    def __init__(self, world: World) -> None:
        answer = world.sandbox.handle(Request(method="GET", url=f"{ORIGIN}/sandbox/journal"))
        self.world = world
        self.journal: list[dict[str, Any]] = json.loads(answer.body)
        self.ran = list(_ran(self.journal))
        self.by_attempt: dict[tuple[str, str], list[Sent]] = defaultdict(list)
        for sent in world.wire.sent:
            self.by_attempt[sent.machine, sent.attempt].append(sent)
        self.wishes = {attempt: wish for wish in world.plan.wishes for attempt in wish.accepted}

    def installations(self) -> Iterator[Sent]:
        return (sent for sent in self.world.wire.sent if sent.verb == "installPatches" and sent.arrived)

    def run_of(self, sent: Sent, began: datetime) -> Ran | None:
        """What an accepted request started."""
        return next((ran for ran in self.ran if ran.machine == sent.machine and ran.began == began), None)

    def wish_of(self, sent: Sent) -> Wish | None:
        """The wish whose request made this attempt, answered 202 or not."""
        for wish in self.world.plan.wishes:
            if attempt_id(parse_machine_id(wish.machine.id), wish.verb, wish.request_id) == sent.attempt:
                return wish
        return None

    def accepted(self, machine: str, attempt: str) -> list[Sent]:
        return [sent for sent in self.by_attempt[machine.lower(), attempt] if sent.accepted]


def _ran(journal: list[dict[str, Any]]) -> Iterator[Ran]:
    ends = {entry["operation"]: entry for entry in journal if entry["event"] == "operationEnded"}
    for entry in journal:
        if entry["event"] != "operationAccepted" or entry["principal"] == "platform":
            continue
        end = ends.get(entry["operation"])
        ended = datetime.fromisoformat(end["time"]) if end else datetime.max.replace(tzinfo=_time(entry).tzinfo)
        yield Ran(entry["machine"].lower(), entry["kind"], _time(entry), ended, end["result"] if end else "")


def _time(entry: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["time"])
