"""The owner marker of a subscription: one of its tags, read and written alone, so that the others stay as they are.

Source: Azure REST API, "Tags - Get At Scope" and "Tags - Update At Scope" (Merge). Needs the actions
`Microsoft.Resources/tags/read` and `/write` on the subscription; the built-in role Tag Contributor has both.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from shared.cloud.azure import Azure, Departure
from shared.cloud.errors import CloudError, error_of, reading, retry_after

if TYPE_CHECKING:
    from azure.core.rest import HttpRequest

# Names may not begin with microsoft, azure or windows. Source: Azure REST API, "Tags - Create Or Update".
TAG = "open-update-manager-owner"
_PLACE = "providers/Microsoft.Resources/tags/default?api-version=2021-04-01"


def owner_of(azure: Azure, subscription: str) -> str:
    """The deployment that the marker names; "" when there is none. Raises CloudError."""
    from azure.core.rest import HttpRequest

    tags = _tags(azure, HttpRequest("GET", _url(azure, subscription)), None)
    return next((value for name, value in tags.items() if name.lower() == TAG), "")


def write_owner(azure: Azure, subscription: str, deployment: str, not_after: datetime) -> None:
    """Sent once, and not after this instant. Raises CloudError; with status 0 it may have been written."""
    from azure.core.rest import HttpRequest

    body = {"operation": "Merge", "properties": {"tags": {TAG: deployment}}}
    _tags(azure, HttpRequest("PATCH", _url(azure, subscription), json=body), Departure(not_after))


def _url(azure: Azure, subscription: str) -> str:
    return f"{azure.endpoint}/subscriptions/{subscription}/{_PLACE}"


def _tags(azure: Azure, request: HttpRequest, departure: Departure | None) -> dict[str, str]:
    try:
        with reading():
            response = azure.send(request, departure)
    except TimeoutError as error:
        raise CloudError(0, "NotSent", str(error)) from error
    if response.status_code != 200:
        raise CloudError(response.status_code, *error_of(response), retry_after(response, 0))
    return dict((response.json().get("properties") or {}).get("tags") or {})
