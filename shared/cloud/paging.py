"""ARM lists that no SDK client of ours reads: pages of `{value, nextLink}`."""

from collections.abc import Iterator
from typing import Any

from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError, error_of, reading, retry_after


def items(azure: Azure, url: str) -> Iterator[dict[str, Any]]:
    """Every item of a list, page by page. Raises CloudError."""
    from azure.core.rest import HttpRequest

    while url:
        with reading():
            response = azure.send(HttpRequest("GET", url))
        if response.status_code != 200:
            raise CloudError(response.status_code, *error_of(response), retry_after(response, 0))
        page = response.json()
        yield from page["value"]
        url = page.get("nextLink") or ""
