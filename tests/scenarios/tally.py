"""What an app costs in calls: every request that goes through the relays, by who sends it and what it asks."""

import re
from collections import Counter
from collections.abc import Iterable

import msgspec

from tests.scenarios.relay import Seen

EMPTY_ANSWER_BYTES = 200
"""The XML of no messages has some 70 bytes; of one message, more than 300."""


class Call(msgspec.Struct, frozen=True, order=True):
    """One kind of request. `side`: `ARM`, the `app`'s storage, the `host`'s (it takes and deletes messages).

    A host that looks at an empty queue is `idle`: that goes on at the same rate with a thousand machines or none.
    """

    side: str
    name: str


def call_of(seen: Seen) -> Call:
    """Of an answered request."""
    if seen.door == "ARM":
        return Call("ARM", _arm(seen))
    return _queue(seen) if seen.door == "Queue" else Call("app", _table(seen))


def together(calls: Counter[Call], sides: Iterable[str]) -> int:
    return sum(count for call, count in calls.items() if call.side in sides)


def _arm(seen: Seen) -> str:
    path = seen.path.partition("?")[0].lower()
    if path.endswith("/assesspatches"):
        return "start"
    if path.endswith("/providers/microsoft.resourcegraph/resources"):
        return "Resource Graph: results" if "patchassessmentresources" in seen.body else "Resource Graph: machines"
    return "look at an operation" if "/operation" in path or "updatecenter" in path else "other read"


def _queue(seen: Seen) -> Call:
    if "/messages" not in seen.path:
        return Call("app", "length of a queue")
    if seen.method == "POST":
        return Call("app", "put a message")
    if seen.method == "GET":
        return Call("host", "take messages") if seen.size > EMPTY_ANSWER_BYTES else Call("idle", "nothing on a queue")
    return Call("host", "delete a message" if seen.method == "DELETE" else "hide a message")


def _table(seen: Seen) -> str:
    path = seen.path.partition("?")[0]
    if not path.endswith("/$batch"):
        found = re.search(r"/devstoreaccount1/(\w+)", path)
        return f"{seen.method} {found[1] if found else path}"
    found = re.search(r"/devstoreaccount1/(\w+)", seen.body)
    return f"transaction {found[1] if found else '?'}"
