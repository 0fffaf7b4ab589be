"""What Azure answered when it would not do as asked, in one shape for everybody above."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.core.rest import HttpResponse

# Characters kept of what Azure answered, for they stand in rows (ours): its codes are words, its messages sentences.
LONGEST_CODE, LONGEST_MESSAGE = 100, 1000
# Of a text that is not Azure's error body, one line (ours).
LONGEST_LINE = 500


class CloudError(Exception):
    """A reading call that failed. `status` 0: no answer at all; `retry_after` seconds, 0 when Azure names none."""

    def __init__(self, status: int, code: str, message: str, retry_after: int = 0) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after


@contextmanager
def reading() -> Iterator[None]:
    """Turns the SDK's errors inside into CloudError."""
    from azure.core.exceptions import AzureError, HttpResponseError

    try:
        yield
    except HttpResponseError as error:
        code = error.error.code if error.error else ""
        wait = str(getattr(error.response, "headers", {}).get("Retry-After", ""))
        seconds = int(wait) if wait.isdigit() else 0
        raise CloudError(error.status_code or 0, code or "Unknown", _first_line(error.message), seconds) from error
    except AzureError as error:
        raise CloudError(0, type(error).__name__, _first_line(str(error))) from error


def error_of(response: HttpResponse) -> tuple[str, str]:
    """Code and message of an error answer, cut; the status and the body's first line when it is not Azure's shape."""
    try:
        error = json.loads(response.text())["error"]
        return str(error["code"])[:LONGEST_CODE], str(error["message"])[:LONGEST_MESSAGE]
    except (ValueError, KeyError, TypeError):
        return f"Http{response.status_code}", _first_line(response.text())


def retry_after(response: HttpResponse, otherwise: int) -> int:
    """Seconds to wait as Azure says (whole seconds; Azure sends no dates here), else `otherwise`."""
    text = response.headers.get("Retry-After", "")
    return int(text) if text.isdigit() else otherwise


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0][:LONGEST_LINE]
