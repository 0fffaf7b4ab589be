"""Bodies that are no JSON, or too deep, or of another shape: always a 400 that names what to mend."""

import msgspec
import pytest

from shared.domain.errors import RequestError
from shared.domain.reading import decode_body


class Sample(msgspec.Struct, frozen=True):
    """Takes fields that it does not know, like most of Azure's own bodies."""

    name: str = ""


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "InvalidRequestContent"),
        (b"\xff", "InvalidRequestContent"),
        (b'{"other":' + b"[" * 10_000, "InvalidRequestContent"),
        (b'{"other":' + b"[" * 10_000 + b"]" * 10_000 + b"}", "InvalidRequestContent"),
        (b"", "InvalidParameter"),
        (b'{"name":1}', "InvalidParameter"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_400(body: bytes, code: str) -> None:
    with pytest.raises(RequestError) as refusal:
        decode_body(body, Sample)
    assert (refusal.value.status, refusal.value.code) == (400, code)


def test_a_good_one_is_read() -> None:
    assert decode_body(b'{"name":"x","more":1}', Sample) == Sample(name="x")
