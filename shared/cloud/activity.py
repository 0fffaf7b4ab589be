"""The activity log: whether Azure took a start that nobody answered for, found by our own request id. It lags."""

from datetime import UTC
from typing import Any
from urllib.parse import quote

from shared.cloud.azure import Azure
from shared.cloud.clock import NOISE
from shared.cloud.paging import items
from shared.domain.operation import Operation
from shared.domain.resource_id import parse_machine_id

# Source: Azure Monitor REST API, "Activity Logs - List"; its filter takes a time and one resource, in this form.
VERSION = "2015-04-01"
# Words for a request that the provider took. Source: "Azure Activity Log event schema", status and subStatus.
_TAKEN = frozenset({"accepted", "succeeded"})


def was_accepted(azure: Azure, operation: Operation) -> bool:
    """Whether the log shows our request as taken. False proves nothing. Raises CloudError."""
    machine, since = parse_machine_id(operation.machine), (operation.claimed - NOISE).astimezone(UTC)
    wanted = f"eventTimestamp ge '{since:%Y-%m-%dT%H:%M:%SZ}' and resourceUri eq '{machine}'"
    log = f"{azure.endpoint}/subscriptions/{machine.subscription}/providers/Microsoft.Insights/eventtypes/management"
    events = items(azure, f"{log}/values?api-version={VERSION}&$filter={quote(wanted)}")
    return any(_is_of(event, operation.attempt) and _is_taken(event) for event in events)


def _is_of(event: dict[str, Any], attempt: str) -> bool:
    request = event.get("httpRequest") or {}
    return str(request.get("clientRequestId", "")).lower() == attempt.lower()


def _is_taken(event: dict[str, Any]) -> bool:
    words = [(event.get(name) or {}).get("value", "") for name in ("status", "subStatus")]
    return any(str(word).lower() in _TAKEN for word in words)
