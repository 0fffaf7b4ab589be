"""Requests are told apart by who sends them and what they ask."""

from collections import Counter

import pytest

from tests.scenarios.relay import Seen
from tests.scenarios.tally import Call, call_of, together

ACCOUNT = "/devstoreaccount1"
GRAPH = "/providers/Microsoft.ResourceGraph/resources?api-version=1"
VM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/m"
LOOK = "/subscriptions/s/providers/Microsoft.HybridCompute/locations/l/updateCenterOperationResults/o"
BATCH = "--x\r\nPUT http://127.0.0.1/devstoreaccount1/operations(PartitionKey='a',RowKey='b') HTTP/1.1"


def seen(door: str, method: str, path: str, body: str = "", size: int = 0) -> Seen:
    return Seen(door=door, method=method, path=path, body=body, headers={}, ports=(1, 2), status=200, size=size)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (seen("ARM", "POST", f"{VM}/assessPatches?api-version=1"), Call("ARM", "start")),
        (seen("ARM", "GET", LOOK), Call("ARM", "look at an operation")),
        (seen("ARM", "POST", GRAPH, "patchassessmentresources | where"), Call("ARM", "Resource Graph: results")),
        (seen("ARM", "POST", GRAPH, "resources | where"), Call("ARM", "Resource Graph: machines")),
        (seen("ARM", "GET", VM), Call("ARM", "other read")),
        (seen("Queue", "POST", f"{ACCOUNT}/runs/messages"), Call("app", "put a message")),
        (seen("Queue", "GET", f"{ACCOUNT}/runs?comp=metadata"), Call("app", "length of a queue")),
        (seen("Queue", "GET", f"{ACCOUNT}/runs/messages?numofmessages=16", size=900), Call("host", "take messages")),
        (seen("Queue", "GET", f"{ACCOUNT}/runs/messages", size=70), Call("idle", "nothing on a queue")),
        (seen("Queue", "DELETE", f"{ACCOUNT}/runs/messages/1"), Call("host", "delete a message")),
        (seen("Queue", "PUT", f"{ACCOUNT}/runs/messages/1"), Call("host", "hide a message")),
        (seen("Table", "GET", f"{ACCOUNT}/machines(PartitionKey='a',RowKey='b')"), Call("app", "GET machines")),
        (seen("Table", "GET", f"{ACCOUNT}/machines()?$filter=x"), Call("app", "GET machines")),
        (seen("Table", "POST", f"{ACCOUNT}/$batch", BATCH), Call("app", "transaction operations")),
    ],
)
def test_each_request_has_its_name(request_: Seen, expected: Call) -> None:
    assert call_of(request_) == expected


def test_calls_of_some_sides_are_added_up() -> None:
    calls = Counter({Call("ARM", "a"): 2, Call("app", "b"): 3, Call("host", "c"): 5, Call("idle", "d"): 7})
    assert together(calls, ["app", "host"]) == 8
