"""Starting an assessment or an installation: the two calls with an effect, each sent exactly once."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from shared.cloud.azure import Azure, Departure
from shared.cloud.errors import error_of, retry_after
from shared.domain.installation import InstallationRequest
from shared.domain.operation import Accepted, Answer, NotSent, Refused, Unanswered
from shared.domain.resource_id import MachineId

# Versions whose bodies hold all the fields we send (name masks for Windows included).
VM_VERSION = "2025-04-01"
ARC_VERSION = "2026-07-15"
# First look when Azure does not say when, seconds (ours).
LOOK_AFTER = 15
# Answers that do not say whether the request was carried out: time-out at a gateway, and every 5xx.
_SILENT = frozenset({408})


def assess(azure: Azure, machine: MachineId, request_id: str, not_after: datetime) -> Answer:
    """POST assessPatches. Nothing is sent after `not_after`."""
    return _post(azure, machine, "assessPatches", None if machine.is_vm else {}, request_id, not_after)


def install(
    azure: Azure, machine: MachineId, body: dict[str, Any], request_id: str, not_after: datetime
) -> Answer:  # fmt: skip
    """POST installPatches with a body made by `installation_body`. Nothing is sent after `not_after`."""
    return _post(azure, machine, "installPatches", body, request_id, not_after)


def installation_body(request: InstallationRequest, minutes: int) -> dict[str, Any]:
    """Azure's body: the request as it was normalised, with the whole minutes that are left."""
    body = msgspec.to_builtins(msgspec.structs.replace(request, maximum_duration=timedelta()))
    return {**_given(body), "maximumDuration": f"PT{minutes}M"}


def _given(value: dict[str, Any]) -> dict[str, Any]:
    filled = {name: _given(part) if isinstance(part, dict) else part for name, part in value.items()}
    return {name: part for name, part in filled.items() if part is not None}


def _post(
    azure: Azure, machine: MachineId, verb: str, body: dict[str, Any] | None, request_id: str, not_after: datetime
) -> Answer:
    from azure.core.exceptions import AzureError
    from azure.core.rest import HttpRequest

    version = VM_VERSION if machine.is_vm else ARC_VERSION
    url = f"{azure.endpoint}{machine}/{verb}?api-version={version}"
    request = HttpRequest("POST", url, json=body, headers={"x-ms-client-request-id": request_id})
    departure = Departure(not_after)
    try:
        response = azure.send(request, departure)
    except (AzureError, TimeoutError) as error:
        return _without_answer(error, departure)
    if response.status_code in (200, 202):
        status, result = (response.headers.get(name, "") for name in ("Azure-AsyncOperation", "Location"))
        return Accepted(url=status, result_url=result, retry_after=retry_after(response, LOOK_AFTER))
    code, message = error_of(response)
    if response.status_code in _SILENT or not 400 <= response.status_code < 500:
        return Unanswered(detail=f"{response.status_code} {code}: {message}")
    return Refused(status=response.status_code, code=code, message=message, retry_after=retry_after(response, 0))


def _without_answer(error: Exception, departure: Departure) -> Answer:
    detail = f"{type(error).__name__}: {str(error)[:300]}"
    if not departure.left or _never_connected(error):
        return NotSent(detail=detail)
    return Unanswered(detail=detail)


def _never_connected(error: Exception) -> bool:
    """True only when no connection came about (refused, no such host, connect time-out): nothing can have arrived."""
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    inner = getattr(error, "inner_exception", None)
    first = inner.args[0] if inner is not None and inner.args else None
    causes = (inner, first, getattr(first, "reason", None))
    return any(isinstance(cause, ConnectTimeoutError | NewConnectionError) for cause in causes)
