"""Three hundred subscriptions on the wire: just enough of ARM and Resource Graph for the inventory to read them all."""

import json
import re
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any

from infra.local.sandbox.http import Request, Response

MACHINES = 4
"""In every subscription, half of them Arc machines; the largest has LARGEST."""
LARGEST = 1500
QUERIES, WINDOW = 15, 5.0
"""Resource Graph's quota. Source: Resource Graph, "Guidance for throttled requests"."""

Json = dict[str, Any]


class Estate:
    """Answers like the sandbox. `forbidden` may not be read, and Resource Graph leaves it out; `throttled` not now."""

    def __init__(self, subscriptions: int, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self.subscriptions = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(subscriptions)]
        self.machines = {each: _machines(each, MACHINES) for each in self.subscriptions}
        self.machines[self.subscriptions[0]] = _machines(self.subscriptions[0], LARGEST)
        self.forbidden: set[str] = set()
        self.throttled: set[str] = set()
        self.queries = self.reads = 0
        self._recent: deque[datetime] = deque()

    def handle(self, request: Request) -> Response:
        parts = request.path.lower().strip("/").split("/")
        if "resourcegraph" in request.path.lower():
            return self._graph(json.loads(request.body))
        self.reads += 1
        if len(parts) == 1:
            return _reply({"value": [{"subscriptionId": each, "state": "Enabled"} for each in self.subscriptions]})
        if parts[1] in self.forbidden:
            return _reply({"error": {"code": "AuthorizationFailed", "message": "May not read."}}, 403)
        if parts[1] in self.throttled:
            error = {"code": "SubscriptionRequestsThrottled", "message": "Too many requests."}
            return _reply({"error": error}, 429, {"Retry-After": "600"})
        kind = f"{parts[3]}/{parts[4]}"
        return _reply({"value": [each for each in self.machines[parts[1]] if each["type"].lower() == kind]})

    def _graph(self, body: Json) -> Response:
        now = self._clock()
        while self._recent and (now - self._recent[0]).total_seconds() >= WINDOW:
            self._recent.popleft()
        if len(self._recent) >= QUERIES:
            return _reply({"error": {"code": "RateLimiting", "message": "Quota."}}, 429, {"Retry-After": "5"})
        self._recent.append(now)
        self.queries += 1
        readable = [each for each in body["subscriptions"] if each not in self.forbidden]
        rows = [_row(machine, body["query"]) for each in readable for machine in self.machines[each]]
        rows.sort(key=lambda row: str(row["id"]))
        start, top = int(body["options"].get("$skipToken") or 0), body["options"]["$top"]
        more = {"$skipToken": str(start + top)} if start + top < len(rows) else {}
        page = rows[start : start + top]
        return _reply({"totalRecords": len(rows), "count": len(page), "data": page, "facets": [], **more})


def _machines(subscription: str, count: int) -> list[Json]:
    return [_machine(subscription, number) for number in range(count)]


def _machine(subscription: str, number: int) -> Json:
    kind = ("Microsoft.Compute/virtualMachines", "Microsoft.HybridCompute/machines")[number % 2]
    name, vm_id = f"m{number:05}", f"{subscription[:8]}-{number}"
    inside = {"vmId": vm_id, "osType": "linux", "status": "Connected"} if number % 2 else {"vmId": vm_id}
    group = f"/subscriptions/{subscription}/resourceGroups/rg{number % 2}"
    return {
        "id": f"{group}/providers/{kind}/{name}",
        "name": name,
        "type": kind,
        "location": "westeurope",
        "properties": inside,
    }


def _row(machine: Json, query: str) -> Json:
    """The columns that the query asks for by name; of the machine's members those that it gives names to."""
    columns = re.findall(r"(\w+) = ([\w.]+)", query)
    return {**machine, "type": machine["type"].lower(), **{alias: _at(machine, path) for alias, path in columns}}


def _at(value: Any, path: str) -> Any:  # noqa: ANN401 - any JSON
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _reply(body: Json, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    kind = {"Content-Type": "application/json"}
    return Response(status=status, headers={**kind, **(headers or {})}, body=json.dumps(body).encode())
