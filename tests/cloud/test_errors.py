"""What is kept of an error answer: Azure's words, never so many that a row cannot hold them."""

import json
from typing import TYPE_CHECKING, cast

import pytest

from shared.cloud.errors import LONGEST_CODE, LONGEST_LINE, LONGEST_MESSAGE, error_of

if TYPE_CHECKING:
    from azure.core.rest import HttpResponse


class Said:
    """As much of an answer as is read."""

    status_code = 400

    def __init__(self, body: str) -> None:
        self._body = body

    def text(self) -> str:
        return self._body


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (json.dumps({"error": {"code": "Busy", "message": "It is."}}), "Busy", "It is."),
        (
            json.dumps({"error": {"code": "c" * 999, "message": "m" * 99_999}}),
            "c" * LONGEST_CODE,
            "m" * LONGEST_MESSAGE,
        ),
        ("x" * 99_999 + "\nsecond line", "Http400", "x" * LONGEST_LINE),
        ("", "Http400", ""),
    ],
)
def test_azures_words_are_kept_and_cut(body: str, code: str, message: str) -> None:
    assert error_of(cast("HttpResponse", Said(body))) == (code, message)
